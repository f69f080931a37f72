#include "client/core/consumer_machine.hpp"

#include "proto/error.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace weir::sdk {
namespace {

// Each tick looks at all grants, so one that is nearly due goes with those that are: however many
// are held, and however their leases lie, eight ticks in half a lease see to them all.
bool is_due(const Grant& grant, TimePoint now) {
  return now >= grant.extend_at() - Duration(grant.lease()) / 16;
}

}  // namespace

/// Its lease is not extended any more: what begins now may end when it is nobody's.
bool ConsumerMachine::is_held_too_long(const Grant& grant, TimePoint now) const {
  return max_hold_ > Duration{0} && grant.lease_until != TimePoint::max() &&
         now >= std::max(grant.extend_at(), grant.hold_until);
}

void ConsumerMachine::add_grant(std::shared_ptr<Grant> grant, TimePoint now) {
  // A lease of 0 is none that this side could keep an eye on.
  grant->lease_until =
      grant->lease().count() == 0 ? TimePoint::max() : now + Duration(grant->lease());
  grant->hold_until = now + max_hold_;
  waiting_messages_ += grant->count();
  waiting_bytes_ += grant->bytes();
  if (max_hold_ > Duration{0} && grant->lease_until != TimePoint::max()) {
    if (held_.size() >= forget_at_) {
      forget_finished();
    }
    held_.push_back(grant);
    tick_at_ = std::min(tick_at_, grant->extend_at());
  }
  waiting_.push_back(std::move(grant));
}

void ConsumerMachine::keep_waiting_within(std::size_t messages, std::size_t bytes) {
  while (waiting_messages_ > messages || waiting_bytes_ > bytes) {
    forget_rest(*waiting_.front());
    waiting_.pop_front();
  }
}

void ConsumerMachine::forget_finished() {
  std::erase_if(held_, [](const std::weak_ptr<Grant>& held) {
    const std::shared_ptr<Grant> grant = held.lock();
    return grant == nullptr || grant->all_settled();
  });
  forget_at_ = std::max<std::size_t>(64, 2 * held_.size());
}

// What has not begun is no concern of ours any more.
void ConsumerMachine::forget_rest(Grant& grant) {
  if (grant.has_groups()) {
    for (std::uint32_t i = grant.first_that_may_wait(); grant.waiting() > 0; ++i) {
      drop_waiting_at(grant, i);
    }
    return;
  }
  waiting_messages_ -= grant.waiting();
  waiting_bytes_ -= grant.bytes();
  grant.mark_settled_at(grant.first_waiting(), grant.waiting());
}

/// With groups: what waits there, if it does, is no more to be done here.
void ConsumerMachine::drop_waiting_at(Grant& grant, std::uint32_t index) {
  if (grant.is_waiting(index)) {
    --waiting_messages_;
    waiting_bytes_ -= grant.bytes_of(index);
    grant.begin_one(index);
    grant.mark_settled(index, 1);
  }
}

/// The same of all that wait behind that message and are of its group.
void ConsumerMachine::drop_followers(Grant& grant, std::uint32_t index) {
  const std::uint32_t end = grant.first_index() + grant.count();
  for (std::uint32_t i = std::max(index + 1, grant.first_that_may_wait());
       i < end && grant.waiting() > 0; ++i) {
    if (grant.group_of(i) == grant.group_of(index)) {
      drop_waiting_at(grant, i);
    }
  }
}

/// Of a grant's waiting messages so many have gone, which has no groups: the bytes are all counted
/// until the last has.
void ConsumerMachine::note_begun(const Grant& grant, std::uint32_t count) {
  waiting_messages_ -= count;
  if (grant.waiting() == 0 && count > 0) {
    waiting_bytes_ -= grant.bytes();
  }
}

/// Begins neighbouring messages whose turn it is in their groups, from the first such on: how many.
std::uint32_t ConsumerMachine::begin_group_turns(Grant& grant, std::uint32_t& first) {
  const std::uint32_t end = grant.first_index() + grant.count();
  const auto is_its_turn = [&](std::uint32_t index) {
    return grant.is_waiting(index) && !turns_.contains(grant.group_of(index));
  };
  first = grant.first_that_may_wait();
  while (first < end && !is_its_turn(first)) {
    ++first;
  }
  const std::uint32_t limit = policy_.chunk(grant.losses());
  std::uint32_t count = 0;
  while (count < limit && first + count < end && is_its_turn(first + count)) {
    turns_.insert_or_assign(grant.group_of(first + count), std::pair(grant.id(), first + count));
    --waiting_messages_;
    waiting_bytes_ -= grant.bytes_of(first + count);
    grant.begin_one(first + count);
    ++count;
  }
  return count;
}

