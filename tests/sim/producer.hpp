#pragma once

#include "tests/sim/machine.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::sim {

/// Sends batches, at most five unanswered a destination, and sends what was not answered once more,
/// with the same sequence, until it is: after a cut, after a refusal, or just so.
class Producer final : public Machine {
 public:
  using Machine::Machine;
  void step() override;
  /// True when nothing is unanswered any more.
  [[nodiscard]] bool is_idle() const;

  void hear_sent(const proto::SentEntry& entry) override;

 private:
  struct Flight {
    Oracle::Batch batch;
    std::string bytes;              // with room for the broker's header
    std::uint64_t send_number = 0;  // of the newest try
  };
  struct Destination {
    std::int32_t next_sequence = 0;
    std::deque<Flight> flights;
    std::deque<Flight> answered;  // the last ones, to be sent again for nothing
    bool resends = false;         // a resend is planned
  };
  void came_up() override;
  void went_down() override;
  void forget() override;
  void init_producer();
  void send_new();
  void send_plain();
  void send_answered();
  void send_corrupt();
  void transmit(Flight& flight, Op op);
  void resend(proto::LogId log);
  void give_up();
  [[nodiscard]] std::string build(const Oracle::Batch& batch, std::int32_t sequence) const;
  Oracle::Batch new_batch(proto::LogId log, bool idempotent);
  proto::LogId pick_log();
  [[nodiscard]] bool is_topic(proto::LogId log) const;
  [[nodiscard]] bool is_fifo(proto::LogId log) const;

  std::optional<core::ProducerInfo> producer_;
  core::ProducerInfo previous_;
  bool starting_ = false;
  std::map<proto::LogId, Destination> destinations_;
  std::vector<Flight> known_;  // without a sequence, to be sent again: by their ids
  std::uint64_t last_send_ = 0;
  struct Try {
    proto::LogId log;
    MessageNumber first = 0;  // of its batch
    Op op = Op::kSend;
    std::int64_t asked_us = 0;
  };
  std::map<std::uint64_t, Try> sent_;
};

}  // namespace weir::sim
