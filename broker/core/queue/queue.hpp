#pragma once

#include "broker/core/queue/cold_batches.hpp"
#include "broker/core/queue/message_groups.hpp"
#include "broker/core/queue/touched_batch.hpp"
#include "broker/core/record.hpp"
#include "proto/ids.hpp"
#include "proto/lanes.hpp"
#include "proto/names.hpp"
#include "proto/planted_bugs.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::core {

/// One lane of a queue, mostly its only one (proto/lanes.hpp): a log of batches, a cursor behind
/// which messages were handed out at least once, and what became of those. Changes come from
/// records only; time is in them.
///
/// A touched batch of which nothing is leased or on the way to the dead-letter queue is *idle*: it
/// may be paged out, and is then *cold*: in the store alone, until it is paged in again. Whatever
/// changes a touched batch needs it in memory.
///
/// A FIFO queue keeps the order within groups: what the cursor meets of a group that is not free is
/// set aside, as if it had been given back. When a message goes back, so do those of its group that
/// were handed out behind it.
class Queue {
 public:
  /// The id of the definition is that of the lane.
  explicit Queue(QueueCreated definition)
      : definition_(std::move(definition)), is_fifo_(proto::is_fifo_name(definition_.name)) {
    counters_.next_offset = proto::first_offset(proto::lane_tag(definition_.id));
    counters_.cursor = counters_.purged_before = counters_.next_offset;
  }

  /// Messages that are put off, each row in the store alone. Their offsets lie apart from those of
  /// the log, so that ids stay unique; 48 bits of an id are an offset.
  struct DelayLane {
    static constexpr proto::Offset kFirstOffset = proto::Offset{1} << 47;
    /// Whether a message at that offset of a queue was put off when it was sent.
    [[nodiscard]] static bool holds(proto::Offset offset) {
      return proto::lane_tag(offset) == 0 && offset >= kFirstOffset;
    }
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    proto::Offset next_offset = kFirstOffset;
    friend bool operator==(const DelayLane&, const DelayLane&) = default;
  };
  /// The durable numbers, as the queue's state row holds them.
  struct Counters {
    std::uint32_t generation = 1;  // the same in all lanes of a queue
    proto::Offset next_offset = 0;
    proto::Offset cursor = 0;
    proto::Offset prev_last_offset = -1;
    RunCounts runs;
    std::uint64_t bytes = 0;          // of all batches still stored in the log
    proto::TimeMs cursor_time = 0;    // when the batch at the cursor came, or one before it
    proto::Offset purged_before = 0;  // messages with lower offsets are gone without being settled
    DelayLane lane;
    /// Of a FIFO queue: when the parts began in which it is kept what was sent, oldest first.
    std::vector<proto::TimeMs> deduplication_parts;
    friend bool operator==(const Counters&, const Counters&) = default;
  };

  [[nodiscard]] const QueueCreated& definition() const { return definition_; }
  /// Of the lane.
  [[nodiscard]] proto::QueueId id() const { return definition_.id; }
  /// Its name says it.
  [[nodiscard]] bool is_fifo() const { return is_fifo_; }
  /// Of a FIFO queue; of others nothing is known.
  [[nodiscard]] const MessageGroups& groups() const { return groups_; }
  /// So much is set aside that nothing more may be until groups get on.
  [[nodiscard]] bool is_crowded() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::uint64_t fresh() const {
    return static_cast<std::uint64_t>(counters_.next_offset - counters_.cursor);
  }
  /// Of all states together.
  [[nodiscard]] std::uint64_t messages() const {
    const RunCounts& runs = counters_.runs;
    return fresh() + runs.leased + runs.returned + runs.dying + runs.parked +
           counters_.lane.messages;
  }
  /// Of everything stored.
  [[nodiscard]] std::uint64_t bytes() const { return counters_.bytes + counters_.lane.bytes; }
  /// The batch that holds `base_offset` as its first message, or nullptr if it is not in memory:
  /// then it is cold, was never handed out, or is done.
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
  [[nodiscard]] const ColdBatches& cold() const { return cold_; }
  /// No message that was given back is due before this; kNever when none was.
  [[nodiscard]] proto::TimeMs next_due() const;
  /// What idle batches take in memory.
  [[nodiscard]] std::size_t idle_bytes() const { return idle_bytes_; }
  /// Last offset of the idle batch that is needed last. Never the one that is due and handed out
  /// next, so that a small bound cannot keep a queue from going on.
  [[nodiscard]] std::optional<proto::Offset> page_out_candidate(proto::TimeMs now) const;
  /// When the oldest message came that is not done; 0 when there is none. Exact for messages that
  /// were handed out, but for the moment in which cold ones are looked up; for others exact when
  /// their batch is in memory, and at most as late otherwise.
  [[nodiscard]] proto::TimeMs oldest_append_time() const;
  /// Messages given back with a delay that has not passed at `now`.
  [[nodiscard]] std::uint64_t delayed(proto::TimeMs now) const;
  /// Nothing in the delay lane is due before this; kNever when it is empty.
  [[nodiscard]] proto::TimeMs next_delay_due() const { return next_delay_due_; }

