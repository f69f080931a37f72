#include "client/core/waiters.hpp"

#include "client/core/stoppable_send.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {

void WaiterList::add(SendCallback callback, TimePoint deadline) {
  if (waiters_.empty()) {
    earliest_ = deadline;
    latest_ = deadline;
  } else {
    sorted_ = sorted_ && deadline >= waiters_.back().deadline;
    earliest_ = std::min(earliest_, deadline);
    latest_ = std::max(latest_, deadline);
  }
  waiters_.emplace_back(std::move(callback), deadline);
  ++alive_;
}

std::optional<TimePoint> WaiterList::earliest() const {
  return alive_ == 0 ? std::nullopt : std::optional(earliest_);
}

void WaiterList::take_expired(TimePoint now, std::vector<SendCallback>& expired) {
  if (alive_ == 0 || now < earliest_) {
    return;
  }
  std::size_t i = first_alive_;
  if (!sorted_) {
    earliest_ = TimePoint::max();
  }
  for (; i < waiters_.size(); ++i) {
    Waiter& waiter = waiters_[i];
    if (waiter.deadline > now) {
      if (sorted_) {
        earliest_ = waiter.deadline;
        break;
      }
      if (waiter.callback) {
        earliest_ = std::min(earliest_, waiter.deadline);
      }
    } else if (waiter.callback) {
      expired.push_back(std::move(waiter.callback));
      waiter.callback = nullptr;
      --alive_;
    }
  }
  if (sorted_) {
    first_alive_ = i;
  }
}

void WaiterList::take_stopped(std::vector<SendCallback>& stopped) {
  for (Waiter& waiter : waiters_) {
    if (is_stopped(waiter.callback)) {
      stopped.push_back(std::move(waiter.callback));
      waiter.callback = nullptr;
      --alive_;
    }
  }
}

void WaiterList::take_all(std::vector<SendCallback>& all) {
  answer_all([&all](std::size_t, SendCallback& callback) { all.push_back(std::move(callback)); });
}

void WaiterList::close_gaps() {
  std::erase_if(waiters_, [](const Waiter& waiter) { return !waiter.callback; });
  first_alive_ = 0;
}

WaiterList WaiterList::split_off(std::size_t first) {
  std::vector<Waiter> all = std::exchange(waiters_, {});
  *this = WaiterList(first);
  WaiterList rest(all.size() - first);
  for (std::size_t i = 0; i < all.size(); ++i) {
    (i < first ? *this : rest).add(std::move(all[i].callback), all[i].deadline);
  }
  return rest;
}

}  // namespace weir::sdk
