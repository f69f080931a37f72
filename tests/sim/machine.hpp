#pragma once

#include "broker/core/command.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// A queue or topic that the seed plays with.
struct Target {
  std::string name;
  bool topic = false;
  std::vector<proto::LogId> logs;
  [[nodiscard]] bool is_fifo() const { return !topic && proto::is_fifo_name(name); }
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
  explicit Machine(Stage& stage)
      : stage_(stage),
        skew_ms_(stage.world.rng().between(-stage.options.skew_ms, stage.options.skew_ms)) {}

  void connect();
  void cut();
  /// What the broker said has become untrue: the client forgets it and begins anew.
  void begin_anew();
  [[nodiscard]] bool is_up() const { return link_ != nullptr; }
  /// One operation of its own choice.
  virtual void step() = 0;

  void hear_sent(const proto::SentEntry&) override {}
  void hear_failed(const proto::SettleFailure&) override {}
  void hear_settled(std::uint64_t) override {}
  void hear_delivery(std::uint32_t, const core::Delivery&) override {}
  void hear_topic_batch(const shard::TopicBatch&) override {}
  void hear_reply(std::uint64_t id, const proto::Result<core::Reply>& reply) override;
  void hear_cut() override;

 protected:
  virtual void came_up() = 0;
  virtual void went_down() = 0;
  /// Part of begin_anew(): what the client knows of the broker. Its connection is gone.
  virtual void forget() {}

  using Heard = std::function<void(const proto::Result<core::Reply>&)>;
  /// Told to the oracle in the moment when the broker hears it.
  using Before = std::function<void(proto::SessionId, std::uint64_t id)>;
  /// Counted as the operation that the request is, unless `op` says another one.
  void request(core::Request request, Heard heard, Before before = nullptr,
               std::uint32_t deadline_ms = 0, std::optional<Op> op = std::nullopt);
  Rng& rng() { return stage_.world.rng(); }
  void count(std::string_view mark) { stage_.world.report().count(mark); }
  /// An operation that was asked then has ended for the client.
  void ended(Op op, Outcome outcome, std::int64_t asked_us) {
    stage_.world.ended(op, outcome, asked_us);
  }
  [[nodiscard]] std::int64_t now_us() const { return stage_.world.now_us(); }
  /// The client's own clock, which is off.
  [[nodiscard]] proto::TimeMs clock_ms() const { return stage_.host.wall_ms() + skew_ms_; }
  [[nodiscard]] std::vector<std::size_t> targets(bool topics) const;

  Stage& stage_;
  std::shared_ptr<Link> link_;

 private:
  std::uint64_t last_request_ = 0;
  bool connecting_ = false;
  struct Waiting {
    Heard heard;
    std::optional<Op> op;  // none: of a kind that is not counted
    std::int64_t asked_us = 0;
  };
  std::map<std::uint64_t, Waiting> waiting_;
  const std::int64_t skew_ms_;
};

/// How many bytes the value of a message has.
inline std::size_t value_bytes(const Options& options, MessageNumber number) {
  return 8 + (number * 7919) % options.max_value_bytes;
}

/// Three of them, the default one too.
inline std::uint8_t some_priority(Rng& rng) {
  constexpr std::array<std::uint8_t, 3> kSome = {0, proto::kDefaultPriority, 9};
  return kSome[rng.below(kSome.size())];
}

/// For how long a message is put off: mostly not long beside what else takes time.
inline std::int64_t some_delay_ms(Rng& rng, const Options& options) {
  return rng.per_mille(100) ? 0 : 1 + rng.skewed(options.max_delay_ms);
}

/// Until when a message is of use, by a clock that may be off.
inline proto::RecordLife some_life(Rng& rng, const Options& options, proto::TimeMs now) {
  proto::RecordLife life;
  if (rng.per_mille(500)) {
    life.ttl_ms = 1 + rng.skewed(options.max_ttl_ms);
  }
  if (rng.per_mille(300)) {
    life.deadline = std::max<proto::TimeMs>(0, now + rng.skewed(options.max_ttl_ms));
  }
  return life;
}

/// A lease within which whatever came is answered, once nothing befalls the run any more.
inline constexpr std::int64_t kPatientLeaseMs = 10'000;

inline constexpr char kNamespace[] = "default";

}  // namespace weir::sim
