#include "weir/worker_pool.hpp"

#include "client/workers/worker_crew.hpp"

#include <utility>

namespace weir {

WorkerPool::WorkerPool(std::shared_ptr<sdk::WorkerCrew> crew) : crew_(std::move(crew)) {}

WorkerPool::WorkerPool(WorkerPool&& other) noexcept = default;

WorkerPool& WorkerPool::operator=(WorkerPool&& other) noexcept {
  if (this != &other) {
    end();
    crew_ = std::move(other.crew_);
  }
  return *this;
}

WorkerPool::~WorkerPool() {
  end();
}

void WorkerPool::begin() {
  crew_->begin();
}

void WorkerPool::end() noexcept {
  if (crew_) {
    if (!crew_->drain(CallOptions())) {
      crew_->cancel();
    }
    crew_->join();
    crew_.reset();
  }
}

void WorkerPool::pause() {
  crew_->set_paused(true);
}

void WorkerPool::resume() {
  crew_->set_paused(false);
}

void WorkerPool::stop() {
  crew_->stop();
}

Result<> WorkerPool::drain(const CallOptions& call) {
  return crew_->drain(call);
}

Future<> WorkerPool::async_drain(const CallOptions& call) {
  return crew_->async_drain(call);
}

void WorkerPool::cancel() {
  crew_->cancel();
}

Result<> WorkerPool::status() const {
  return crew_->status();
}

WorkerPoolStats WorkerPool::stats() const {
  return crew_->stats();
}

}  // namespace weir
