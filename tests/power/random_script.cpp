#include "tests/power/scenarios.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace weir::power {
namespace {

using proto::SettleKind;

// Options that make each part of the machinery work often in a short life, or not at all.
LifeOptions drawn_options(sim::Rng& rng) {
  LifeOptions options;
  options.write_buffer_bytes = std::size_t{256} << (10 + rng.below(4));
  options.max_wal_bytes = std::uint64_t{64} << (10 + rng.below(8));
  options.idle_batch_bytes = rng.per_mille(400) ? 300 : std::size_t{16} << 20;
  options.ballast_bytes = rng.per_mille(200) ? std::uint64_t{16} << 10 : 0;
  options.mark_delay = std::chrono::milliseconds(rng.per_mille(500) ? 0 : 5);
  return options;
}

class RandomPlay {
 public:
  explicit RandomPlay(Script& script) : script_(script), rng_(script.rng()) {}

  void run() {
    script_.start(drawn_options(rng_));
    make_destinations();
    const std::int64_t lives = rng_.between(1, 4);
    for (std::int64_t life = 0; life < lives; ++life) {
      const std::int64_t steps = rng_.between(5, 40);
      for (std::int64_t i = 0; i < steps; ++i) {
        step();
      }
      if (life + 1 < lives) {
        begin_another();
      }
    }
    if (rng_.per_mille(300)) {
      script_.stop();
    }
  }

 private:
  void make_destinations() {
    script_.queue("dlq");
    const std::int64_t queues = rng_.between(1, 3);
    for (std::int64_t i = 0; i < queues; ++i) {
      core::QueueSettings settings;
      settings.lease_ms = rng_.per_mille(500) ? 0 : rng_.between(500, 5'000);
      settings.max_receive_count = static_cast<std::uint32_t>(rng_.between(1, 5));
      settings.dead_letter_queue = rng_.per_mille(600) ? "dlq" : "";
      settings.dead_letter_expired = rng_.per_mille(500) ? 1 : 0;
      queues_.push_back(script_.queue("q" + std::to_string(i), settings));
    }
    if (rng_.per_mille(400)) {
      script_.queue("dlq.fifo");
      fifo_ = script_.queue("q.fifo", {.lease_ms = rng_.between(500, 5'000),
                                       .max_receive_count = rng_.between(1, 5),
                                       .dead_letter_queue = rng_.per_mille(600) ? "dlq.fifo" : ""});
      others_ = {*fifo_, {.name = "dlq.fifo"}};
    }
    others_.push_back({.name = "dlq"});
    if (rng_.per_mille(700)) {
      topic_ = script_.topic("t", static_cast<std::uint32_t>(rng_.between(1, 3)));
    }
  }

  void step() {
    const std::uint64_t dice = rng_.below(1000);
    if (dice < 380) {
      send();
    } else if (dice < 560) {
      receive();
    } else if (dice < 760) {
      settle();
    } else if (dice < 860) {
      script_.wait();
    } else if (dice < 930) {
      script_.advance(rng_.skewed(8'000));
    } else if (dice < 945 && !topic_.empty()) {
      script_.read(topic_.front());
    } else if (dice < 965) {
      script_.subscribe(any_queue(), static_cast<std::uint32_t>(rng_.between(1, 20)));
    } else if (dice < 980) {
      const auto family = rng_.per_mille(500) ? storage::Family::kLog : storage::Family::kState;
      static_cast<void>(script_.life().store().reclaim(family, "", ""));
    } else {
      static_cast<void>(script_.life().store().empty_log());
    }
  }

  void send() {
    const auto messages = static_cast<std::uint32_t>(1 + rng_.skewed(8));
    const auto most = rng_.per_mille(200) ? 30'000 : 300;
    const auto bytes = static_cast<std::size_t>(8 + rng_.skewed(most));
    if (!topic_.empty() && rng_.per_mille(300)) {
      script_.send(rng_.pick(topic_), messages, bytes);
    } else if (fifo_ && rng_.per_mille(400)) {
      script_.send(*fifo_, messages, bytes,
                   {.ttl_ms = rng_.per_mille(150) ? 1 + rng_.skewed(20'000) : 0,
                    .groups = kFifoGroups,
                    .has_deduplication_id = rng_.per_mille(500)});
    } else {
      script_.send(rng_.pick(queues_), messages, bytes, some_extras());
    }
  }

  Extras some_extras() {
    Extras extras;
    extras.delay_ms = rng_.per_mille(150) ? 1 + rng_.skewed(20'000) : 0;
    extras.ttl_ms = rng_.per_mille(150) ? 1 + rng_.skewed(20'000) : 0;
    extras.groups = rng_.per_mille(150) ? 1 + static_cast<std::uint32_t>(rng_.below(5)) : 0;
    extras.priority = rng_.per_mille(150) ? static_cast<std::int32_t>(rng_.below(10)) : -1;
    return extras;
  }

  const Script::Target& any_queue() {
    const std::size_t chosen = rng_.below(queues_.size() + others_.size());
    return chosen < queues_.size() ? queues_[chosen] : others_[chosen - queues_.size()];
  }

  void receive() {
    const std::int64_t lease_ms = rng_.per_mille(500) ? 0 : rng_.between(100, 60'000);
    script_.receive(any_queue(), static_cast<std::uint32_t>(rng_.between(1, 10)), lease_ms);
  }

  void settle() {
    const std::uint64_t dice = rng_.below(1000);
    const SettleKind kind = dice < 500   ? SettleKind::kAck
                            : dice < 620 ? SettleKind::kNack
                            : dice < 660 ? SettleKind::kTransient
                            : dice < 690 ? SettleKind::kNotNow
                            : dice < 700 ? SettleKind::kPoison
                            : dice < 780 ? SettleKind::kRelease
                            : dice < 900 ? SettleKind::kExtend
                                         : SettleKind::kStarted;
    std::uint32_t value_ms = 0;
    if (kind == SettleKind::kNack || kind == SettleKind::kTransient ||
        kind == SettleKind::kNotNow || kind == SettleKind::kExtend) {
      value_ms = static_cast<std::uint32_t>(rng_.skewed(60'000));
    }
    if (rng_.per_mille(200)) {
      script_.settle_by_handle(kind, value_ms);
    } else {
      script_.settle(kind, static_cast<std::size_t>(rng_.between(1, 8)), value_ms);
    }
  }

  void begin_another() {
    const std::uint64_t dice = rng_.below(1000);
    if (dice < 250) {
      script_.stop();
    } else if (dice < 500) {
      script_.kill();
    } else {
      script_.lose_power(static_cast<Loss>(rng_.below(kLosses)));
    }
    script_.start(drawn_options(rng_));
    script_.send_again();
  }

  Script& script_;
  sim::Rng& rng_;
  std::vector<Script::Target> queues_;
  std::optional<Script::Target> fifo_;
  std::vector<Script::Target> others_;  // that take no message from a sender, or only in groups
  std::vector<Script::Target> topic_;
};

}  // namespace

void play_at_random(Script& script) {
  RandomPlay(script).run();
}

}  // namespace weir::power
