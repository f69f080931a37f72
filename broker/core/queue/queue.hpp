#pragma once

#include "broker/core/queue/touched_batch.hpp"
#include "broker/core/record.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace weir::core {

/// One standard queue on one lane: a log of batches, a cursor behind which messages were handed out
/// at least once, and what became of those. Changes come from records only; time is in them.
class Queue {
 public:
  explicit Queue(QueueCreated definition) : definition_(std::move(definition)) {}

  /// The durable numbers, as the queue's state row holds them.
  struct Counters {
    std::uint32_t generation = 1;
    proto::Offset next_offset = 0;
    proto::Offset cursor = 0;
    proto::Offset prev_last_offset = -1;
    RunCounts runs;
    std::uint64_t bytes = 0;        // of all batches still stored
    proto::TimeMs cursor_time = 0;  // when the batch at the cursor came, or one before it
    friend bool operator==(const Counters&, const Counters&) = default;
  };

  [[nodiscard]] const QueueCreated& definition() const { return definition_; }
  [[nodiscard]] proto::QueueId id() const { return definition_.id; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::uint64_t fresh() const {
    return static_cast<std::uint64_t>(counters_.next_offset - counters_.cursor);
  }
  /// The batch that holds `base_offset` as its first message, or nullptr if nothing of it is known:
  /// then it was either never handed out or is done.
  [[nodiscard]] const TouchedBatch* touched(proto::Offset base_offset) const;
  [[nodiscard]] const std::map<proto::Offset, TouchedBatch>& touched_batches() const {
    return touched_;
  }
  /// Last offset of the batch whose returned messages are due first, and when; end() without one.
  [[nodiscard]] const std::set<std::pair<proto::TimeMs, proto::Offset>>& returned() const {
    return returned_;
  }
  [[nodiscard]] const std::set<std::pair<proto::TimeMs, proto::Offset>>& leases() const {
    return leases_;
  }
  /// Last offsets of batches with messages on the way to the dead-letter queue.
  [[nodiscard]] const std::set<proto::Offset>& dying() const { return dying_; }
  /// When the oldest message came that is not done; 0 when there is none. Exact while a message of
  /// its batch was handed out or the batch is in memory, otherwise at most as late.
  [[nodiscard]] proto::TimeMs oldest_append_time() const;
  /// Messages given back with a delay that has not passed at `now`.
  [[nodiscard]] std::uint64_t delayed(proto::TimeMs now) const;

  /// What a change did beyond the queue itself.
  struct Effects {
    std::vector<std::pair<proto::GrantId, std::uint32_t>> freed;  // live messages that left a lease
  };

  void append(const BatchAppended& record);
  void apply(const Leased& record);
  void apply(const Acked& record, Effects& effects);
  void apply(const Returned& record, Effects& effects);
  void apply(const Extended& record);
  void apply(const Started& record);
  void apply(const DeadLettered& record, Effects& effects);

  void restore(const Counters& counters) { counters_ = counters; }
  void restore(TouchedBatch batch);

  /// Row bookkeeping: which batches changed since take_changes(), and which of them are done.
  struct Changes {
    std::set<proto::Offset> touched;   // last offsets, still there
    std::set<proto::Offset> finished;  // last offsets; batch and row go
  };
  [[nodiscard]] Changes take_changes() { return std::exchange(changes_, {}); }

 private:
  using Batches = std::map<proto::Offset, TouchedBatch>;  // by last offset
  Batches::iterator find(const MessageRange& range);
  void unindex(const TouchedBatch& batch);
  void index(Batches::iterator it);
  void finish(const MessageRange& range, Effects& effects);
  void settle(Batches::iterator it);

  QueueCreated definition_;
  Counters counters_;
  Batches touched_;
  std::set<std::pair<proto::TimeMs, proto::Offset>> returned_;
  std::set<std::pair<proto::TimeMs, proto::Offset>> leases_;
  std::set<proto::Offset> dying_;
  Changes changes_;
};

}  // namespace weir::core
