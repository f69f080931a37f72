#pragma once

#include "client/core/time.hpp"
#include "weir/producer.hpp"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace weir::sdk {

/// Who waits for the outcome of each message of a batch, in the order of its records. A waiter
/// whose time ran out is answered and stays as a gap, so that indexes keep their meaning.
class WaiterList {
 public:
  WaiterList() = default;
  explicit WaiterList(std::size_t expected) { waiters_.reserve(expected); }
  WaiterList(WaiterList&&) noexcept = default;
  WaiterList& operator=(WaiterList&&) noexcept = default;
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;
  ~WaiterList() = default;

  void add(SendCallback callback, TimePoint deadline);

  [[nodiscard]] std::size_t size() const { return waiters_.size(); }
  [[nodiscard]] std::size_t alive() const { return alive_; }
  [[nodiscard]] bool is_alive(std::size_t index) const {
    return static_cast<bool>(waiters_[index].callback);
  }

  /// A moment at or before the first deadline of those that still wait; nullopt when nobody does.
  [[nodiscard]] std::optional<TimePoint> earliest() const;
  /// The last deadline of all that were added.
  [[nodiscard]] TimePoint latest() const { return latest_; }

  /// Moves the callbacks whose deadline is at or before `now` behind `expired`.
  void take_expired(TimePoint now, std::vector<SendCallback>& expired);
  /// Moves the callbacks of sends that were stopped behind `stopped`. Looks at every one.
  void take_stopped(std::vector<SendCallback>& stopped);
  /// Moves every callback that still waits behind `all`.
  void take_all(std::vector<SendCallback>& all);
  /// Drops the gaps: the list then fits a batch that was built again without their records.
  void close_gaps();
  /// Takes out those from `first` on. There must be no gaps.
  [[nodiscard]] WaiterList split_off(std::size_t first);

  /// Calls `answer(index, callback)` for each that still waits; afterwards nobody does.
  template <class Answer>
  void answer_all(Answer&& answer) {
    alive_ = 0;
    for (std::size_t i = 0; i < waiters_.size(); ++i) {
      if (waiters_[i].callback) {
        SendCallback callback = std::move(waiters_[i].callback);
        waiters_[i].callback = nullptr;
        answer(i, callback);
      }
    }
  }

 private:
  struct Waiter {
    SendCallback callback;
    TimePoint deadline;
  };

  std::vector<Waiter> waiters_;
  std::size_t alive_ = 0;
  std::size_t first_alive_ = 0;  // nobody waits in front of it
  bool sorted_ = true;  // by deadline, as is usual: then only the front has to be looked at
  TimePoint earliest_{};
  TimePoint latest_{};
};

}  // namespace weir::sdk
