#include "broker/server/broker.hpp"
#include "broker/server/logging.hpp"

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <utility>

// What a running broker does when it is told to: read its settings anew, or stop.
namespace weir::server {
namespace {

using boost::system::error_code;

// How long everyone must have been quiet before the broker closes connections that stay.
constexpr std::chrono::milliseconds kQuiet{300};
constexpr std::chrono::seconds kFinishTime{10};
constexpr std::chrono::milliseconds kCloseTime{2'500};

}  // namespace

void Broker::wait_for_signals() {
  error_code error;
  for (const int signal : {SIGTERM, SIGINT}) {
    if (!error) {
      stop_signals_.add(signal, error);
    }
  }
  if (!error) {
    reload_signal_.add(SIGHUP, error);
  }
  if (error) {
    spdlog::error("signals cannot be caught: {}", error.message());
    return;
  }
  wait_for_reload();
  stop_signals_.async_wait([this](const error_code& cancelled, int signal) {
    if (cancelled) {
      return;
    }
    spdlog::info("stopping on signal {}", signal);
    stop_signals_.async_wait([](const error_code& none, int /*signal*/) {
      if (!none) {
        spdlog::warn("stopping at once on a second signal");
        std::_Exit(1);  // what was acknowledged is on disk
      }
    });
    begin_leaving();
  });
}

void Broker::wait_for_reload() {
  reload_signal_.async_wait([this](const error_code& cancelled, int /*signal*/) {
    if (cancelled) {
      return;
    }
    if (state_ == State::kServing) {
      static_cast<void>(reload_settings());  // the log has its outcome
    }
    wait_for_reload();
  });
}

// What cannot be read, or does not fit together, changes nothing at all.
proto::Result<Reloaded> Broker::reload_settings() {
  service_manager_.reloading();
  const proto::Result<Config> fresh = gather_();
  proto::Result<Reloaded> reloaded =
      fresh ? reload(config_, *fresh) : proto::Result<Reloaded>(fresh.error());
  if (reloaded) {
    take_settings(*reloaded);
  } else {
    spdlog::error("the settings stay as they were: {}", reloaded.error().message);
  }
  service_manager_.ready(status_);
  return reloaded;
}

proto::Result<net::ConfigReload> Broker::reload_for_client() {
  if (state_ != State::kServing) {
    return proto::fail(proto::Errc::kShuttingDown, "the broker is shutting down");
  }
  if (config_file_.empty()) {
    return proto::fail(proto::Errc::kUnsupported,
                       "this broker was started without --config: there is no file to read again");
  }
  proto::Result<Reloaded> reloaded = reload_settings();
  if (!reloaded) {
    return proto::fail(reloaded.error().code,
                       "the settings stay as they were: " + reloaded.error().message);
  }
  reloaded->report.file = config_file_;
  return std::move(reloaded->report);
}

void Broker::take_settings(const Reloaded& reloaded) {
  config_ = reloaded.config;
  start_logging(config_.log_level, config_.log_format);
  disk_->set_min_free_bytes(config_.min_free_disk_bytes);
  watch_disk();
  listener_->set_max_connections(config_.max_connections);
  warn_about_files();
  for (const core::SettingChange& change : reloaded.report.taken) {
    spdlog::info("setting taken: {} = {} (was {})", change.setting, change.after, change.before);
  }
  for (const core::SettingChange& change : reloaded.report.left) {
    spdlog::warn("setting {} has changed, which takes a new start", change.setting);
  }
  if (reloaded.report.taken.empty() && reloaded.report.left.empty()) {
    spdlog::info("no setting has changed");
  }
}

// ---- stopping

void Broker::begin_leaving() {
  if (state_ == State::kStarting) {
    io_.stop();
    return;
  }
  service_manager_.stopping();
  state_ = State::kLeaving;
  const Clock::time_point now = Clock::now();
  state_until_ = now + std::chrono::milliseconds(config_.drain_ms);
  quiet_since_ = now;
  listener_->drain(config_.drain_ms);
}

// Called with each tick: first clients finish what they have begun, then what was decided gets on
// disk and its answers out, then connections close.
void Broker::go_on_leaving() {
  const Clock::time_point now = Clock::now();
  if (!listener_->is_quiet()) {
    quiet_since_ = now;
  }
  if (state_ == State::kLeaving) {
    if (listener_->connections() > 0 && now < state_until_ && now - quiet_since_ < kQuiet) {
      return;
    }
    state_ = State::kFinishing;
    state_until_ = now + kFinishTime;
    refuse_sends_as_needed();
    shard_->when_idle([this] { idle_ = true; });
  }
  if (state_ == State::kFinishing) {
    if (!idle_ && now < state_until_) {
      return;
    }
    state_ = State::kClosing;
    state_until_ = now + kCloseTime;
    listener_->say_goodbye(
        proto::make_error(proto::Errc::kShuttingDown, "the broker has shut down"));
  }
  if (listener_->connections() == 0 || now >= state_until_) {
    io_.stop();
  }
}

// Nobody listens to the signals any more, and what is left to do blocks.
void Broker::finish() {
  reload_signal_.clear();
  std::signal(SIGHUP, SIG_IGN);
  stop_signals_.clear();
  for (const int signal : {SIGTERM, SIGINT}) {
    std::signal(signal, [](int) { std::_Exit(1); });  // what was acknowledged is on disk
  }
  space_.reset();
  loader_->stop();
  log_->stop();
  if (const proto::Result<> emptied = store_->empty_log(); !emptied) {
    spdlog::warn("the next start has to replay the log: {}", emptied.error().to_string());
  }
  spdlog::info("stopped: everything is on disk");
}

}  // namespace weir::server
