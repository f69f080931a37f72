#pragma once

#include "broker/server/disk_watch.hpp"
#include "broker/shard/local_log.hpp"
#include "broker/shard/shard.hpp"
#include "broker/shard/thread_loader.hpp"
#include "proto/result.hpp"
#include "storage/data_dir.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/sim/rng.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace weir::power {

struct LifeOptions {
  std::size_t write_buffer_bytes = std::size_t{1} << 20;
  std::uint64_t max_wal_bytes = std::uint64_t{128} << 20;
  std::size_t idle_batch_bytes = std::size_t{16} << 20;
  std::size_t max_backlog_bytes = std::size_t{32} << 20;
  std::uint64_t ballast_bytes = 0;
  std::chrono::milliseconds mark_delay{0};
};

/// Broker time, moved by hand and the same for all lives.
using ManualTime = proto::TimeMs;

/// A broker between its start and its end, without its sockets: data directory, ballast, store,
/// mark, log and shard, in the order and with the calls of server::Broker. Its loop is run() here.
class Life {
 public:
  struct Ports {
    std::function<void(const proto::Error&)> on_failed = {};
    /// Told of the store between its opening and everything that writes; gives the store for the
    /// log and the shard, or null for the one it was told of.
    std::function<proto::Result<std::unique_ptr<storage::KeyValueStore>>(storage::RocksStore&)>
        on_opened = {};
  };
  Life(std::string data_dir, LifeOptions options, ManualTime& now, std::uint64_t seed, Ports ports);
  ~Life();
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  [[nodiscard]] proto::Result<> start();
  /// As a signal does: what was decided is committed, then the log is emptied.
  void stop();

  /// Runs what is posted until `done`; false when nothing comes for 30 s.
  [[nodiscard]] bool run_until(const std::function<bool()>& done);
  /// Runs what is posted already.
  void run_posted();
  /// Broker time goes on, and what is due is done and durable.
  [[nodiscard]] bool advance(std::int64_t ms);
  /// Reads that the shard has asked for so far, and those that it has not got yet.
  [[nodiscard]] std::uint64_t loads() const { return loader_->loads; }
  [[nodiscard]] std::uint64_t outstanding_loads() const { return loader_->outstanding; }

  [[nodiscard]] shard::Shard& shard() { return *shard_; }
  [[nodiscard]] shard::LocalLog& log() { return *log_; }
  [[nodiscard]] storage::RocksStore& store() { return *store_; }

 private:
  /// Nothing is decided and not said, nor asked and not durable.
  [[nodiscard]] bool rest();
  // Counts on the loop.
  struct CountedLoader final : shard::Loader {
    CountedLoader(const storage::KeyValueStore& store,
                  std::function<void(std::function<void()>)> post)
        : threaded(store, std::move(post)) {}
    void load(Work work) override;

    shard::ThreadLoader threaded;
    std::uint64_t loads = 0;
    std::uint64_t outstanding = 0;
  };
  [[nodiscard]] shard::Ports shard_ports();
  void post(std::function<void()> work);

  const std::string path_;
  const LifeOptions options_;
  ManualTime& now_;
  sim::Rng rng_;
  const Ports ports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> posted_;
  proto::TimeMs armed_ = 0;  // 0: not

  std::optional<storage::DataDir> data_dir_;
  std::optional<server::DiskWatch> disk_;
  std::unique_ptr<storage::RocksStore> store_;
  std::unique_ptr<storage::KeyValueStore> witnessed_;
  std::optional<CountedLoader> loader_;
  std::optional<shard::Shard> shard_;
  std::optional<shard::LocalLog> log_;
};

}  // namespace weir::power
