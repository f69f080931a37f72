#include "broker/shard/consumers.hpp"

#include "proto/assert.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>

namespace weir::shard {
namespace {

/// Of one message, so that a part of one counts as well.
constexpr std::uint64_t kShares = std::uint64_t{1} << 16;

}  // namespace

void Consumers::add(Consumer consumer) {
  const Key key{consumer.session, consumer.alias};
  WEIR_ASSERT(!consumers_.contains(key), "a session gives each subscription an alias of its own");
  Line& line = by_queue_[consumer.queue];
  consumer.turn = line.now;
  line.by_turn.emplace(consumer.turn, key);
  consumers_.insert_or_assign(key, std::move(consumer));
}

Consumer* Consumers::find(Key key) {
  const auto it = consumers_.find(key);
  return it != consumers_.end() ? &it->second : nullptr;
}

std::optional<Consumer> Consumers::remove(Key key) {
  const auto it = consumers_.find(key);
  if (it == consumers_.end()) {
    return std::nullopt;
  }
  Consumer consumer = std::move(it->second);
  consumers_.erase(it);
  const auto line = by_queue_.find(consumer.queue);
  line->second.by_turn.erase({consumer.turn, key});
  if (line->second.by_turn.empty()) {
    by_queue_.erase(line);
  }
  for (const auto& [grant, held] : consumer.grants) {
    by_grant_.erase(grant);
  }
  return consumer;
}

bool Consumers::wants(proto::QueueId queue) const {
  if (waiters_.contains(queue)) {
    return true;
  }
  const auto line = by_queue_.find(queue);
  return line != by_queue_.end() &&
         std::ranges::any_of(line->second.by_turn, [this](const auto& entry) {
           return consumers_.at(entry.second).has_room();
         });
}

Consumer* Consumers::next_ready(proto::QueueId queue, std::uint32_t passed_over) {
  const auto line = by_queue_.find(queue);
  if (line == by_queue_.end()) {
    return nullptr;
  }
  for (const auto& [turn, key] : line->second.by_turn) {
    Consumer& consumer = consumers_.at(key);
    if (consumer.has_room() && passed_over-- == 0) {
      return &consumer;
    }
  }
  return nullptr;
}

void Consumers::make_room_for_lone(Consumer& consumer) {
  const Line& line = by_queue_.at(consumer.queue);
  consumer.is_closed_off =
      consumer.held_messages > 0 && std::ranges::none_of(line.by_turn, [this](const auto& entry) {
        return consumers_.at(entry.second).is_closed_off;
      });
}

bool Consumers::is_turn_of_waiters(proto::QueueId queue, const Consumer* other) const {
  if (!waiters_.contains(queue) || other == nullptr) {
    return waiters_.contains(queue);
  }
  const Line& line = by_queue_.at(queue);
  return std::max(line.waiters_turn, line.now) <= std::max(other->turn, line.now);
}

void Consumers::note_received(proto::QueueId queue, std::uint32_t messages) {
  if (const auto line = by_queue_.find(queue); line != by_queue_.end()) {
    const std::uint64_t shares = messages * kShares / waiters_.at(queue).size();
    line->second.waiters_turn = take_turn(line->second, line->second.waiters_turn, shares);
  }
}

/// Begins where everybody is now at the earliest; gives the turn after it.
std::uint64_t Consumers::take_turn(Line& line, std::uint64_t turn, std::uint64_t shares) {
  line.now = std::max(line.now, turn);
  return line.now + shares;
}

void Consumers::hold(Consumer& consumer, proto::GrantId grant, Consumer::Held held) {
  const Key key{consumer.session, consumer.alias};
  Line& line = by_queue_.at(consumer.queue);
  line.by_turn.erase({consumer.turn, key});
  consumer.turn = take_turn(line, consumer.turn, held.live * kShares);
  line.by_turn.emplace(consumer.turn, key);
  consumer.held_messages += held.live;
  consumer.held_bytes += held.bytes;
  consumer.grants.emplace(grant, held);
  by_grant_.emplace(grant, key);
}

std::optional<proto::QueueId> Consumers::free(proto::GrantId grant, std::uint32_t count) {
  const auto by = by_grant_.find(grant);
  if (by == by_grant_.end()) {
    return std::nullopt;
  }
  Consumer& consumer = consumers_.at(by->second);
  const auto it = consumer.grants.find(grant);
  Consumer::Held& held = it->second;
  const std::uint32_t freed = std::min(count, held.live);
  // Sizes of single messages are not kept: each takes its share of what is left.
  const std::uint64_t bytes = freed == held.live ? held.bytes : held.bytes * freed / held.live;
  held.live -= freed;
  held.bytes -= bytes;
  consumer.held_messages -= WEIR_PLANTED(leak_consumer_credit) && held.live > 0 ? 0 : freed;
  consumer.held_bytes -= bytes;
  consumer.is_closed_off = consumer.is_closed_off && consumer.held_messages > 0;
  const proto::QueueId queue = consumer.queue;
  if (held.live == 0) {
    consumer.grants.erase(it);
    by_grant_.erase(by);
  }
  return queue;
}

std::uint32_t Consumers::count(proto::QueueId queue) const {
  const auto line = by_queue_.find(queue);
  return line != by_queue_.end() ? static_cast<std::uint32_t>(line->second.by_turn.size()) : 0;
}

std::vector<proto::QueueId> Consumers::queues_of(proto::SessionId session) const {
  std::vector<proto::QueueId> queues;
  for (auto it = consumers_.lower_bound(Key{session, 0});
       it != consumers_.end() && it->first.first == session; ++it) {
    queues.push_back(it->second.queue);
  }
  return queues;
}

Consumers::Held Consumers::held_by(proto::SessionId session) const {
  Held held;
  for (auto it = consumers_.lower_bound(Key{session, 0});
       it != consumers_.end() && it->first.first == session; ++it) {
    ++held.subscriptions;
    held.messages += it->second.held_messages;
  }
  return held;
}

std::vector<Consumers::Key> Consumers::keys_of(proto::QueueId queue) const {
  std::vector<Key> keys;
  if (const auto line = by_queue_.find(queue); line != by_queue_.end()) {
    for (const auto& [turn, key] : line->second.by_turn) {
      keys.push_back(key);
    }
  }
  return keys;
}

std::vector<Waiter> Consumers::take_waiters(proto::QueueId queue) {
  const auto line = waiters_.find(queue);
  if (line == waiters_.end()) {
    return {};
  }
  std::vector<Waiter> waiters(line->second.begin(), line->second.end());
  waiters_.erase(line);
  return waiters;
}

const Waiter* Consumers::first_waiter(proto::QueueId queue) const {
  const auto line = waiters_.find(queue);
  return line != waiters_.end() ? &line->second.front() : nullptr;
}

void Consumers::pop_waiter(proto::QueueId queue) {
  const auto line = waiters_.find(queue);
  line->second.pop_front();
  if (line->second.empty()) {
    waiters_.erase(line);
  }
}

std::vector<Waiter> Consumers::take_expired(proto::TimeMs now,
                                            const std::function<bool(proto::QueueId)>& is_kept) {
  std::vector<Waiter> expired;
  for (auto line = waiters_.begin(); line != waiters_.end();) {
    std::erase_if(line->second, [&](const Waiter& waiter) {
      if (waiter.deadline > now || is_kept(waiter.queue)) {
        return false;
      }
      expired.push_back(waiter);
      return true;
    });
    line = line->second.empty() ? waiters_.erase(line) : std::next(line);
  }
  return expired;
}

std::optional<proto::TimeMs> Consumers::next_deadline() const {
  std::optional<proto::TimeMs> next;
  for (const auto& [queue, line] : waiters_) {
    for (const Waiter& waiter : line) {
      next = next ? std::min(*next, waiter.deadline) : waiter.deadline;
    }
  }
  return next;
}

std::vector<Consumer> Consumers::remove_session(proto::SessionId session) {
  std::vector<Consumer> removed;
  for (auto it = consumers_.lower_bound(Key{session, 0});
       it != consumers_.end() && it->first.first == session;
       it = consumers_.lower_bound(Key{session, 0})) {
    removed.push_back(*remove(it->first));
  }
  for (auto line = waiters_.begin(); line != waiters_.end();) {
    std::erase_if(line->second,
                  [session](const Waiter& waiter) { return waiter.session == session; });
    line = line->second.empty() ? waiters_.erase(line) : std::next(line);
  }
  return removed;
}

void Consumers::clear() {
  consumers_.clear();
  by_queue_.clear();
  by_grant_.clear();
  waiters_.clear();
}

}  // namespace weir::shard