  /// Whose attempts a row of history tells of, and which.
  struct HistoryPlace {
    proto::Offset offset = 0;  // of the first message
    std::uint16_t number = 0;
  };
  /// An attempt that is over, of neighbouring messages: of those of them that are not done.
  struct EndedAttempt {
    HistoryPlace place;
    std::uint32_t messages = 0;
    Holder holder;
    ReturnCause cause = ReturnCause::kReleased;
  };
  /// What a change did beyond the queue itself.
  struct Effects {
    std::vector<std::pair<proto::GrantId, std::uint32_t>> freed;  // live messages that left a lease
    std::uint32_t done = 0;                                       // messages that are gone now
    proto::TimeMs append_time = 0;                                // of those
    bool batch_is_gone = false;                                   // with the last of its messages
    std::vector<EndedAttempt> ended;
    std::vector<HistoryPlace> told_no_more;  // all that it was about is gone, or too old
  };

  void apply(const QueueChanged& record) {
    const proto::QueueId id = definition_.id;
    definition_ = record.definition;
    definition_.id = id;
  }
  /// Messages with lower offsets were there before the last restart; soft.
  [[nodiscard]] proto::Offset known_from() const { return known_from_; }
  /// A new lane begins in the life in which its queue is.
  void begin_in(std::uint32_t generation) { counters_.generation = generation; }
  /// In time that follows what is leased and what is in memory of the rest, not what waits.
  void apply(const QueuePurged& record, Effects& effects);
  void append(const BatchAppended& record);
  /// Returns how many messages that were.
  std::uint32_t apply(const Leased& record);
  void apply(const Acked& record, Effects& effects);
  void apply(const Returned& record, Effects& effects);
  void apply(const Extended& record);
  void apply(const Started& record);
  void apply(const DeadLettered& record, Effects& effects);
  void apply(const Expired& record, Effects& effects);
  void apply(const Passed& record);
  void apply(const Moved& record, Effects& effects);
  void apply(const Unparked& record);
  void apply(const Delayed& record);
  void apply(const DelayEnded& record);
  void apply(const Deduplicated& record);
  void apply(const PagedOut& record);
  void apply(const PagedIn& record);

  /// What is in the delay lane has to be looked up: until then all of it may be due.
  void restore(const Counters& counters) {
    counters_ = counters;
    known_from_ = counters.next_offset;
    next_delay_due_ = counters.lane.messages > 0 && !WEIR_PLANTED(delay_forgotten_at_restart)
                          ? 0
                          : TouchedBatch::kNever;
  }
  void restore(TouchedBatch batch, bool is_cold);

  // What was read of cold batches besides; soft.
  void learn_next_due(proto::TimeMs when) { cold_.learn_next_due(when); }
  void learn_oldest(ColdBatches::Oldest oldest, bool is_cold);
  /// Groups that have not got on since then do not crowd the queue; soft.
  void note_stuck(proto::TimeMs since) { groups_.note_stuck(since); }
  /// What was read of the delay lane; soft.
  void learn_next_delay_due(proto::TimeMs when) { next_delay_due_ = when; }

  /// Row bookkeeping: which batches changed since take_changes(), and which of them are done.
  struct Changes {
    std::set<proto::Offset> touched;   // last offsets, still there
    std::set<proto::Offset> finished;  // last offsets; batch and row go
    std::map<proto::Offset, TouchedBatch> paged_out;
    std::set<std::pair<proto::TimeMs, proto::Offset>> paged_in;  // next due, last offset
  };
  [[nodiscard]] Changes take_changes() { return std::exchange(changes_, {}); }

 private:
  using Batches = std::map<proto::Offset, TouchedBatch>;  // by last offset
  Batches::iterator find(const MessageRange& range);
  template <class Touching>
  Batches::iterator touch(const Touching& record);
  void pass_cursor(const MessageRange& range, proto::TimeMs cursor_time);
  void unindex(const TouchedBatch& batch);
  void index(Batches::iterator it);
  static void tell_attempt(TouchedBatch& batch, const Run& run, ReturnCause cause,
                           Effects& effects);
  static void forget_attempts(TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                              Effects& effects);
  void finish(const MessageRange& range, Effects& effects);
  void end_messages(Batches::iterator it, const MessageRange& range, Effects& effects);
  void settle(Batches::iterator it);
  void insert(TouchedBatch batch);
  void leave_groups(const TouchedBatch& batch, std::uint32_t first, std::uint32_t count);
  void join_groups(const TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                   proto::TimeMs now);
  void give_back(TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                 const Returned& record, Effects& effects);
  void give_back_followers(const Returned& record, Effects& effects);

  QueueCreated definition_;
  bool is_fifo_;
  Counters counters_;
  proto::Offset known_from_ = 0;
  Batches touched_;
  std::set<std::pair<proto::TimeMs, proto::Offset>> returned_;
  std::set<std::pair<proto::TimeMs, proto::Offset>> leases_;
  std::set<proto::Offset> dying_;
  std::set<std::pair<proto::TimeMs, proto::Offset>> idle_;  // next due, last offset
  std::size_t idle_bytes_ = 0;
  ColdBatches cold_;
  MessageGroups groups_;
  proto::TimeMs next_delay_due_ = TouchedBatch::kNever;
  Changes changes_;
};

}  // namespace weir::core
