#include "client/net/engine.hpp"

#include "client/core/convert.hpp"
#include "client/net/settle_channel.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <cerrno>
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

LinkMachine::Options link_options(const ClientOptions& options, const Address& address) {
  LinkMachine::Options link;
  link.hosts = address.hosts;
  link.connect_timeout = options.connect_timeout();
  link.welcome_timeout = options.request_timeout();
  link.first_backoff = options.first_backoff();
  link.longest_backoff = options.longest_backoff();
  return link;
}

}  // namespace

Engine::Engine(ClientOptions options, Address address)
    : options_(std::move(options)), address_(std::move(address)), seed_(draw_seed()) {}

std::shared_ptr<Engine> Engine::start(ClientOptions options, Address address) {
  const std::shared_ptr<Engine> engine(new Engine(std::move(options), std::move(address)));
  engine->thread_ = std::thread([engine] {
    engine->thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    engine->run();
  });
  return engine;
}

Engine::~Engine() {
  if (thread_.joinable()) {
    // Nobody holds the engine any more but, at most, its own thread on the way out.
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }
}

std::uint64_t Engine::seed() {
  const std::lock_guard lock(mutex_);
  seed_ += 0x9E3779B97F4A7C15U;
  return seed_;
}

// ---- the I/O thread

void Engine::run() {
  Session::Options session_options;
  session_options.link = link_options(options_, address_);
  session_options.service =
      options_.service().empty() ? program_invocation_short_name : options_.service();
  session_options.name_space = address_.name_space;
  session_options.on_event = options_.event_handler();
  session_options.seed = seed();
  Session session(std::move(session_options), io_, std::chrono::steady_clock::now());
  const auto work = boost::asio::make_work_guard(io_);

  while (true) {
    take_inbox(session);
    const TimePoint now = std::chrono::steady_clock::now();
    const bool has_more = session.turn(now);
    publish_state(session);
    if (is_over(session, now)) {
      break;
    }
    bool must_hurry = has_more;
    {
      const std::lock_guard lock(mutex_);
      must_hurry = must_hurry || is_woken_;
    }
    if (!must_hurry) {
      arm(session.next_deadline());
      io_.run_one();
    }
    for (int i = 0; i < kEventsPerTurn && io_.poll_one() != 0; ++i) {
    }
  }
  session.close();
  connected_ = false;
  std::vector<UniqueFunction<void(Session&)>> unheard;
  std::map<std::string, std::shared_ptr<SettleChannel>> received;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    unheard.swap(inbox_);
    received.swap(received_);
  }
  for (auto& function : unheard) {
    function(session);
  }
  changed_.notify_all();
}

void Engine::take_inbox(Session& session) {
  std::vector<UniqueFunction<void(Session&)>> functions;
  std::vector<std::uint64_t> notified;
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = false;
    functions = std::exchange(inbox_, {});
    notified.swap(notified_);
  }
  for (auto& function : functions) {
    function(session);
  }
  for (const std::uint64_t id : notified) {
    session.mark_ready(id);
  }
}

void Engine::publish_state(const Session& session) {
  const LinkMachine& link = session.link_machine();
  const bool tried_all = link.tried_all() && link.state() == LinkMachine::State::kWaiting;
  if (session.is_up() == connected() && !tried_all) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    connected_.store(session.is_up(), std::memory_order_relaxed);
    tried_all_ = tried_all;
    failure_ = link.failure();
  }
  changed_.notify_all();
}

bool Engine::is_over(Session& session, TimePoint now) {
  std::optional<TimePoint> close_by;
  {
    const std::lock_guard lock(mutex_);
    close_by = close_by_;
  }
  if (!close_by) {
    return false;
  }
  session.begin_closing();
  return now >= *close_by || session.is_drained();
}

void Engine::arm(std::optional<TimePoint> deadline) {
  {
    const std::lock_guard lock(mutex_);
    deadline = earlier(deadline, close_by_);
  }
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

// ---- other threads

void Engine::wake() {
  if (!on_io_thread()) {
    boost::asio::post(io_, [] {});
  }
}

bool Engine::post(UniqueFunction<void(Session&)> function) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) {
      return false;
    }
    inbox_.push_back(std::move(function));
    wakes = !std::exchange(is_woken_, true);
  }
  if (wakes) {
    wake();
  }
  return true;
}

void Engine::notify(std::uint64_t participant) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) {
      return;
    }
    notified_.push_back(participant);
    wakes = !std::exchange(is_woken_, true);
  }
  if (wakes) {
    wake();
  }
}

Result<> Engine::may_wait() const {
  if (on_io_thread()) {
    return Error(ErrorCode::kInvalidArgument,
                 "calls that wait are not allowed in callbacks: they would wait for themselves");
  }
  return {};
}

Result<v1::Response> Engine::call(v1::Request request, std::chrono::milliseconds timeout,
                                  bool changes_something) {
  if (Result<> may = may_wait(); !may) {
    return std::move(may).error();
  }
  RequestPolicy policy;
  policy.deadline = std::chrono::steady_clock::now() + timeout;
  policy.try_timeout = options_.request_timeout();
  policy.changes_something = changes_something;
  Answer<v1::Response> answer;
  const auto awaited = answer.awaited();
  post(
      [request = std::move(request), policy, answer = std::move(answer)](Session& session) mutable {
        session.request(std::move(request), policy,
                        [answer = std::move(answer)](proto::Result<v1::Response> response) mutable {
                          answer.set(to_public(std::move(response)));
                        });
      });
  std::optional<Result<v1::Response>> result = awaited->wait_until(policy.deadline + kGrace);
  if (result) {
    return std::move(*result);
  }
  return Error(changes_something ? ErrorCode::kUnknownOutcome : ErrorCode::kDeadlineExceeded,
               "no answer in time: a callback holds up the I/O thread");
}

Result<> Engine::wait_connected() {
  std::unique_lock lock(mutex_);
  const bool knows = changed_.wait_for(lock, options_.overall_timeout(), [this] {
    return connected() || (tried_all_ && failure_.has_value()) || is_closed_;
  });
  if (connected()) {
    return {};
  }
  if (knows && failure_) {
    return to_public(*failure_);
  }
  return Error(ErrorCode::kConnectFailed, "no session within the overall timeout");
}

std::shared_ptr<SettleChannel> Engine::received_from(const std::string& queue) {
  std::shared_ptr<SettleChannel> channel;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<SettleChannel>& known = received_[queue];
    if (known != nullptr) {
      return known;
    }
    known = std::make_shared<SettleChannel>(shared_from_this(), queue, Duration{0});
    channel = known;
  }
  post([channel](Session& session) { session.add(channel); });
  return channel;
}

// ---- the end

void Engine::close(std::chrono::milliseconds drain) {
  const TimePoint by = std::chrono::steady_clock::now() + drain;
  {
    const std::lock_guard lock(mutex_);
    close_by_ = close_by_ ? std::min(*close_by_, by) : by;
    is_woken_ = true;
  }
  if (on_io_thread()) {
    return;
  }
  boost::asio::post(io_, [] {});
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, by + kGrace, [this] { return is_closed_; });
  }
  join();
}

void Engine::join() {
  const std::lock_guard joining(join_mutex_);
  if (!thread_.joinable()) {
    return;
  }
  bool is_closed = false;
  {
    const std::lock_guard lock(mutex_);
    is_closed = is_closed_;
  }
  if (is_closed) {
    thread_.join();
  } else {
    // A callback does not come back. The thread keeps what it needs alive, and ends when it does.
    thread_.detach();
  }
}

}  // namespace weir::sdk
