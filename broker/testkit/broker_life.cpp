#include "broker/testkit/broker_life.hpp"

#include <boost/asio/post.hpp>

#include <future>
#include <memory>
#include <utility>

namespace weir::testkit {

namespace asio = boost::asio;

BrokerLife::BrokerLife(storage::MemoryStore& store, proto::TimeMs skipped_ms, OnFailed on_failed)
    : store_(store), on_failed_(std::move(on_failed)), skipped_ms_(skipped_ms) {}

BrokerLife::~BrokerLife() {
  io_.stop();
  if (thread_.joinable()) {
    thread_.join();
  }
  // What others post to the loop or read from the store ends before these go.
  listener_.reset();
  if (loader_) {
    loader_->stop();
  }
  log_.reset();
  shard_.reset();
}

proto::Result<> BrokerLife::start(const asio::ip::tcp::endpoint& endpoint) {
  listener_.emplace(io_, net::ListenerOptions());
  if (proto::Result<> opened = listener_->open(endpoint); !opened) {
    return opened;
  }
  proto::Result<shard::RecoveredLog> recovered = shard::recover_log(store_);
  if (!recovered) {
    return recovered.error();
  }
  if (proto::Result<> started = start_shard(std::move(*recovered)); !started) {
    return started;
  }
  net::ConnectionPorts ports;
  ports.shard = &*shard_;
  ports.uuid = [this] { return random_.uuid(); };
  ports.now = net::LoopClock::mono_ms;
  if (proto::Result<> started = listener_->start(std::move(ports)); !started) {
    return started;
  }
  // What the log has posted at its start comes first: the shard takes commands when clients come.
  thread_ = std::thread([this] { io_.run(); });
  return {};
}

proto::Result<> BrokerLife::start_shard(shard::RecoveredLog recovered) {
  clock_.emplace(io_, recovered.last.time - skipped_ms_, [this] { shard_->on_timer(); });
  const auto post = [this](std::function<void()> work) { asio::post(io_, std::move(work)); };
  loader_.emplace(store_, post);
  shard_.emplace(shard::ShardOptions(), shard_ports());
  shard::LocalLogOptions log_options;
  log_options.post = post;
  log_.emplace(store_, std::move(recovered), *shard_, std::move(log_options));
  return shard_->start(*log_);
}

shard::Ports BrokerLife::shard_ports() {
  shard::Ports ports;
  ports.post = [this](std::function<void()> work) { asio::post(io_, std::move(work)); };
  ports.arm_timer = [this](proto::TimeMs at) { clock_->arm(at - skipped_ms_); };
  ports.now = [this] { return clock_->now() + skipped_ms_; };
  ports.random = [this] { return random_.next(); };
  ports.on_failed = on_failed_;
  ports.store = &store_;
  ports.loader = &*loader_;
  return ports;
}

void BrokerLife::skip(proto::TimeMs by_ms) {
  // Shared: who waits may be gone before set_value() returns.
  const auto done = std::make_shared<std::promise<void>>();
  asio::post(io_, [this, by_ms, done] {
    skipped_ms_ += by_ms;
    shard_->on_timer();  // its turn arms the timer anew, too
    shard_->when_idle([done] { done->set_value(); });
  });
  done->get_future().wait();
}

}  // namespace weir::testkit