/// A message whose turn it was in its group is settled, or lost; where it is not done nothing here
/// may follow it.
void ConsumerMachine::end_turn(Grant& grant, std::uint32_t index, bool is_done) {
  const auto turn = turns_.find(grant.group_of(index));
  if (turn != turns_.end() && turn->second == std::pair(grant.id(), index)) {
    turns_.erase(turn);
  }
  if (!is_done) {
    drop_followers(grant, index);
  }
}

std::optional<ConsumerMachine::Chunk> ConsumerMachine::begin_chunk(TimePoint now,
                                                                   bool takes_suspects) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Grant& grant = **at;
    if (grant.lease_until <= now || grant.waiting() == 0) {
      forget_rest(grant);
      at = waiting_.erase(at);
      continue;
    }
    if (grant.losses() > 0 && !takes_suspects) {
      break;
    }
    if (grant.has_groups() && is_held_too_long(grant, now)) {
      release_last(grant, grant.waiting());  // another consumer has more time for them
      at = waiting_.erase(at);
      continue;
    }
    if (grant.has_groups()) {
      std::uint32_t first = 0;
      Chunk chunk;
      chunk.grant = *at;
      chunk.count = begin_group_turns(grant, first);
      chunk.first = first - grant.first_index();
      chunk.is_suspect = grant.losses() > 0;
      if (chunk.count == 0) {
        ++at;
        continue;
      }
      settlements_.add(grant.started(chunk.first, chunk.count));
      return chunk;
    }
    Chunk chunk;
    chunk.grant = *at;
    chunk.first = grant.first_waiting();
    chunk.count = std::min(policy_.chunk(grant.losses()), grant.waiting());
    chunk.is_suspect = grant.losses() > 0;
    settlements_.add(grant.started(chunk.first, chunk.count));
    grant.begin(chunk.count);
    note_begun(grant, chunk.count);
    if (grant.waiting() == 0) {
      waiting_.erase(at);
    }
    return chunk;
  }
  return std::nullopt;
}

void ConsumerMachine::settle(Grant& grant, std::uint32_t index, const SettleWord& word,
                             SettleCallback callback) {
  settlements_.add(grant.range(word.kind, index, 1, word.value), word.reason);
  if (word.kind != proto::SettleKind::kExtend) {
    grant.mark_settled(index, 1);
    if (grant.has_groups()) {
      end_turn(grant, index, word.kind == proto::SettleKind::kAck);
    }
  } else if (word.value == 0 && grant.has_groups()) {
    drop_followers(grant, index);  // a lease of nothing gives it back
  }
  if (watch_ && word.kind == proto::SettleKind::kExtend) {
    watch_->extend(grant, index, std::chrono::milliseconds(word.value));
  } else if (watch_) {
    watch_->remove(grant.id(), index);
  }
  if (callback) {
    settlements_.add_waiter(SettleWaiter(grant.id(), index, std::move(callback)));
  }
}

void ConsumerMachine::on_answered(const std::vector<proto::SettleRange>& ranges) {
  std::vector<proto::GrantId> extended;
  for (const proto::SettleRange& range : ranges) {
    if (range.kind == proto::SettleKind::kExtend) {
      extended.push_back(range.grant);
    }
  }
  if (extended.empty()) {
    return;
  }
  std::ranges::sort(extended);
  for (const std::weak_ptr<Grant>& held : held_) {
    const std::shared_ptr<Grant> grant = held.lock();
    if (grant != nullptr && std::ranges::binary_search(extended, grant->id())) {
      grant->awaits_extension = false;
    }
  }
}

/// With groups what is lost may lie anywhere in the grant, and the rest of it is not.
void ConsumerMachine::drop_failed(Grant& grant, std::span<const proto::SettleFailure> failures) {
  const std::uint64_t first = grant.first_index();
  const std::uint64_t end = first + grant.count();
  std::unordered_set<std::uint64_t> lost;  // groups of which something was
  std::uint64_t next = end;
  for (const proto::SettleFailure& failure : failures) {
    const proto::Errc code = proto::code_from_wire(failure.code);
    if (code == proto::Errc::kInvalidArgument || code == proto::Errc::kLimitExceeded) {
      continue;  // what was asked was too much: the lease is as it was
    }
    const std::uint64_t stop =
        std::min<std::uint64_t>(std::uint64_t{failure.first_index} + failure.count, end);
    for (std::uint64_t i = std::max<std::uint64_t>(failure.first_index, first); i < stop; ++i) {
      lost.insert(grant.group_of(static_cast<std::uint32_t>(i)));
      next = std::min(next, i);
    }
  }
  for (std::uint64_t i = std::max<std::uint64_t>(next, grant.first_that_may_wait());
       i < end && grant.waiting() > 0; ++i) {
    const auto index = static_cast<std::uint32_t>(i);
    if (lost.contains(grant.group_of(index))) {
      drop_waiting_at(grant, index);
    }
  }
}

