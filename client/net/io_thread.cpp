#include "client/net/io_thread.hpp"

#include "client/net/tcp_link.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <cstdint>
#include <random>
#include <utility>

namespace weir::sdk {
namespace {

// Completions handled between two turns.
constexpr int kEventsPerTurn = 16;

std::uint64_t draw_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

IoThread::IoThread(ClientOptions options, Address address)
    : Engine(std::move(options), std::move(address), Clock(), draw_seed()) {}

std::shared_ptr<Engine> IoThread::start(ClientOptions options, Address address) {
  const std::shared_ptr<IoThread> engine(new IoThread(std::move(options), std::move(address)));
  engine->thread_ = std::thread([engine] { engine->run(); });
  return engine;
}

IoThread::~IoThread() {
  if (thread_.joinable()) {
    // Nobody holds the engine any more but, at most, its own thread on the way out.
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }
}

void IoThread::run() {
  begin([this](LinkEvents& events) { return std::make_unique<TcpLink>(io_, events); });
  const auto work = boost::asio::make_work_guard(io_);
  for (Turn turn = take_turn(); !turn.is_last; turn = take_turn()) {
    if (!turn.must_hurry) {
      arm(turn.deadline);
      io_.run_one();
    }
    for (int i = 0; i < kEventsPerTurn && io_.poll_one() != 0; ++i) {
    }
  }
  finish();
}

void IoThread::arm(std::optional<TimePoint> deadline) {
  if (!deadline || *deadline == TimePoint::max() || (armed_ && *armed_ <= *deadline)) {
    return;  // an earlier timer fires for nothing, which is cheaper than moving it each turn
  }
  armed_ = *deadline;
  timer_.expires_at(*deadline);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      armed_.reset();
    }
  });
}

void IoThread::wake() {
  if (!on_io_thread()) {
    boost::asio::post(io_, [] {});
  }
}

void IoThread::join() {
  const std::lock_guard joining(join_mutex_);
  if (!thread_.joinable()) {
    return;
  }
  if (is_closed()) {
    thread_.join();
  } else {
    // A callback does not come back. The thread keeps what it needs alive, and ends when it does.
    thread_.detach();
  }
}

}  // namespace weir::sdk
