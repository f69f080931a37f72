#include "broker/server/broker.hpp"

#include "broker/server/addresses.hpp"
#include "broker/server/backup_line.hpp"
#include "broker/server/end_process.hpp"
#include "broker/server/file_limit.hpp"
#include "broker/server/memory_budget.hpp"
#include "broker/server/ready_file.hpp"
#include "broker/server/text_file.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace weir::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kTick{100};
constexpr std::uint32_t kShardId = 0;
// What the database and the listeners have open, and some more.
constexpr std::uint64_t kFilesOfOurOwn = 1'024;

}  // namespace

Broker::Broker(Config config, Gather gather, std::string config_file)
    : config_(std::move(config)),
      gather_(std::move(gather)),
      config_file_(std::move(config_file)) {}

Broker::~Broker() {
  // What others post to the loop or read from the store ends before these go.
  http_.reset();
  listener_.reset();
  if (loader_) {
    loader_->stop();
  }
  log_.reset();
  shard_.reset();
}

// ---- start

proto::Result<> Broker::open() {
  if (const auto warning = memory_warning(config_, control_group_limit(read_text_file))) {
    spdlog::warn("{}", *warning);
  }
  warn_about_files();
  proto::Result<storage::DataDir> data_dir = storage::DataDir::open(config_.data_dir);
  if (!data_dir) {
    return data_dir.error();
  }
  data_dir_.emplace(std::move(*data_dir));
  if (proto::Result<> opened = open_addresses(); !opened) {
    return opened;
  }
  disk_.emplace(data_dir_->path(), config_.min_free_disk_bytes, config_.ballast_bytes);
  disk_full_ = disk_->look();  // on a full disk the ballast goes before the log is replayed
  if (proto::Result<> opened = open_store(); !opened) {
    return opened;
  }
  return start_shard();
}

void Broker::warn_about_files() const {
  const std::uint64_t files = raise_file_limit();
  if (files < config_.max_connections + kFilesOfOurOwn) {
    spdlog::warn("{} open files are allowed, fewer than max_connections = {} may need (ulimit -n)",
                 files, config_.max_connections);
  }
}

proto::Result<> Broker::open_addresses() {
  listener_.emplace(io_,
                    net::ListenerOptions{.max_connections = config_.max_connections,
                                         .producer_budget_bytes = config_.producer_budget_bytes});
  const proto::Result<asio::ip::tcp::endpoint> listen = resolve(io_, config_.listen);
  if (!listen) {
    return listen.error();
  }
  if (proto::Result<> opened = listener_->open(*listen); !opened) {
    return opened;
  }
  if (config_.http.empty()) {
    return {};
  }
  http_.emplace(io_, pages());
  const proto::Result<asio::ip::tcp::endpoint> http = resolve(io_, config_.http);
  return http ? http_->open(*http) : proto::Result<>(http.error());
}

proto::Result<> Broker::open_store() {
  storage::OpenOptions options;
  options.path = data_dir_->database_path();
  options.write_buffer_bytes = config_.write_buffer_bytes;
  options.block_cache_bytes = config_.block_cache_bytes;
  options.max_wal_bytes = config_.max_wal_bytes;
  options.accept_damage = config_.accept_damage;
  if (const auto mark = storage::MarkFile::open(data_dir_->mark_path())) {
    options.must_hold = mark->last().index;
  }
  options.on_failed = [](const proto::Error& error) { end_process(error); };
  options.on_wal_sync = [this](std::chrono::nanoseconds took) { syncs_.add(took); };
  proto::Result<std::unique_ptr<storage::RocksStore>> store =
      storage::open_rocks_store(std::move(options));
  if (!store) {
    return store.error();
  }
  store_ = std::move(*store);
  space_.emplace(*store_);
  spdlog::info("the database at {} is open, CRC-32C: {}", data_dir_->database_path(),
               store_->crc32c_in_use());
  if (const auto& torn = store_->recovered_wal().torn_end) {
    spdlog::info("a write that was never acknowledged was cut off: {} at byte {} of {}", torn->what,
                 torn->offset, torn->file);
  }
  return {};
}

proto::Result<> Broker::start_shard() {
  proto::Result<shard::RecoveredLog> recovered = shard::recover_log(
      *store_, data_dir_->mark_path(),
      config_.accept_damage ? storage::MissingCommits::kAccept : storage::MissingCommits::kRefuse);
  if (!recovered) {
    return recovered.error();
  }
  // A log may be cut behind what the mark had seen: that is a loss that only the scan knows of.
  recovered->accepted_loss = recovered->accepted_loss || store_->recovered_wal().damage.has_value();
  if (recovered->accepted_loss) {
    spdlog::warn("commits that were acknowledged are given up, as asked");
  }
  const storage::CommitPoint last = recovered->last;
  clock_.emplace(
      io_, last.time, [this] { shard_->on_timer(); },
      [this] { return log_ && log_->is_stalled(); });
  const auto post = [this](std::function<void()> work) { asio::post(io_, std::move(work)); };
  loader_.emplace(*store_, post);

  shard::ShardOptions options;
  options.shard_id = kShardId;
  options.tail_cache_bytes = config_.tail_cache_bytes;
  options.idle_batch_bytes = config_.idle_batch_bytes;
  options.raise_incarnation = recovered->accepted_loss;
  shard_.emplace(options, shard_ports());
  shard::LocalLogOptions log_options;
  log_options.post = post;
  log_options.spin_time = std::chrono::microseconds(config_.spin_us);
  log_options.on_commit = [this](const shard::CommitSample& sample) { commits_.add(sample.took); };
  log_.emplace(*store_, std::move(*recovered), *shard_, std::move(log_options));
  if (proto::Result<> started = shard_->start(*log_); !started) {
    return started;
  }
  const shard::ShardMetrics found = shard_->metrics();
  spdlog::info("recovered up to commit {}: {} queues, {} topics, incarnation {}", last.index.value,
               found.queues, found.topics, shard_->incarnation());
  return {};
}

