#pragma once

#include "broker/net/outbox.hpp"
#include "broker/net/send_budget.hpp"
#include "broker/net/session_machine.hpp"
#include "broker/shard/session_port.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/frame/frames.hpp"
#include "proto/wire_message.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::fuzz {

/// What peers of one broker learn of each other's messages: what they say again may be another's.
struct Heard {
  std::vector<proto::SettleRange> ranges;
  std::vector<std::string> handles;
};

/// One connection without its socket: bytes in, frames out, and a shard behind, as net::Connection
/// drives them.
class SessionPeer final : private shard::SessionPort, private net::SessionOutlet {
 public:
  /// Both outlive it.
  SessionPeer(shard::test::ShardRig& rig, Heard& heard, net::MonoMs now);
  ~SessionPeer() override;
  SessionPeer(const SessionPeer&) = delete;
  SessionPeer& operator=(const SessionPeer&) = delete;

  void give(std::string_view bytes, net::MonoMs now);
  void tick(net::MonoMs now);
  /// Ends it, as a peer that goes does.
  void close();
  /// Takes at most so many bytes of what was written; checks every whole frame among them.
  void read(std::size_t bytes);
  [[nodiscard]] bool is_closed() const { return closed_; }
  /// The result of the last response that was read.
  [[nodiscard]] const std::optional<weir::v1::Response>& response() const { return response_; }

 private:
  void on_sent(const proto::SentEntry& entry) override { machine_.on_sent(entry); }
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override {
    machine_.on_settled(up_to, failed);
  }
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery) override {
    machine_.on_delivery(alias, delivery);
  }
  void on_topic_batch(const shard::TopicBatch& batch) override { machine_.on_topic_batch(batch); }
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) override {
    machine_.on_reply(request_id, reply);
  }
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why) override {
    machine_.on_subscription_ended(alias, why);
  }
  void on_kicked(const proto::Error& why) override { say_goodbye(why); }
  void flush() override { machine_.flush(); }
  [[nodiscard]] std::size_t bulk_room() const override { return closed_ ? 0 : outbox_.bulk_room(); }

  net::BrokerFacts open(const net::Introduction& who) override;
  void send(core::SendBatch batch, std::uint32_t deadline_ms) override;
  void settle(proto::QueueId queue, proto::Settle settle) override;
  void set_credit(const proto::Credit& credit) override;
  void request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) override;
  proto::Result<net::ConfigReload> reload_config() override;
  void on_bad_batch(const proto::Error& error) override;
  void on_refused(std::uint64_t id, const proto::Error& error) override;

  void say_goodbye(const proto::Error& why);
  void leave_shard();
  void hear(const proto::RawFrame& frame);

  shard::test::ShardRig& rig_;
  Heard& heard_;
  net::SendBudget budget_{std::size_t{1} << 20};
  proto::FrameReader reader_;
  proto::FrameReader written_;
  net::Outbox outbox_;
  net::SessionMachine machine_;
  std::optional<proto::SessionId> session_;
  std::optional<weir::v1::Response> response_;
  bool closed_ = false;
};

}  // namespace weir::fuzz
