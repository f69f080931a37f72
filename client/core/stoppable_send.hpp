#pragma once

#include "client/core/stopper.hpp"
#include "weir/producer.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace weir::sdk {

/// What a send that can be stopped shares with whoever stops it.
class SendStop {
 public:
  explicit SendStop(SendCallback done) : done_(std::move(done)) {}

  void request() { is_requested_ = true; }
  [[nodiscard]] bool is_requested() const { return is_requested_; }
  /// Asks request() when it is to be called.
  [[nodiscard]] Stopper& stopper() { return stopper_; }
  void answer(const Result<SendReceipt>& result) { done_(result); }

 private:
  std::atomic<bool> is_requested_{false};
  SendCallback done_;
  Stopper stopper_;
};

/// The callback of such a send. Sends that nobody can stop know nothing of all this and pay nothing
/// for it: the others are found by the type of their callback.
class StoppableSend {
 public:
  explicit StoppableSend(std::shared_ptr<SendStop> stop) : stop_(std::move(stop)) {}

  void operator()(const Result<SendReceipt>& result) { stop_->answer(result); }
  [[nodiscard]] bool is_stopped() const { return stop_->is_requested(); }

 private:
  std::shared_ptr<SendStop> stop_;
};

[[nodiscard]] inline bool is_stopped(const SendCallback& callback) {
  const auto* const send = callback.target<StoppableSend>();
  return send != nullptr && send->is_stopped();
}

}  // namespace weir::sdk
