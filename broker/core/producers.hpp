#pragma once

#include "broker/core/record.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weir::core {

/// A batch that a producer sent to one log and that is stored.
struct SentBatch {
  std::int32_t base_sequence = 0;
  std::uint32_t count = 0;
  proto::Offset base_offset = 0;
  proto::TimeMs append_time = 0;
  std::vector<SentPart> parts = {};
  friend bool operator==(const SentBatch&, const SentBatch&) = default;
};

/// What is remembered of one producer in one log: the batches of its current epoch, at most
/// proto::kMaxUnconfirmedBatches, oldest first.
struct ProducerWindow {
  std::uint16_t epoch = 0;
  std::deque<SentBatch> batches;
};

/// Sequence number that follows a batch; it wraps from 2^31 - 1 to 0 as Kafka's does.
std::int32_t next_sequence(std::int32_t base_sequence, std::uint32_t count);

/// Duplicate detection for idempotent producers, by Kafka's rules: id, epoch, sequence.
class Producers {
 public:
  struct Producer {
    std::uint16_t epoch = 0;
    proto::TimeMs used_time = 0;
    std::map<proto::LogId, ProducerWindow> windows;
  };

  /// nullopt: new, append it. A value: it is stored already, there. PRODUCER_FENCED: an unknown
  /// producer or an old epoch. OUT_OF_ORDER_SEQUENCE: a batch before it is missing, or it is older
  /// than what is remembered.
  [[nodiscard]] proto::Result<std::optional<SentBatch>> check(proto::LogId log, std::int64_t id,
                                                              std::int16_t epoch,
                                                              std::int32_t base_sequence,
                                                              std::uint32_t count) const;
  [[nodiscard]] const Producer* find(proto::ProducerId id) const;
  /// The producer that was used longest ago.
  [[nodiscard]] std::optional<std::pair<proto::TimeMs, proto::ProducerId>> oldest() const;
  [[nodiscard]] std::size_t size() const { return producers_.size(); }

  void apply(const ProducerStarted& record);
  /// Forgets it; returns the logs that it had windows in.
  std::vector<proto::LogId> apply(const ProducerForgotten& record);
  void append(const BatchAppended& record);
  void apply(const SequenceTaken& record);
  /// The log is gone: nothing is remembered of it. Returns the producers that had a window there.
  std::vector<proto::ProducerId> forget(proto::LogId log);
  void restore(proto::ProducerId id, Producer producer);

 private:
  void leave(proto::LogId log, proto::ProducerId producer);
  void touch(proto::ProducerId id, Producer& producer, proto::TimeMs time);

  std::map<proto::ProducerId, Producer> producers_;
  std::map<proto::LogId, std::set<proto::ProducerId>> by_log_;  // who has a window there
  std::set<std::pair<proto::TimeMs, proto::ProducerId>> by_use_;
};

}  // namespace weir::core
