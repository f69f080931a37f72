#pragma once

#include "broker/core/queue/attempt_spans.hpp"
#include "proto/ids.hpp"

#include <boost/container/small_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::core {

enum class RunState : std::uint8_t {
  kLeased = 1,    // handed out until `when`
  kReturned = 2,  // may be handed out again from `when` on
  kDying = 3,     // over the limit, waits for its move to the dead-letter queue
  kParked = 4,    // over the limit without a dead-letter queue: kept, never handed out
};

/// Who holds a lease, as history tells it; shared, since one session holds many. nullptr: nobody.
using Holder = std::shared_ptr<const std::string>;
inline constexpr std::size_t kMaxHolderBytes = 256;

/// Neighbouring messages of one batch that share one fate. Messages of the run whose acked bit is
/// set are done, whatever the run says.
struct Run {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  RunState state = RunState::kReturned;
  bool started = false;        // this lease has counted its attempt
  std::uint16_t attempts = 0;  // how often a handler has begun; the most is for that, and more
  std::uint16_t failures = 0;  // how many of those count against max_receive_count
  std::uint16_t losses = 0;    // how many of those ended without a word from the handler
  bool is_poison = false;      // a handler said that nobody can ever handle it
  bool is_expired = false;     // of no use any more, and dying of that
  bool is_unparked = false;    // somebody wants it, however old it is
  proto::GrantId grant;        // the lease that holds them, or the last one that did
  std::uint64_t nonce = 0;     // of that lease
  proto::TimeMs when = 0;
  // Of a lease only.
  proto::TimeMs since = 0;  // when it was handed out; 0: not known
  Holder holder = nullptr;

  [[nodiscard]] std::uint32_t end() const { return first + count; }
  /// Those that are not under way.
  [[nodiscard]] std::uint16_t ended_attempts() const {
    return static_cast<std::uint16_t>(attempts - (started ? 1 : 0));
  }
};
/// One more, as far as the number goes.
inline void count_one(std::uint16_t& counter) {
  counter = static_cast<std::uint16_t>(counter + (counter < UINT16_MAX ? 1 : 0));
}
/// Whether two runs are the same but for the messages that they are of.
[[nodiscard]] bool same_fate(const Run& one, const Run& other);
[[nodiscard]] bool operator==(const Run& one, const Run& other);

/// Live (not acked) messages by state.
struct RunCounts {
  std::uint64_t leased = 0;
  std::uint64_t returned = 0;
  std::uint64_t dying = 0;
  std::uint64_t parked = 0;
  friend bool operator==(const RunCounts&, const RunCounts&) = default;
};

/// What is known of a batch of which at least one message was handed out: which messages are done,
/// and the fate of the others. Messages in no run and not acked were never handed out. Its size
/// follows the number of runs, and of rows of history, not of messages. Sources of change are the
/// records alone.
class TouchedBatch {
 public:
  /// `bytes` is what the batch takes in the store.
  TouchedBatch(proto::Offset base_offset, proto::Offset last_offset, std::uint64_t bytes,
               proto::TimeMs append_time);
  /// From a row: runs sorted, disjoint, inside the batch. False when they are not.
  bool restore(std::vector<std::uint64_t> acked, std::vector<Run> runs);

