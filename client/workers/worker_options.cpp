#include "weir/worker_pool.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace weir {

WorkerPoolOptions::WorkerPoolOptions()
    : concurrency_(std::max(1U, std::thread::hardware_concurrency())) {}

WorkerPoolOptions& WorkerPoolOptions::set_concurrency(std::uint32_t workers) {
  concurrency_ = workers;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_prefetch(std::uint32_t messages) {
  prefetch_ = messages;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_window_bytes(std::uint32_t bytes) {
  window_bytes_ = bytes;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_lease(Milliseconds lease) {
  lease_ = lease;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_max_hold(Milliseconds max_hold) {
  max_hold_ = max_hold;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_retry_backoff(Milliseconds first, Milliseconds longest) {
  has_own_backoff_ = true;
  first_backoff_ = first;
  longest_backoff_ = longest;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_drain_timeout(Milliseconds timeout) {
  drain_timeout_ = timeout;
  return *this;
}
WorkerPoolOptions& WorkerPoolOptions::set_failure_handler(FailureHandler handler) {
  failure_handler_ = std::move(handler);
  return *this;
}

WorkerPoolStats::WorkerPoolStats() = default;

}  // namespace weir
