#pragma once

#include "client/core/stopper.hpp"
#include "client/core/time.hpp"
#include "weir/future.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace weir::sdk {

/// Who waits for something, in the order of asking. Guarded by its owner's lock, but for what has
/// left it: that is answered and destroyed without it.
template <class T>
class Askers {
 public:
  struct Asker {
    Asker(std::uint64_t asker_number, TimePoint until) : number(asker_number), deadline(until) {}

    std::uint64_t number;
    TimePoint deadline;
    bool is_stopped = false;
    Promise<T> promise;
    std::shared_ptr<Stopper> stopper = std::make_shared<Stopper>();
  };
  /// Somebody who is to be told.
  class Answer {
   public:
    Answer(Asker asker, Result<T> result) : asker_(std::move(asker)), result_(std::move(result)) {}
    void give() { asker_.promise.set(std::move(result_)); }

   private:
    Asker asker_;
    Result<T> result_;
  };
  using Answers = std::vector<Answer>;

  /// What whoever asked keeps: the answer, and what stop() and an answer need to know.
  struct Place {
    Future<T> future;
    std::shared_ptr<Stopper> stopper;
    std::uint64_t number = 0;
  };
  Place add(TimePoint deadline) {
    Asker& asker = askers_.emplace_back(++last_number_, deadline);
    return {.future = asker.promise.future(), .stopper = asker.stopper, .number = asker.number};
  }
  /// Has him told that he asked to stop, if he is still there.
  void stop(std::uint64_t number) {
    const auto found = std::ranges::find(askers_, number, &Asker::number);
    if (found != askers_.end()) {
      found->is_stopped = true;
    }
  }

  [[nodiscard]] bool empty() const { return askers_.empty(); }
  /// Answers the one who waits longest.
  void answer_first(Result<T> result, Answers& answers) {
    answers.emplace_back(std::move(askers_.front()), std::move(result));
    askers_.pop_front();
  }
  /// Answers those who asked to stop, and, with what `late` says, those whose time is up.
  template <class Late>
  void answer_over(TimePoint now, Late late, Answers& answers) {
    for (auto at = askers_.begin(); at != askers_.end();) {
      if (!at->is_stopped && now < at->deadline) {
        ++at;
        continue;
      }
      Result<T> result = at->is_stopped ? Result<T>(stopped()) : Result<T>(late());
      answers.emplace_back(std::move(*at), std::move(result));
      at = askers_.erase(at);
    }
  }
  [[nodiscard]] std::optional<TimePoint> next_deadline() const {
    std::optional<TimePoint> next;
    for (const Asker& asker : askers_) {
      next = earlier(next, asker.is_stopped ? TimePoint() : asker.deadline);
    }
    return next;
  }

 private:
  static Error stopped() { return Error(ErrorCode::kCancelled, "stopped by the application"); }

  std::deque<Asker> askers_;
  std::uint64_t last_number_ = 0;
};

}  // namespace weir::sdk
