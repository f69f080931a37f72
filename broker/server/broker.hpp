#pragma once

#include "broker/http/http_server.hpp"
#include "broker/http/latency_histogram.hpp"
#include "broker/http/metrics_page.hpp"
#include "broker/net/listener.hpp"
#include "broker/net/loop_clock.hpp"
#include "broker/server/config.hpp"
#include "broker/server/disk_watch.hpp"
#include "broker/server/service_manager.hpp"
#include "broker/server/space_keeper.hpp"
#include "broker/shard/local_log.hpp"
#include "broker/shard/random_bits.hpp"
#include "broker/shard/shard.hpp"
#include "broker/shard/thread_loader.hpp"
#include "proto/result.hpp"
#include "storage/data_dir.hpp"
#include "storage/rocks/rocks_store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::server {

/// All of a broker on one data directory: store, shard, listeners, and the one loop that they run
/// on. open() then run(), from one thread.
class Broker {
 public:
  /// Reads the settings anew from wherever they came from; INVALID_ARGUMENT as make_config().
  using Gather = std::function<proto::Result<Config>()>;

  /// `config_file` is what `gather` reads, empty for none.
  Broker(Config config, Gather gather, std::string config_file);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Takes the directory and the addresses, and recovers what is stored. Blocks. Each error has a
  /// message for a person.
  proto::Result<> open();
  /// Serves until a SIGTERM or SIGINT, then lets clients leave, and returns when everything is on
  /// disk. A second signal ends the process at once, and so does a failed commit. SIGHUP, and a
  /// client that asks for it, make it take the settings that can be taken while it runs, all of
  /// them or none.
  proto::Result<> run();

 private:
  enum class State : std::uint8_t { kStarting, kServing, kLeaving, kFinishing, kClosing };
  using Clock = std::chrono::steady_clock;
  // Longer than a disk takes when it is only busy.
  static constexpr std::chrono::seconds kDiskHangs{2};

  void warn_about_files() const;
  proto::Result<> open_addresses();
  proto::Result<> open_store();
  proto::Result<> start_shard();
  [[nodiscard]] shard::Ports shard_ports();
  [[nodiscard]] http::Pages pages();
  void run_loop();
  void finish();
  proto::Result<> serve();

  void arm_tick();
  void tick();
  void watch_disk();
  void watch_commits();
  void refuse_sends_as_needed();
  void wait_for_signals();
  void wait_for_reload();
  proto::Result<Reloaded> reload_settings();
  proto::Result<net::ConfigReload> reload_for_client();
  void take_settings(const Reloaded& reloaded);
  void begin_leaving();
  void go_on_leaving();

  [[nodiscard]] std::vector<std::string> not_ready() const;
  [[nodiscard]] std::string metrics();

  Config config_;
  const Gather gather_;
  const std::string config_file_;
  ServiceManager service_manager_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set stop_signals_{io_};
  boost::asio::signal_set reload_signal_{io_};
  boost::asio::steady_timer tick_timer_{io_};
  http::LatencyHistogram commits_;
  http::LatencyHistogram syncs_;
  http::LatencyHistogram times_in_queue_;
  http::LatencyHistogram times_to_done_;
  double last_scrape_seconds_ = 0;
  shard::RandomBits random_;
  std::optional<storage::DataDir> data_dir_;
  std::optional<DiskWatch> disk_;
  std::unique_ptr<storage::RocksStore> store_;
  std::optional<SpaceKeeper> space_;
  std::optional<shard::ThreadLoader> loader_;
  std::optional<net::LoopClock> clock_;
  std::optional<shard::Shard> shard_;
  std::optional<shard::LocalLog> log_;
  std::optional<net::Listener> listener_;
  std::optional<http::HttpServer> http_;

  State state_ = State::kStarting;
  std::string status_;                   // for the service manager, while it serves
  std::optional<proto::Error> refusal_;  // what the shard was told last
  bool disk_full_ = false;
  bool disk_hangs_ = false;
  bool idle_ = false;
  Clock::time_point state_until_;
  Clock::time_point quiet_since_;
};

}  // namespace weir::server
