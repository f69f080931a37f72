#pragma once

#include "weir/error.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace weir::sdk {

/// How long callers wait beyond their own deadline for the I/O thread to say that it has passed: a
/// callback may be holding it up.
inline constexpr std::chrono::seconds kGrace{1};

/// A value that one thread hands to another, once. The receiver may have given up waiting: then the
/// value is dropped with this.
template <class T>
class OneShot {
 public:
  void set(T value) {
    {
      const std::lock_guard lock(mutex_);
      value_.emplace(std::move(value));
    }
    is_set_.notify_all();
  }
  /// nullopt when the time is up first.
  [[nodiscard]] std::optional<T> wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    is_set_.wait_until(lock, deadline, [this] { return value_.has_value(); });
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::condition_variable is_set_;
  std::optional<T> value_;
};

/// The side of a OneShot that answers: CANCELLED if it is destroyed before it has.
template <class T>
class Answer {
 public:
  Answer() : awaited_(std::make_shared<OneShot<Result<T>>>()) {}
  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&&) = delete;
  ~Answer() {
    if (awaited_) {
      awaited_->set(Error(ErrorCode::kCancelled, "the client was closed"));
    }
  }

  [[nodiscard]] std::shared_ptr<OneShot<Result<T>>> awaited() const { return awaited_; }
  /// At most once.
  void set(Result<T> result) { std::exchange(awaited_, nullptr)->set(std::move(result)); }

 private:
  std::shared_ptr<OneShot<Result<T>>> awaited_;
};

}  // namespace weir::sdk
