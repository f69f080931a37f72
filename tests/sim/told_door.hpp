#pragma once

#include "broker/net/connection_machine.hpp"
#include "tests/sim/machine.hpp"

#include <optional>
#include <string>

namespace weir::sim {

/// Between one connection and the shard: tells the oracle every word in the moment in which it
/// passes.
class ToldDoor final : public net::ShardDoor, private shard::SessionPort {
 public:
  explicit ToldDoor(Stage& stage) : stage_(stage), shard_(stage.host.shard()) {}

  /// The shard forgot the session, or is no more.
  void forget() { shard_ = nullptr; }

  void set_port(shard::SessionPort& port) override { port_ = &port; }
  net::BrokerFacts open(const net::Introduction& who) override;
  void leave() override;
  void send(core::SendBatch batch, std::uint32_t deadline_ms) override;
  void settle(proto::QueueId queue, proto::Settle settle) override;
  void set_credit(const proto::Credit& credit) override;
  void request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) override;
  void bulk_drained() override;
  proto::Result<net::ConfigReload> reload_config() override;
  void on_bad_batch(const proto::Error& error) override;
  void on_refused(std::uint64_t /*id*/, const proto::Error& /*error*/) override {}

 private:
  void on_sent(const proto::SentEntry& entry) override;
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override;
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery) override;
  void on_topic_batch(const shard::TopicBatch& batch) override;
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) override;
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why) override;
  void on_kicked(const proto::Error& why) override { port_->on_kicked(why); }
  void flush() override { port_->flush(); }
  [[nodiscard]] std::size_t bulk_room() const override { return port_->bulk_room(); }

  void hear_request(std::uint64_t id, const core::Request& request);
  void hear_handle(std::uint64_t id, const core::SettleByHandle& settle);

  Stage& stage_;
  shard::Shard* shard_;
  shard::SessionPort* port_ = nullptr;
  std::optional<proto::SessionId> session_;
};

}  // namespace weir::sim
