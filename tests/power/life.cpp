#include "tests/power/life.hpp"

#include <algorithm>
#include <utility>

namespace weir::power {
namespace {

constexpr std::chrono::seconds kPatience{30};

}  // namespace

Life::Life(std::string data_dir, LifeOptions options, ManualTime& now, std::uint64_t seed,
           Ports ports)
    : path_(std::move(data_dir)),
      options_(options),
      now_(now),
      rng_(seed),
      ports_(std::move(ports)) {}

Life::~Life() {
  if (loader_) {
    loader_->threaded.stop();
  }
  log_.reset();
  shard_.reset();
}

void Life::CountedLoader::load(Work work) {
  ++loads;
  ++outstanding;
  threaded.load([this, work = std::move(work)](const storage::Reader& reader) {
    return Continuation([this, taken = work(reader)] {
      --outstanding;
      taken();
    });
  });
}

proto::Result<> Life::start() {
  proto::Result<storage::DataDir> data_dir = storage::DataDir::open(path_);
  if (!data_dir) {
    return data_dir.error();
  }
  data_dir_.emplace(std::move(*data_dir));
  disk_.emplace(data_dir_->path(), 1, options_.ballast_bytes);

  storage::OpenOptions open;
  open.path = data_dir_->database_path();
  open.write_buffer_bytes = options_.write_buffer_bytes;
  open.block_cache_bytes = std::size_t{4} << 20;
  open.max_wal_bytes = options_.max_wal_bytes;
  open.on_failed = ports_.on_failed;
  proto::Result<std::unique_ptr<storage::RocksStore>> store =
      storage::open_rocks_store(std::move(open));
  if (!store) {
    return store.error();
  }
  store_ = std::move(*store);
  if (ports_.on_opened) {
    auto witnessed = ports_.on_opened(*store_);
    if (!witnessed) {
      return witnessed.error();
    }
    witnessed_ = std::move(*witnessed);
  }
  storage::KeyValueStore& rows = witnessed_ ? *witnessed_ : *store_;

  proto::Result<shard::RecoveredLog> recovered =
      shard::recover_log(rows, data_dir_->mark_path(), storage::MissingCommits::kRefuse);
  if (!recovered) {
    return recovered.error();
  }
  now_ = std::max(now_, recovered->last.time);
  const auto poster = [this](std::function<void()> work) { post(std::move(work)); };
  loader_.emplace(rows, poster);
  shard::ShardOptions options;
  options.idle_batch_bytes = options_.idle_batch_bytes;
  options.max_backlog_bytes = options_.max_backlog_bytes;
  shard::Ports ports = shard_ports();
  ports.store = &rows;
  shard_.emplace(options, std::move(ports));
  shard::LocalLogOptions log_options;
  log_options.post = poster;
  log_options.mark_delay = options_.mark_delay;
  log_.emplace(rows, std::move(*recovered), *shard_, std::move(log_options));
  return shard_->start(*log_);
}

shard::Ports Life::shard_ports() {
  shard::Ports ports;
  ports.post = [this](std::function<void()> work) { post(std::move(work)); };
  ports.arm_timer = [this](proto::TimeMs at) { armed_ = at; };
  ports.now = [this] { return now_; };
  ports.random = [this] { return rng_.next(); };
  ports.on_failed = ports_.on_failed;
  ports.loader = &*loader_;
  return ports;
}

void Life::post(std::function<void()> work) {
  {
    const std::scoped_lock lock(mutex_);
    posted_.push_back(std::move(work));
  }
  changed_.notify_one();
}

bool Life::run_until(const std::function<bool()>& done) {
  while (!done()) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, kPatience, [this] { return !posted_.empty(); })) {
        return false;
      }
      work = std::move(posted_.front());
      posted_.pop_front();
    }
    work();
  }
  return true;
}

void Life::run_posted() {
  while (true) {
    std::function<void()> work;
    {
      const std::scoped_lock lock(mutex_);
      if (posted_.empty()) {
        return;
      }
      work = std::move(posted_.front());
      posted_.pop_front();
    }
    work();
  }
}

bool Life::rest() {
  bool is_idle = false;
  shard_->when_idle([&is_idle] { is_idle = true; });
  return run_until([&is_idle] { return is_idle; });
}

bool Life::advance(std::int64_t ms) {
  // What was decided before is said before: nobody knows of it at what time that was.
  if (!rest()) {
    return false;
  }
  now_ += ms;
  do {
    if (armed_ != 0 && armed_ <= now_) {
      armed_ = 0;
      shard_->on_timer();
    }
    if (!rest()) {
      return false;
    }
  } while (armed_ != 0 && armed_ <= now_);
  return true;
}

void Life::stop() {
  loader_->threaded.stop();
  log_->stop();
  // As the broker: what cannot be emptied is replayed by the next start.
  static_cast<void>(store_->empty_log());
}

}  // namespace weir::power
