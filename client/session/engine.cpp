#include "client/session/engine.hpp"

#include "client/core/convert.hpp"
#include "client/session/awaited.hpp"
#include "client/session/settle_channel.hpp"
#include "weir/future.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace weir::sdk {
namespace {

// The engine whose I/O thread this is.
thread_local const Engine* served = nullptr;

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

Engine::Engine(ClientOptions options, Address address, const Clock& clock, std::uint64_t seed)
    : options_(std::move(options)), address_(std::move(address)), clock_(clock), seed_(seed) {}

Engine::~Engine() {
  if (served == this) {
    served = nullptr;
  }
}

bool is_io_thread() noexcept {
  return served != nullptr;
}

std::uint64_t Engine::seed() {
  const std::lock_guard lock(mutex_);
  seed_ += 0x9E3779B97F4A7C15U;
  return seed_;
}

// ---- the I/O thread

void Engine::begin(const LinkMaker& make_link) {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  served = this;
  Session::Options session_options;
  session_options.link = link_options(options_, address_);
  session_options.service =
      options_.service().empty() ? program_invocation_short_name : options_.service();
  session_options.name_space = address_.name_space;
  session_options.teller = Teller(options_);
  session_options.seed = seed();
  session_ = std::make_unique<Session>(std::move(session_options), make_link, clock_);
  connection_ = await_answer(shared_from_this());
}

Engine::Turn Engine::take_turn() {
  take_inbox();
  const TimePoint now = clock_.now();
  Turn turn;
  turn.must_hurry = session_->turn(now);
  publish_state();
  turn.is_last = is_over(now);
  std::optional<TimePoint> close_by;
  {
    const std::lock_guard lock(mutex_);
    turn.must_hurry = turn.must_hurry || is_woken_;
    close_by = close_by_;
  }
  if (!turn.must_hurry) {
    turn.deadline = earlier(session_->next_deadline(), close_by);
  }
  return turn;
}

void Engine::finish() {
  session_->close();
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
    function(*session_);
  }
  connection_.reset();
  session_.reset();
  std::vector<Promise<>> closers;
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    closers.swap(closers_);
  }
  changed_.notify_all();
  for (Promise<>& closer : closers) {
    closer.set({});
  }
  served = nullptr;
}

void Engine::take_inbox() {
  std::vector<UniqueFunction<void(Session&)>> functions;
  std::vector<std::uint64_t> notified;
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = false;
    functions = std::exchange(inbox_, {});
    notified.swap(notified_);
  }
  for (auto& function : functions) {
    function(*session_);
  }
  for (const std::uint64_t id : notified) {
    session_->mark_ready(id);
  }
}

void Engine::publish_state() {
  const LinkMachine& link = session_->link_machine();
  const bool tried_all = link.tried_all() && link.state() == LinkMachine::State::kWaiting;
  if (session_->is_up() == connected() && !tried_all) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    connected_.store(session_->is_up(), std::memory_order_relaxed);
    failure_ = link.failure();
  }
  if (connected()) {
    connection_->tell({});
  } else if (tried_all && link.failure()) {
    connection_->tell(to_public(*link.failure()));
  } else {
    connection_->forget();
  }
}

bool Engine::is_over(TimePoint now) {
  std::optional<TimePoint> close_by;
  {
    const std::lock_guard lock(mutex_);
    close_by = close_by_;
  }
  if (!close_by) {
    return false;
  }
  session_->begin_closing();
  return now >= *close_by || session_->is_drained();
}

// ---- other threads

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

Result<> Engine::may_wait() {
  if (is_io_thread()) {
    return Error(ErrorCode::kInvalidArgument,
                 "calls that wait are not allowed in callbacks: they would wait for themselves");
  }
  return {};
}

Future<> Engine::after_round() {
  Promise<> answer;
  Future<> round = answer.future();
  const bool is_posted = post([answer = std::move(answer)](Session&) mutable { answer.set({}); });
  return is_posted ? std::move(round) : Future<>(Result<>());
}

void Engine::wait_for_round(const Future<>& round) const {
  // Its own thread, which may drive other engines as well, would wait for itself.
  if (!on_io_thread()) {
    static_cast<void>(round.wait_until(clock_.now() + options_.drain_timeout()));
  }
}

TimePoint Engine::deadline_of(const CallOptions& call, std::chrono::milliseconds otherwise) const {
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  const std::chrono::milliseconds timeout =
      call.timeout().value_or(call.deadline() ? kLongest : otherwise);
  const TimePoint deadline = clock_.now() + std::min(timeout, kLongest);
  return call.deadline() ? std::min(deadline, *call.deadline()) : deadline;
}

void Engine::when_connected(const CallOptions& call, Promise<> answer) {
  post([this, deadline = deadline_of(call, options_.overall_timeout()), stop = call.stop_token(),
        answer = std::move(answer)](Session&) mutable {
    connection_->wait(deadline, stop)
        .deliver_to([answer = std::move(answer)](Result<> result) mutable {
          answer.set(std::move(result));
        });
  });
}

Error Engine::no_answer() const {
  if (connected()) {
    return Error(ErrorCode::kDeadlineExceeded, "no answer in time");
  }
  const std::lock_guard lock(mutex_);
  return Error(ErrorCode::kConnectFailed,
               "there is no connection to a broker" + (failure_ ? ": " + failure_->message : ""));
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

TimePoint Engine::start_closing(std::chrono::milliseconds drain) {
  const TimePoint by = clock_.now() + drain;
  {
    const std::lock_guard lock(mutex_);
    close_by_ = close_by_ ? std::min(*close_by_, by) : by;
    is_woken_ = true;
  }
  wake();
  return by;
}

void Engine::close(std::chrono::milliseconds drain) {
  const TimePoint by = start_closing(drain);
  if (on_io_thread()) {
    return;
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, by + kGrace, [this] { return is_closed_; });
  }
  join();
}

Future<> Engine::async_close(std::chrono::milliseconds drain) {
  Future<> closed;
  {
    const std::lock_guard lock(mutex_);
    if (is_over_) {
      return Future<>(Result<>());
    }
    closed = closers_.emplace_back().future();
  }
  start_closing(drain);
  return closed;
}

bool Engine::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

}  // namespace weir::sdk