void ConsumerMachine::on_failed(std::vector<proto::SettleFailure> failures) {
  std::ranges::sort(failures, {}, &proto::SettleFailure::grant);
  const auto of = [&failures](const Grant& grant) {
    return std::ranges::equal_range(failures, grant.id(), {}, &proto::SettleFailure::grant);
  };
  std::erase_if(waiting_, [&](const std::shared_ptr<Grant>& grant) {
    if (grant->has_groups()) {
      drop_failed(*grant, of(*grant));
      return grant->waiting() == 0;
    }
    const bool is_lost = std::ranges::any_of(of(*grant), [&](const proto::SettleFailure& failure) {
      return grant->waiting() > 0 && std::uint64_t{failure.first_index} + failure.count >
                                         grant->index_of(grant->first_waiting());
    });
    if (is_lost) {
      forget_rest(*grant);
    }
    return is_lost;
  });
  if (watch_) {
    for (const proto::SettleFailure& failure : failures) {
      watch_->remove(failure.grant, failure.first_index, failure.count);
    }
  }
  for (const std::weak_ptr<Grant>& held : held_) {
    if (const std::shared_ptr<Grant> grant = held.lock()) {
      for (const proto::SettleFailure& failure : of(*grant)) {
        grant->mark_settled(failure.first_index, failure.count);
      }
    }
  }
}

/// Gives back the last ones that wait.
void ConsumerMachine::release_last(Grant& grant, std::uint32_t count) {
  if (!grant.has_groups()) {
    for (const proto::SettleRange& range :
         grant.drop_last_waiting(count, proto::SettleKind::kRelease)) {
      settlements_.add(range);
    }
    note_begun(grant, count);
    return;
  }
  std::uint32_t left = count;
  for (std::uint32_t i = grant.first_index() + grant.count(); left > 0; --i) {
    if (grant.is_waiting(i - 1)) {
      drop_waiting_at(grant, i - 1);
      settlements_.add(grant.range(proto::SettleKind::kRelease, i - 1, 1, 0));
      --left;
    }
  }
}

void ConsumerMachine::release_waiting_beyond(std::size_t messages) {
  if (waiting_messages_ <= messages) {
    return;
  }
  std::size_t room = messages;
  for (const std::shared_ptr<Grant>& grant : waiting_) {
    const auto kept = static_cast<std::uint32_t>(std::min<std::size_t>(room, grant->waiting()));
    room -= kept;
    if (const std::uint32_t count = grant->waiting() - kept; count > 0) {
      release_last(*grant, count);
    }
  }
  while (!waiting_.empty() && waiting_.back()->waiting() == 0) {
    waiting_.pop_back();
  }
}

void ConsumerMachine::drop_waiting() {
  for (const std::shared_ptr<Grant>& grant : waiting_) {
    forget_rest(*grant);
  }
  waiting_.clear();
}

void ConsumerMachine::tick(TimePoint now) {
  if (now < tick_at_) {
    return;
  }
  tick_at_ = TimePoint::max();
  for (const std::weak_ptr<Grant>& held : held_) {
    const std::shared_ptr<Grant> grant = held.lock();
    if (grant == nullptr || grant->all_settled() || now >= grant->hold_until) {
      continue;
    }
    if (is_due(*grant, now)) {
      if (!std::exchange(grant->awaits_extension, true)) {
        const auto lease_ms = static_cast<std::uint32_t>(grant->lease().count());
        for (const proto::SettleRange& range :
             grant->unsettled(proto::SettleKind::kExtend, lease_ms)) {
          settlements_.add(range);
        }
      }
      grant->lease_until = now + grant->lease();
    }
    tick_at_ = std::min(tick_at_, grant->extend_at());
  }
}

std::optional<TimePoint> ConsumerMachine::next_deadline() const {
  const auto tick_at = tick_at_ == TimePoint::max() ? std::nullopt : std::optional(tick_at_);
  return watch_ ? earlier(tick_at, watch_->next_deadline()) : tick_at;
}

}  // namespace weir::sdk
