#pragma once

#include "broker/core/command.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weir::shard {

/// One subscription to a queue. Soft: dies with its session.
struct Consumer {
  proto::SessionId session;
  std::uint32_t alias = 0;
  proto::QueueId queue;
  std::int64_t lease_ms = 0;
  std::uint32_t window_messages = 0;
  std::uint32_t window_bytes = 0;
  /// Delivered and not settled.
  std::uint64_t held_messages = 0;
  std::uint64_t held_bytes = 0;

  struct Held {
    proto::Offset last_offset = 0;  // of the batch
    std::uint32_t live = 0;
    std::uint64_t bytes = 0;
  };
  std::map<proto::GrantId, Held> grants;
  std::uint64_t turn = 0;  // what was handed to it, in shares; see Consumers
  /// Gets nothing more until it holds nothing: it has a message that must be alone, or is to get
  /// one.
  bool is_closed_off = false;

  [[nodiscard]] bool has_room() const {
    return held_messages < window_messages && held_bytes < window_bytes && !is_closed_off;
  }
};

/// One Receive that waits for its first message.
struct Waiter {
  proto::SessionId session;
  std::uint64_t request_id = 0;
  proto::QueueId queue;
  std::uint32_t max_messages = 0;
  std::uint32_t max_bytes = 0;
  std::int64_t lease_ms = 0;
  proto::TimeMs deadline = 0;
};

/// Who waits for what, and how much each one holds.
///
/// A queue's messages are shared out by turns (start-time fair queueing): the next one who gets
/// some is who got least so far, whatever the sizes of the slices. Who had no room, or was not
/// there, has no claim to what the others got meanwhile. Receives that wait count together as so
/// many subscriptions.
class Consumers {
 public:
  using Key = std::pair<proto::SessionId, std::uint32_t>;  // session, alias

  void add(Consumer consumer);
  [[nodiscard]] Consumer* find(Key key);
  /// Takes it out; its grants are the caller's to release.
  std::optional<Consumer> remove(Key key);
  /// Whether a receive waits for messages of the queue or a subscription has room for some.
  [[nodiscard]] bool wants(proto::QueueId queue) const;
  /// The subscription of the queue whose turn it is, of those that have room but for the first
  /// `passed_over`; nullptr without one.
  [[nodiscard]] Consumer* next_ready(proto::QueueId queue, std::uint32_t passed_over = 0);
  /// A message that must be alone waits: one subscription of the queue, this one unless another is
  /// on its way there already, gets nothing more until it holds nothing.
  void make_room_for_lone(Consumer& consumer);
  /// Whether a receive waits, and comes before that subscription of its queue.
  [[nodiscard]] bool is_turn_of_waiters(proto::QueueId queue, const Consumer* other) const;
  /// The first of the receives that wait was given so many messages.
  void note_received(proto::QueueId queue, std::uint32_t messages);
  void hold(Consumer& consumer, proto::GrantId grant, Consumer::Held held);
  /// `count` messages left the grant. Returns the queue whose consumer has more room now.
  std::optional<proto::QueueId> free(proto::GrantId grant, std::uint32_t count);
  [[nodiscard]] std::uint32_t count(proto::QueueId queue) const;
  [[nodiscard]] std::vector<proto::QueueId> queues_of(proto::SessionId session) const;
  struct Held {
    std::uint32_t subscriptions = 0;
    std::uint64_t messages = 0;  // delivered and not settled
  };
  [[nodiscard]] Held held_by(proto::SessionId session) const;
  /// The subscriptions of the queue.
  [[nodiscard]] std::vector<Key> keys_of(proto::QueueId queue) const;

  void add(Waiter waiter) { waiters_[waiter.queue].push_back(waiter); }
  /// The one that waits longest, or nullptr.
  [[nodiscard]] const Waiter* first_waiter(proto::QueueId queue) const;
  void pop_waiter(proto::QueueId queue);
  /// Takes out all who wait for messages of the queue.
  std::vector<Waiter> take_waiters(proto::QueueId queue);
  /// Takes out every waiter whose deadline has passed, except of queues that `is_kept` names: they
  /// may have something for them yet.
  std::vector<Waiter> take_expired(proto::TimeMs now,
                                   const std::function<bool(proto::QueueId)>& is_kept);
  [[nodiscard]] std::optional<proto::TimeMs> next_deadline() const;

  /// Takes out all of a session.
  std::vector<Consumer> remove_session(proto::SessionId session);
  void clear();

 private:
  /// The subscriptions of one queue.
  struct Line {
    std::set<std::pair<std::uint64_t, Key>> by_turn;
    std::uint64_t waiters_turn = 0;
    std::uint64_t now = 0;  // where the last slice began
  };
  static std::uint64_t take_turn(Line& line, std::uint64_t turn, std::uint64_t shares);

  std::map<Key, Consumer> consumers_;
  std::map<proto::QueueId, Line> by_queue_;
  std::map<proto::GrantId, Key> by_grant_;
  std::map<proto::QueueId, std::deque<Waiter>> waiters_;
};

}  // namespace weir::shard
