#include "client/core/lease_watch.hpp"

#include <algorithm>
#include <chrono>

namespace weir::sdk {
namespace {

/// When the library extends the lease next by itself; nullopt: not any more.
std::optional<TimePoint> next_extension(const Grant& grant, TimePoint now) {
  const bool is_extended = now < grant.hold_until && grant.extend_at() < grant.hold_until;
  return is_extended ? std::optional(grant.extend_at()) : std::nullopt;
}

}  // namespace

LeaseWatch::LeaseWatch(Duration before)
    : before_(std::clamp<Duration>(before, Duration{0},
                                   std::chrono::milliseconds(proto::kMaxLeaseMs))) {}

void LeaseWatch::add(Grant& grant, std::uint32_t index, const MessageId& id) {
  if (grant.lease_until == TimePoint::max()) {
    return;
  }
  const Key key(grant.id(), index);
  Held& held = held_[key];
  held.grant = grant.weak_from_this();
  held.id = id;
  look_later(key, held, grant.lease_until - before_);
}

void LeaseWatch::remove(proto::GrantId grant, std::uint32_t index, std::uint32_t count) {
  auto held = held_.lower_bound({grant, index});
  while (held != held_.end() && held->first.first == grant && held->first.second - index < count) {
    by_time_.erase({held->second.look_at, held->first});
    held = held_.erase(held);
  }
}

void LeaseWatch::extend(const Grant& grant, std::uint32_t index, Duration lease) {
  extended_.emplace_back(Key(grant.id(), index), lease);
}

// A message that was told has nothing to look at until it is extended.
void LeaseWatch::look_later(const Key& key, Held& held, TimePoint when) {
  by_time_.erase({held.look_at, key});
  held.look_at = when;
  by_time_.emplace(when, key);
}

// Whoever extended it last has the last word, as at the broker.
TimePoint LeaseWatch::end_of(const Grant& grant, const Held& held) {
  const TimePoint since = grant.lease_until - Duration(grant.lease());
  return held.own && held.own->since >= since ? held.own->until : grant.lease_until;
}

std::vector<LeaseEnding> LeaseWatch::take_ending(TimePoint now) {
  for (const auto& [key, lease] : std::exchange(extended_, {})) {
    // A lease of nothing gives the message back.
    if (lease <= Duration{0}) {
      remove(key.first, key.second);
    } else if (const auto found = held_.find(key); found != held_.end()) {
      found->second.own = Lease{now, now + lease};
      look_later(key, found->second, now + lease - before_);
    }
  }
  std::vector<LeaseEnding> ending;
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    const Key key = by_time_.begin()->second;
    by_time_.erase(by_time_.begin());
    const auto found = held_.find(key);
    const std::shared_ptr<Grant> grant = found->second.grant.lock();
    if (grant == nullptr) {
      held_.erase(found);
      continue;
    }
    Held& held = found->second;
    const TimePoint end = end_of(*grant, held);
    const std::optional<TimePoint> extension = next_extension(*grant, now);
    if (extension && *extension <= end && *extension > now) {
      look_later(key, held, std::max(*extension, end - before_));
    } else if (end - before_ > now) {
      look_later(key, held, end - before_);
    } else {
      held.look_at = TimePoint::max();
      const Duration left = std::max(end - now, Duration{0});
      ending.emplace_back(grant->sink().queue(), grant->handle_of(key.second), held.id,
                          grant->offset_of(key.second),
                          std::chrono::duration_cast<std::chrono::milliseconds>(left));
    }
  }
  return ending;
}

std::optional<TimePoint> LeaseWatch::next_deadline() const {
  return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first);
}

}  // namespace weir::sdk
