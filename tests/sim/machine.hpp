#pragma once

#include "broker/core/command.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/world.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::sim {

/// A queue or topic that the seed plays with.
struct Target {
  std::string name;
  bool topic = false;
  std::vector<proto::LogId> logs;
};

/// What all client machines share.
struct Stage {
  World& world;
  BrokerHost& host;
  Oracle& oracle;
  Network& network;
  const Options& options;
  std::vector<Target> targets;
  bool healed = false;  // no more faults; everybody drains
};

/// One client: a connection that comes back after a cut, and requests with their answers.
class Machine : public LinkUser {
 public:
  explicit Machine(Stage& stage) : stage_(stage) {}

  void connect();
  void cut();
  [[nodiscard]] bool is_up() const { return link_ != nullptr; }
  /// One operation of its own choice.
  virtual void step() = 0;

  void hear_sent(const proto::SentEntry&) override {}
  void hear_failed(const proto::SettleFailure&) override {}
  void hear_delivery(std::uint32_t, const core::Delivery&) override {}
  void hear_topic_batch(const shard::TopicBatch&) override {}
  void hear_reply(std::uint64_t id, const proto::Result<core::Reply>& reply) override;
  void hear_cut() override;

 protected:
  virtual void came_up() = 0;
  virtual void went_down() = 0;

  using Heard = std::function<void(const proto::Result<core::Reply>&)>;
  /// Told to the oracle in the moment when the broker hears it.
  using Before = std::function<void(proto::SessionId, std::uint64_t id)>;
  void request(core::Request request, Heard heard, Before before = nullptr,
               std::uint32_t deadline_ms = 0);
  Rng& rng() { return stage_.world.rng(); }
  void count(std::string_view cell) { stage_.world.report().count(cell); }
  [[nodiscard]] std::vector<std::size_t> targets(bool topics) const;

  Stage& stage_;
  std::shared_ptr<Link> link_;

 private:
  std::uint64_t last_request_ = 0;
  bool connecting_ = false;
  std::map<std::uint64_t, Heard> waiting_;
};

/// How many bytes the value of a message has.
inline std::size_t value_bytes(const Options& options, MessageNumber number) {
  return 8 + (number * 7919) % options.max_value_bytes;
}

inline constexpr char kNamespace[] = "default";

}  // namespace weir::sim
