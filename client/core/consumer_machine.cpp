#include "client/core/consumer_machine.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

// Each tick looks at all grants, so one that is nearly due goes with those that are: however many
// are held, and however their leases lie, eight ticks in half a lease see to them all.
bool is_due(const Grant& grant, TimePoint now) {
  return now >= grant.extend_at() - Duration(grant.lease()) / 16;
}

}  // namespace

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
  waiting_messages_ -= grant.waiting();
  waiting_bytes_ -= grant.bytes();
  grant.mark_settled(grant.first_waiting(), grant.waiting());
}

std::optional<ConsumerMachine::Chunk> ConsumerMachine::begin_chunk(TimePoint now,
                                                                   bool takes_suspects) {
  while (!waiting_.empty()) {
    Grant& grant = *waiting_.front();
    if (grant.lease_until <= now) {
      forget_rest(grant);
      waiting_.pop_front();
      continue;
    }
    if (grant.attempts() > 0 && !takes_suspects) {
      break;
    }
    Chunk chunk;
    chunk.grant = waiting_.front();
    chunk.first = grant.first_waiting();
    chunk.count = std::min(policy_.chunk(grant.attempts()), grant.waiting());
    chunk.is_suspect = grant.attempts() > 0;
    settlements_.add(grant.range(proto::SettleKind::kStarted, chunk.first, chunk.count, 0));
    waiting_messages_ -= chunk.count;
    grant.begin(chunk.count);
    if (grant.waiting() == 0) {
      waiting_bytes_ -= grant.bytes();
      waiting_.pop_front();
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

void ConsumerMachine::on_failed(std::vector<proto::SettleFailure> failures) {
  std::ranges::sort(failures, {}, &proto::SettleFailure::grant);
  const auto of = [&failures](const Grant& grant) {
    return std::ranges::equal_range(failures, grant.id(), {}, &proto::SettleFailure::grant);
  };
  std::erase_if(waiting_, [&](const std::shared_ptr<Grant>& grant) {
    const bool is_lost = std::ranges::any_of(of(*grant), [&](const proto::SettleFailure& failure) {
      return failure.first_index + failure.count > grant->first_waiting();
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

void ConsumerMachine::release_waiting_beyond(std::size_t messages) {
  if (waiting_messages_ <= messages) {
    return;
  }
  std::size_t room = messages;
  for (const std::shared_ptr<Grant>& grant : waiting_) {
    const auto kept = static_cast<std::uint32_t>(std::min<std::size_t>(room, grant->waiting()));
    room -= kept;
    if (const std::uint32_t count = grant->waiting() - kept; count > 0) {
      const std::uint32_t first = grant->drop_last_waiting(count);
      settlements_.add(grant->range(proto::SettleKind::kRelease, first, count, 0));
      waiting_messages_ -= count;
    }
  }
  while (!waiting_.empty() && waiting_.back()->waiting() == 0) {
    waiting_bytes_ -= waiting_.back()->bytes();
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
