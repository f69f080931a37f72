#pragma once

#include "client/core/time.hpp"
#include "client/session/askers.hpp"
#include "client/session/engine.hpp"
#include "client/session/participant.hpp"
#include "client/session/session.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/result.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace weir::sdk {

/// What whoever waits for a front is told that ends before it was accepted or refused.
[[nodiscard]] inline Error closed_early() {
  return Error(ErrorCode::kCancelled, "the client was closed");
}

/// Something that calls of the application wait for until it is known: each is answered once, with
/// what is known, when its time is up, or when it is stopped; on the I/O thread, or, with what was
/// known before, at once. A part of the session for as long as somebody waits.
///
/// When the client is closed, nobody keeps the time any more: who waits with a deadline is told
/// that, and who waits without one for as long as it takes is answered by the thread that tells.
template <class T>
class Awaited final : public Participant, public std::enable_shared_from_this<Awaited<T>> {
 public:
  /// What a call is told whose time is up. Runs on the I/O thread.
  using Late = UniqueFunction<Result<T>()>;

  Awaited(const std::shared_ptr<Engine>& engine, Late late)
      : Participant(engine->next_participant_id()), engine_(engine), late_(std::move(late)) {}

  // ---- any thread

  /// `deadline` is TimePoint::max() for who keeps the time himself.
  [[nodiscard]] Future<T> wait(TimePoint deadline, const std::stop_token& stop) {
    typename Askers<T>::Place place;
    bool is_attended = false;
    {
      const std::lock_guard lock(mutex_);
      if (known_) {
        return Future<T>(*known_);
      }
      if (closed_ && deadline != TimePoint::max()) {
        return Future<T>(*closed_);
      }
      is_attended = !closed_.has_value();
      place = askers_.add(deadline);
    }
    if (is_attended && !join_session()) {
      on_closed(Error(ErrorCode::kCancelled, "the client is closed"));
    }
    if (stop.stop_possible()) {
      place.stopper->arm(stop, [weak = this->weak_from_this(), number = place.number] {
        if (const auto self = weak.lock()) {
          self->on_stop(number);
        }
      });
    }
    return std::move(place.future);
  }

  /// It is known now: answers who waits, and whoever asks from now on. Without locks that what
  /// waits may take.
  void tell(const Result<T>& result) {
    {
      const std::lock_guard lock(mutex_);
      known_ = result;
      while (!askers_.empty()) {
        askers_.answer_first(result, answers_);
      }
    }
    hand_out();
  }
  /// It is not known any more.
  void forget() {
    const std::lock_guard lock(mutex_);
    known_.reset();
  }

  // ---- I/O thread

  [[nodiscard]] const std::string& subject() const override { return subject_; }
  void on_session_up() override {}
  void on_session_lost() override {}
  void on_turn(TimePoint now) override {
    // Asked for without the lock: it may look at what its owner guards.
    std::optional<Result<T>> late;
    if (is_late(now)) {
      late = late_();
    }
    {
      const std::lock_guard lock(mutex_);
      askers_.answer_over(late ? now : TimePoint::min(), [&late] { return *late; }, answers_);
    }
    give();
  }
  [[nodiscard]] std::optional<TimePoint> next_deadline() override {
    const std::lock_guard lock(mutex_);
    return askers_.next_deadline();
  }
  [[nodiscard]] bool is_settled() override { return true; }
  [[nodiscard]] bool is_finished() override {
    const std::lock_guard lock(mutex_);
    return askers_.empty() && answers_.empty();
  }
  void on_closing() override {}
  void on_closed(const Error& why) override {
    {
      const std::lock_guard lock(mutex_);
      closed_ = why;
      askers_.answer_over(
          TimePoint::max() - Duration(1), [&why] { return Result<T>(why); }, answers_);
    }
    give();
  }

 private:
  [[nodiscard]] bool is_late(TimePoint now) {
    const std::lock_guard lock(mutex_);
    const std::optional<TimePoint> next = askers_.next_deadline();
    return next && *next <= now;
  }
  bool join_session() {
    const std::shared_ptr<Engine> engine = engine_.lock();
    return engine &&
           engine->post([self = this->shared_from_this()](Session& session) { session.add(self); });
  }
  void on_stop(std::uint64_t asker) {
    {
      const std::lock_guard lock(mutex_);
      askers_.stop(asker);
      if (closed_) {
        askers_.answer_over(TimePoint::min(), [this] { return Result<T>(*closed_); }, answers_);
      }
    }
    hand_out();
  }
  /// Has the I/O thread answer; without one this thread does.
  void hand_out() {
    bool is_attended = false;
    {
      const std::lock_guard lock(mutex_);
      if (answers_.empty() && askers_.empty()) {
        return;
      }
      is_attended = !closed_.has_value();
    }
    const std::shared_ptr<Engine> engine = is_attended ? engine_.lock() : nullptr;
    if (engine) {
      engine->notify(id());
    } else {
      give();
    }
  }
  void give() {
    typename Askers<T>::Answers answers;
    {
      const std::lock_guard lock(mutex_);
      answers.swap(answers_);
    }
    for (typename Askers<T>::Answer& answer : answers) {
      answer.give();
    }
  }

  const std::weak_ptr<Engine> engine_;
  const std::string subject_;
  Late late_;  // I/O thread only

  std::mutex mutex_;
  Askers<T> askers_;  // guarded by mutex_, as what follows
  typename Askers<T>::Answers answers_;
  std::optional<Result<T>> known_;
  std::optional<Error> closed_;
};

/// The broker's answer to who asks for something: late, there was none, or no connection at all.
[[nodiscard]] inline std::shared_ptr<Awaited<>> await_answer(
    const std::shared_ptr<Engine>& engine) {
  return std::make_shared<Awaited<>>(engine, [asked = engine.get()] { return asked->no_answer(); });
}

}  // namespace weir::sdk
