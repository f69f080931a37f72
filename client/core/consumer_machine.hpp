#pragma once

#include "client/core/grant.hpp"
#include "client/core/lease_watch.hpp"
#include "client/core/settle_coalescer.hpp"
#include "client/core/start_policy.hpp"
#include "client/core/time.hpp"
#include "proto/frame/frames.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::sdk {

/// What one consumer of a queue holds: grants that wait to be begun, what the broker is to be told
/// about the others, and the leases of both. One owner, or guarded by one lock.
class ConsumerMachine {
 public:
  /// Leases are extended until a message was held for `max_hold`; zero: never. `is_fifo`: the
  /// queue keeps the order within groups.
  explicit ConsumerMachine(Duration max_hold, bool is_fifo = false)
      : max_hold_(max_hold), settlements_(is_fifo) {}

  void add_grant(std::shared_ptr<Grant> grant, TimePoint now);
  /// Forgets what waits longest until no more than this waits, in messages and in bytes: a broker
  /// hands out nothing beyond the window, so those leases have ended, or it does what it must not.
  void keep_waiting_within(std::size_t messages, std::size_t bytes);

  /// Messages that the application gets next: `count` of `grant` from position `first` on. That
  /// they are begun stands among the settlements by then. `is_suspect`: it was begun before and
  /// nobody said how that ended; this must have left for the broker before the handler runs, so
  /// that a message that kills its consumers uses up its attempts.
  struct Chunk {
    std::shared_ptr<Grant> grant;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    bool is_suspect = false;

    [[nodiscard]] std::uint32_t index_of(std::uint32_t i) const {
      return grant->index_of(first + i);
    }
  };
  /// The next chunk; nullopt when nothing waits. A grant whose lease has ended is passed over: the
  /// broker has taken it back. Suspects are left alone unless the application asks for its next
  /// message at this very moment.
  /// Of what was handed out with groups a chunk has one message of each group at most, and none of
  /// a group of which one is begun and not settled.
  std::optional<Chunk> begin_chunk(TimePoint now, bool takes_suspects);
  void on_handled(std::uint32_t count, Duration spent) { policy_.on_handled(count, spent); }
  [[nodiscard]] std::uint32_t chunk_limit() const { return policy_.chunk(0); }

  /// What the application (or a dropped delivery) says of one message.
  void settle(Grant& grant, std::uint32_t index, const SettleWord& word, SettleCallback callback);
  [[nodiscard]] bool has_settlements() const { return !settlements_.empty(); }
  [[nodiscard]] SettleBatch take_settlements() { return settlements_.take(); }
  /// The broker has answered these, one way or the other.
  void on_answered(const std::vector<proto::SettleRange>& ranges);
  /// These are no longer ours, and nor is what was to follow them in their groups. Costs one look
  /// at what is held, however many they are.
  void on_failed(std::vector<proto::SettleFailure> failures);

  /// Gives back, uncounted, what waits beyond the first `messages`.
  void release_waiting_beyond(std::size_t messages);
  /// Forgets what waits: the broker takes it back by itself.
  void drop_waiting();

  /// Extends the leases that are half over. What was asked for and not answered is not asked for
  /// again: a broker that stands still would find all of it at once when it goes on.
  void tick(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  /// From here on it is known which messages the application holds, and which of their leases have
  /// only so long left.
  void watch_leases(Duration before) { watch_.emplace(before); }
  void stop_watching() { watch_.reset(); }
  [[nodiscard]] bool is_watching() const { return watch_.has_value(); }
  /// Where leases are watched: the application has got this message, and which ones end. After
  /// tick(), which may extend some.
  void watch(Grant& grant, std::uint32_t index, const MessageId& id) {
    watch_->add(grant, index, id);
  }
  [[nodiscard]] std::vector<LeaseEnding> take_ending(TimePoint now) {
    return watch_->take_ending(now);
  }

  [[nodiscard]] std::size_t waiting_messages() const { return waiting_messages_; }

 private:
  void forget_rest(Grant& grant);
  [[nodiscard]] std::uint32_t begin_group_turns(Grant& grant, std::uint32_t& first);
  void end_turn(Grant& grant, std::uint32_t index, bool is_done);
  void drop_waiting_at(Grant& grant, std::uint32_t index);
  void drop_followers(Grant& grant, std::uint32_t index);
  void drop_failed(Grant& grant, std::span<const proto::SettleFailure> failures);
  void release_last(Grant& grant, std::uint32_t count);
  void note_begun(const Grant& grant, std::uint32_t count);
  [[nodiscard]] bool is_held_too_long(const Grant& grant, TimePoint now) const;
  void forget_finished();

  Duration max_hold_;
  StartPolicy policy_;
  SettleCoalescer settlements_;
  std::deque<std::shared_ptr<Grant>> waiting_;
  std::size_t waiting_messages_ = 0;
  /// Of all grants that wait, what is begun of them as well; with groups, of what waits alone.
  std::size_t waiting_bytes_ = 0;
  std::vector<std::weak_ptr<Grant>> held_;  // for their leases
  std::size_t forget_at_ = 64;              // size of held_ that makes a sweep worth it
  TimePoint tick_at_ = TimePoint::max();    // no lease has to be extended earlier
  std::optional<LeaseWatch> watch_;
  /// Groups of which one message is begun and not settled: which one.
  std::unordered_map<std::uint64_t, std::pair<proto::GrantId, std::uint32_t>> turns_;
};

}  // namespace weir::sdk
