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

/// Who waits for the next message or record, in the order of asking. Guarded by its owner's lock,
/// but for what has left it: that is answered and destroyed without it.
template <class T>
class Askers {
 public:
  using Value = std::optional<T>;

  struct Asker {
    Asker(std::uint64_t asker_number, TimePoint until) : number(asker_number), deadline(until) {}

    std::uint64_t number;
    TimePoint deadline;
    bool is_stopped = false;
    Promise<Value> promise;
    std::shared_ptr<Stopper> stopper = std::make_shared<Stopper>();
  };
  /// Somebody who is to be told.
  class Answer {
   public:
    Answer(Asker asker, Result<Value> result)
        : asker_(std::move(asker)), result_(std::move(result)) {}
    void give() { asker_.promise.set(std::move(result_)); }

   private:
    Asker asker_;
    Result<Value> result_;
  };
  using Answers = std::vector<Answer>;

  /// What whoever asked keeps: the answer, and what stop() and an answer need to know.
  struct Place {
    Future<Value> future;
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
  void answer_first(Result<Value> result, Answers& answers) {
    answers.emplace_back(std::move(askers_.front()), std::move(result));
    askers_.pop_front();
  }
  /// Answers those who asked to stop, and, with nothing, those whose time is up.
  void answer_over(TimePoint now, Answers& answers) {
    for (auto at = askers_.begin(); at != askers_.end();) {
      if (!at->is_stopped && now < at->deadline) {
        ++at;
        continue;
      }
      Result<Value> result = Value();
      if (at->is_stopped) {
        result = Error(ErrorCode::kCancelled, "stopped by the application");
      }
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
  std::deque<Asker> askers_;
  std::uint64_t last_number_ = 0;
};

}  // namespace weir::sdk
