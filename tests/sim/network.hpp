#pragma once

#include "broker/shard/session_port.hpp"
#include "tests/sim/broker_host.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/world.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>

namespace weir::sim {

/// What a client hears over its connection, late and in order.
class LinkUser {
 public:
  virtual ~LinkUser() = default;
  virtual void hear_sent(const proto::SentEntry& entry) = 0;
  virtual void hear_failed(const proto::SettleFailure& failure) = 0;
  /// Everything up to this settlement is settled, but for the failures that were heard before.
  virtual void hear_settled(std::uint64_t up_to) = 0;
  virtual void hear_delivery(std::uint32_t alias, const core::Delivery& delivery) = 0;
  virtual void hear_topic_batch(const shard::TopicBatch& batch) = 0;
  virtual void hear_reply(std::uint64_t id, const proto::Result<core::Reply>& reply) = 0;
  /// The connection is gone; what was not answered has an unknown outcome.
  virtual void hear_cut() = 0;
};

/// One connection: a session at the broker, and two queues of frames under way that keep their
/// order and die with it. The broker may hear of a cut much later than the client, and the other
/// way round.
class Link final : public shard::SessionPort {
 public:
  Link(World& world, BrokerHost& host, Oracle& oracle, LinkUser& user, std::int64_t delay_us,
       std::size_t bulk_room);

  /// Runs `input` at the broker after the way there; `soon`: without one, where nothing else is
  /// under way.
  using Input = std::function<void(shard::Shard&, proto::SessionId)>;
  void up(Input input, bool soon = false);
  /// Where the broker answers for itself that it is gone.
  void broker_gone();
  /// The client's end is gone.
  void close_at_client();
  /// The broker's end is gone.
  void close_at_broker();
  [[nodiscard]] bool client_open() const { return user_ != nullptr; }
  [[nodiscard]] bool broker_open() const { return shard_ != nullptr; }
  void hold_self(std::weak_ptr<Link> self) { self_ = std::move(self); }

  void on_sent(const proto::SentEntry& entry) override;
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override;
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery) override;
  void on_topic_batch(const shard::TopicBatch& batch) override;
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) override;
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why) override;
  void on_kicked(const proto::Error& why) override;
  void flush() override {}
  [[nodiscard]] std::size_t bulk_room() const override {
    return bulk_room_ > under_way_ ? bulk_room_ - under_way_ : 0;
  }

 private:
  void down(std::function<void(LinkUser&)> frame);
  void bulk(std::size_t bytes, std::function<void(LinkUser&)> frame);
  std::int64_t delay_until(std::int64_t& last);

  World& world_;
  BrokerHost& host_;
  Oracle& oracle_;
  LinkUser* user_;
  shard::Shard* shard_;
  proto::SessionId session_;
  const std::int64_t delay_us_;
  const std::size_t bulk_room_;
  std::size_t under_way_ = 0;
  std::int64_t last_up_ = 0;
  std::int64_t last_down_ = 0;
  std::weak_ptr<Link> self_;
};

/// All connections.
class Network {
 public:
  Network(World& world, BrokerHost& host, Oracle& oracle, const Options& options)
      : world_(world), host_(host), oracle_(oracle), options_(options) {}

  /// nullptr while the broker is down, or stands still.
  std::shared_ptr<Link> connect(LinkUser& user);
  /// Both ends hear of it at once, or one of them later than the other.
  void cut(std::shared_ptr<Link> link);
  /// The client leaves, and the broker hears of it.
  void leave(std::shared_ptr<Link> link);
  /// The broker's process or state is gone, and with it every session.
  void broker_gone();

 private:
  World& world_;
  BrokerHost& host_;
  Oracle& oracle_;
  const Options& options_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::weak_ptr<Link>> links_;
  std::map<const Link*, std::shared_ptr<Link>> closing_;  // cut, and the broker does not know yet
};

}  // namespace weir::sim