  [[nodiscard]] proto::Offset base_offset() const { return base_; }
  [[nodiscard]] proto::Offset last_offset() const { return last_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] proto::TimeMs append_time() const { return append_time_; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(last_ - base_ + 1); }
  [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
  [[nodiscard]] const std::vector<std::uint64_t>& acked_words() const { return acked_; }
  /// Of a FIFO queue's batch: the hash of each message's group, in the place of what is done
  /// perhaps another. Else empty.
  [[nodiscard]] const std::vector<std::uint64_t>& groups() const { return groups_; }
  [[nodiscard]] std::uint64_t group_of(std::uint32_t index) const {
    return index < groups_.size() ? groups_[index] : 0;
  }
  void set_groups(std::vector<std::uint64_t> groups) { groups_ = std::move(groups); }
  /// Which rows tell of attempts at its messages. Kept by whoever writes those.
  [[nodiscard]] const AttemptSpans& attempts() const { return attempts_; }
  [[nodiscard]] AttemptSpans& attempts() { return attempts_; }

  [[nodiscard]] bool acked(std::uint32_t index) const {
    return ((acked_[index / 64] >> (index % 64)) & 1U) != 0;
  }
  /// The run that holds the message, or nullptr.
  [[nodiscard]] const Run* run_at(std::uint32_t index) const;
  /// The runs that have messages in [first, end).
  [[nodiscard]] std::span<const Run> runs_meeting(std::uint32_t first, std::uint32_t end) const;
  /// First message at or after `index`, before `end`, that is not acked; `end` if there is none.
  [[nodiscard]] std::uint32_t next_live(std::uint32_t index, std::uint32_t end) const;
  /// Calls `visit` with the index of each message in [first, end) that is not acked.
  template <class Visit>
  void for_each_live(std::uint32_t first, std::uint32_t end, Visit visit) const {
    for (std::uint32_t i = next_live(first, end); i < end; i = next_live(i + 1, end)) {
      visit(i);
    }
  }
  /// End of the stretch of not acked messages that begins at `index`, at most `end`.
  [[nodiscard]] std::uint32_t live_end(std::uint32_t index, std::uint32_t end) const;
  /// How many messages in [first, end) are not acked.
  [[nodiscard]] std::uint32_t live_in(std::uint32_t first, std::uint32_t end) const;
  /// True when every message of the batch is acked: row and batch can go.
  [[nodiscard]] bool done() const { return acked_count_ == size(); }
  [[nodiscard]] const RunCounts& counts() const { return counts_; }
  /// About what it takes in memory, with what its queue notes of it.
  [[nodiscard]] std::size_t memory_bytes() const;
  /// Earliest deadline of a live lease; kNever without one.
  [[nodiscard]] proto::TimeMs next_deadline() const { return next_deadline_; }
  /// Earliest due time of a live returned message; kNever without one.
  [[nodiscard]] proto::TimeMs next_due() const { return next_due_; }

  static constexpr proto::TimeMs kNever = INT64_MAX;

  /// Puts [first, first + count) into a run like `like`, keeping the attempts and failures of each
  /// message. Covers messages that were never handed out, too. Returns how many are not done.
  std::uint32_t lease(std::uint32_t first, std::uint32_t count, const Run& like);
  /// Marks messages done. `freed(grant, n)` is told of live leased ones among them.
  using Freed = std::function<void(proto::GrantId, std::uint32_t)>;
  /// Returns how many were not done before.
  std::uint32_t ack(std::uint32_t first, std::uint32_t count, const Freed& freed);
  /// Calls `change` for each run inside the range, cut at its borders; `change` sees how many of
  /// its messages are live and may alter everything but first and count.
  void update(std::uint32_t first, std::uint32_t count,
              const std::function<void(Run&, std::uint32_t live)>& change);

 private:
  using Runs = boost::container::small_vector<Run, 6>;
  /// Neighbouring runs that are being changed: `runs` takes the place of `size` of them, from `at`.
  struct Window {
    std::size_t at = 0;
    std::size_t size = 0;
    Runs runs;
  };
  [[nodiscard]] bool has_live(std::uint32_t first, std::uint32_t end) const;
  [[nodiscard]] bool go_together(const Run& run, const Run& next) const;
  void merge(std::size_t first, std::size_t pairs);
  Window open_window(std::uint32_t first, std::uint32_t end);
  void close_window(const Window& window);
  std::uint64_t* count_of(RunState state);
  /// Where the earliest time of that state is noted; nullptr where times mean nothing.
  proto::TimeMs* earliest_of(RunState state);
  void note_earliest(std::span<const Run> runs);
  void find_earliest();

  proto::Offset base_;
  proto::Offset last_;
  std::uint64_t bytes_;
  proto::TimeMs append_time_;
  std::vector<std::uint64_t> groups_;
  AttemptSpans attempts_;
  std::vector<std::uint64_t> acked_;
  std::uint32_t acked_count_ = 0;
  std::vector<Run> runs_;  // sorted by first, disjoint, none wholly acked, no equal neighbours
  RunCounts counts_;
  proto::TimeMs next_deadline_ = kNever;
  proto::TimeMs next_due_ = kNever;
};

}  // namespace weir::core
