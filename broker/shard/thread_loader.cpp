#include "broker/shard/thread_loader.hpp"

#include <memory>
#include <utility>

namespace weir::shard {

ThreadLoader::ThreadLoader(const storage::KeyValueStore& store,
                           std::function<void(std::function<void()>)> post)
    : store_(store), post_(std::move(post)), thread_([this] { run(); }) {}

ThreadLoader::~ThreadLoader() {
  stop();
}

void ThreadLoader::load(Work work) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void ThreadLoader::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ThreadLoader::run() {
  for (;;) {
    Work work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) {
        return;
      }
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const std::unique_ptr<storage::Reader> reader = store_.snapshot();
    post_(work(*reader));
  }
}

}  // namespace weir::shard