shard::Ports Broker::shard_ports() {
  shard::Ports ports;
  ports.post = [this](std::function<void()> work) { asio::post(io_, std::move(work)); };
  ports.arm_timer = [this](proto::TimeMs at) { clock_->arm(at); };
  ports.now = [this] { return clock_->now(); };
  ports.random = [this] { return random_.next(); };
  ports.on_failed = [](const proto::Error& error) { end_process(error); };
  ports.on_damage = [](const proto::Error& error) {
    spdlog::error("stored messages are damaged: {}", error.to_string());
  };
  ports.on_first_hand_out = [this](std::int64_t waited_ms, std::uint32_t messages) {
    times_in_queue_.add(std::chrono::milliseconds(waited_ms), messages);
  };
  ports.on_done = [this](std::int64_t took_ms, std::uint32_t messages) {
    times_to_done_.add(std::chrono::milliseconds(took_ms), messages);
  };
  ports.stored_bytes = [this] { return store_->stored_bytes(); };
  ports.on_backup = [](const shard::BackupEvent& event) {
    const bool is_good = event.what == shard::BackupEvent::What::kBegun ||
                         event.what == shard::BackupEvent::What::kDone;
    spdlog::log(is_good ? spdlog::level::info : spdlog::level::warn, "{}", backup_line(event));
  };
  ports.store = store_.get();
  ports.loader = &*loader_;
  return ports;
}

// ---- serving

proto::Result<> Broker::run() {
  wait_for_signals();
  arm_tick();
  watch_disk();
  // Behind what the log has posted at its start: from then on the shard takes commands.
  proto::Result<> served;
  asio::post(io_, [this, &served] {
    served = serve();
    if (!served) {
      io_.stop();
    }
  });
  run_loop();
  if (served && log_) {
    finish();
  }
  if (!config_.ready_file.empty()) {
    remove_ready_file(config_.ready_file);
  }
  return served;
}

// As io_.run(), but awake while a commit is about to be told.
void Broker::run_loop() {
  while (!io_.stopped()) {
    if (io_.poll() > 0) {
      continue;
    }
    if (log_->tells_soon()) {
      std::this_thread::yield();
    } else {
      io_.run_one();
    }
  }
}

proto::Result<> Broker::serve() {
  net::ConnectionPorts ports;
  ports.shard = &*shard_;
  ports.shard_id = kShardId;
  ports.uuid = [this] { return random_.uuid(); };
  ports.now = net::LoopClock::mono_ms;
  ports.reload_config = [this] { return reload_for_client(); };
  if (proto::Result<> started = listener_->start(std::move(ports)); !started) {
    return started;
  }
  if (http_) {
    if (proto::Result<> started = http_->start(); !started) {
      return started;
    }
  }
  state_ = State::kServing;
  const std::string listen = with_port(config_.listen, listener_->port());
  const std::string http = http_ ? with_port(config_.http, http_->port()) : std::string("off");
  spdlog::info("weir {} takes requests on {} (HTTP: {})", WEIR_VERSION, listen, http);
  status_ = "takes requests on " + listen;
  service_manager_.ready(status_);
  if (config_.ready_file.empty()) {
    return {};
  }
  return write_ready_file(config_.ready_file, ReadyAddresses{.listen = listen, .http = http});
}

void Broker::arm_tick() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const error_code& cancelled) {
    if (!cancelled) {
      tick();
      arm_tick();
    }
  });
}

void Broker::tick() {
  service_manager_.is_well(Clock::now());
  watch_disk();
  watch_commits();
  if (state_ > State::kServing) {
    go_on_leaving();
  }
}

void Broker::watch_disk() {
  disk_full_ = disk_->look();
  space_->look(disk_full_, disk_->space().free_bytes);
  refuse_sends_as_needed();
}

// Nothing is answered meanwhile, and producers run out of credit: only a person can help.
void Broker::watch_commits() {
  const bool hangs = log_->waits_for() >= kDiskHangs;
  if (hangs == disk_hangs_) {
    return;
  }
  disk_hangs_ = hangs;
  if (hangs) {
    spdlog::warn("the disk has not finished a commit for {} s: nothing is acknowledged until then",
                 kDiskHangs.count());
  } else {
    spdlog::info("the disk has finished its commit");
  }
}

void Broker::refuse_sends_as_needed() {
  std::optional<proto::Error> why;
  if (state_ >= State::kFinishing) {
    why = proto::make_error(proto::Errc::kShuttingDown, "the broker is shutting down");
  } else if (disk_full_) {
    why = proto::make_error(proto::Errc::kDiskFull, "the broker's disk is nearly full");
    why->retry_after_ms = 1'000;
  }
  if (why != refusal_) {
    refusal_ = why;
    shard_->refuse_sends(why);
  }
}

}  // namespace weir::server
