#include "client/core/request_table.hpp"

#include "proto/wire_message.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::sdk {

void RequestTable::add(v1::Request request, const RequestPolicy& policy, Done done) {
  Pending pending;
  pending.request = std::move(request);
  pending.policy = policy;
  pending.done = std::move(done);
  waiting_.emplace(next_order_++, std::move(pending));
}

void RequestTable::send_ready(TimePoint now, Sink& sink) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Pending& pending = at->second;
    if (pending.not_before > now || pending.policy.deadline <= now) {
      ++at;
      continue;
    }
    const std::uint64_t id = next_id_++;
    pending.request.set_id(id);
    pending.request.set_deadline_ms(pending.policy.deadline == TimePoint::max()
                                        ? 0
                                        : remaining_ms(now, pending.policy.deadline));
    pending.try_deadline = pending.policy.try_timeout == Duration{0}
                               ? TimePoint::max()
                               : now + pending.policy.try_timeout;
    pending.has_left = true;
    sink(pending.request);
    open_.emplace(id, std::move(pending));
    at = waiting_.erase(at);
  }
}

bool RequestTable::on_response(v1::Response response, TimePoint now) {
  const auto found = open_.find(response.id());
  if (found == open_.end()) {
    return false;
  }
  Pending pending = std::move(found->second);
  open_.erase(found);
  if (!response.has_error()) {
    pending.done(std::move(response));
    return true;
  }
  proto::Error error = proto::from_wire(response.error());
  const Duration asked = std::chrono::milliseconds(error.retry_after_ms);
  const TimePoint again = now + std::max(asked, pending.backoff.next(random_));
  if (proto::is_retriable(error.code) && again < pending.policy.deadline) {
    pending.not_before = again;
    pending.refusal = std::move(error);
    waiting_.emplace(next_order_++, std::move(pending));
  } else {
    pending.done(std::move(error));
  }
  return true;
}

void RequestTable::on_session_lost() {
  std::erase_if(waiting_, [](const auto& entry) { return entry.second.policy.is_for_session; });
  for (auto& [id, pending] : open_) {
    if (!pending.policy.is_for_session) {
      // As with a try that had no answer in its time.
      pending.refusal.reset();
      pending.not_before = TimePoint{};
      waiting_.emplace(next_order_++, std::move(pending));
    }
  }
  open_.clear();
}

proto::Error RequestTable::timed_out(const Pending& pending, bool is_open,
                                     const std::optional<proto::Error>& unreachable) {
  if (pending.has_left && pending.policy.changes_something && (is_open || !pending.refusal)) {
    return proto::make_error(proto::Errc::kUnknownOutcome,
                             "no answer in time: it may have been carried out");
  }
  if (pending.refusal) {
    return *pending.refusal;
  }
  if (unreachable) {
    return *unreachable;
  }
  return proto::make_error(proto::Errc::kDeadlineExceeded, "no answer in time");
}

void RequestTable::expire(TimePoint now, const std::optional<proto::Error>& unreachable) {
  std::vector<std::pair<Done, proto::Error>> ended;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second.policy.deadline <= now) {
      ended.emplace_back(std::move(at->second.done), timed_out(at->second, false, unreachable));
      at = waiting_.erase(at);
    } else {
      ++at;
    }
  }
  for (auto at = open_.begin(); at != open_.end();) {
    Pending& pending = at->second;
    if (pending.policy.deadline <= now) {
      ended.emplace_back(std::move(pending.done), timed_out(pending, true, unreachable));
      at = open_.erase(at);
    } else if (pending.try_deadline <= now) {
      // Whatever a retry brings, this try may have been carried out.
      pending.refusal.reset();
      pending.not_before = now;
      waiting_.emplace(next_order_++, std::move(pending));
      at = open_.erase(at);
    } else {
      ++at;
    }
  }
  for (auto& [done, error] : ended) {
    done(std::move(error));
  }
}

bool RequestTable::withdraw(std::uint64_t ticket) {
  const auto found = std::ranges::find_if(
      waiting_, [ticket](const auto& entry) { return entry.second.policy.ticket == ticket; });
  if (found == waiting_.end()) {
    return false;
  }
  const bool is_undone = !found->second.has_left || found->second.refusal.has_value();
  const Pending withdrawn = std::move(found->second);
  waiting_.erase(found);
  return is_undone;
}

void RequestTable::cancel_all(const proto::Error& error) {
  auto waiting = std::exchange(waiting_, {});
  auto open = std::exchange(open_, {});
  for (auto& [order, pending] : waiting) {
    pending.done(error);
  }
  for (auto& [id, pending] : open) {
    pending.done(error);
  }
}

bool RequestTable::has_any_for_session() const {
  const auto is_for_session = [](const auto& entry) { return entry.second.policy.is_for_session; };
  return std::ranges::any_of(waiting_, is_for_session) ||
         std::ranges::any_of(open_, is_for_session);
}

std::optional<TimePoint> RequestTable::next_deadline(bool has_session) const {
  std::optional<TimePoint> next;
  for (const auto& [order, pending] : waiting_) {
    next = earlier(next, pending.policy.deadline);
    if (has_session) {
      next = earlier(next, pending.not_before);
    }
  }
  for (const auto& [id, pending] : open_) {
    next = earlier(next, std::min(pending.policy.deadline, pending.try_deadline));
  }
  return next;
}

}  // namespace weir::sdk
