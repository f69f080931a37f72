#include "client/session/consumer_front.hpp"

#include "client/core/convert.hpp"
#include "client/session/pending_call.hpp"
#include "client/session/session.hpp"
#include "client/session/wire_convert.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <utility>

namespace weir::sdk {
namespace {

proto::Result<Delivery> message_of(const ConsumerMachine::Chunk& chunk, std::uint32_t position) {
  return chunk.grant->has_groups() ? chunk.grant->at(chunk.index_of(position))
                                   : chunk.grant->next();
}

}  // namespace

ConsumerFront::ConsumerFront(std::shared_ptr<Engine> engine, std::string queue,
                             const ConsumerOptions& options, DeliveryHandler handler)
    : SettleChannel(std::move(engine), std::move(queue), options.max_hold()),
      options_(options),
      is_push_(static_cast<bool>(handler)),
      is_fifo_(proto::is_fifo_name(SettleChannel::queue())),
      ready_(await_answer(engine_)),
      window_{options.window_messages(), options.window_bytes()},
      handler_(std::move(handler)),
      random_(engine_->seed()),
      backoff_(engine_->options().first_backoff(), engine_->options().longest_backoff()) {
  if (options_.lease_ending_handler()) {
    machine_.watch_leases(options_.told_before_lease_end());
  }
}

// ---- any thread

Result<std::optional<Delivery>> ConsumerFront::next(const CallOptions& call) {
  const TimePoint deadline = engine_->deadline_of(call, engine_->options().overall_timeout());
  return wait_for(*engine_, deadline, /*changes_something=*/false,
                  [&] { return async_next(call); });
}

Future<std::optional<Delivery>> ConsumerFront::async_next(const CallOptions& call) {
  using Next = Future<std::optional<Delivery>>;
  if (is_push_) {
    return Next(
        Error(ErrorCode::kInvalidArgument, "the messages of this consumer go to its handler"));
  }
  Askers<std::optional<Delivery>>::Place place;
  {
    std::unique_lock lock(mutex_);
    Result<std::optional<Delivery>> taken = take_begun();
    if (!taken || taken->has_value()) {
      const bool needs = needs_turn();
      lock.unlock();
      if (needs) {
        notify_engine();
      }
      return Next(std::move(taken));
    }
    place = askers_.add(engine_->deadline_of(call, engine_->options().overall_timeout()));
    count_caller();
  }
  notify_engine();
  if (call.stop_token().stop_possible()) {
    place.stopper->arm(call.stop_token(), [front = weak_from_this(), number = place.number] {
      if (const auto self = std::static_pointer_cast<ConsumerFront>(front.lock())) {
        self->on_stop(number);
      }
    });
  }
  return std::move(place.future);
}

void ConsumerFront::on_stop(std::uint64_t asker) {
  {
    const std::lock_guard lock(mutex_);
    askers_.stop(asker);
  }
  notify_engine();
}

Result<std::optional<Delivery>> ConsumerFront::take() {
  std::unique_lock lock(mutex_);
  Result<std::optional<Delivery>> taken = take_begun();
  const bool needs = needs_turn();
  lock.unlock();
  if (taken && *taken) {
    Taken<Delivery>::mark(**taken);
    if (needs) {
      notify_engine();
    }
  }
  return taken;
}

Result<std::optional<Delivery>> ConsumerFront::take_begun() {
  if (begun_.empty()) {
    if (is_ended() || is_closed_) {
      return Error(ErrorCode::kCancelled, "the consumer is closed");
    }
    return refusal_ ? Result<std::optional<Delivery>>(*refusal_) : std::optional<Delivery>();
  }
  std::optional<Delivery> delivery(std::move(begun_.front()));
  begun_.pop_front();
  note_handed(*delivery);
  if (taken_++ == 0) {
    chunk_began_ = engine_->clock().now();
  }
  return delivery;
}

void ConsumerFront::note_handed(const Delivery& delivery) {
  if (machine_.is_watching()) {
    machine_.watch(*delivery.grant_, delivery.index_, delivery.message_id());
  }
}

bool ConsumerFront::needs_turn() const {
  const bool wants_more = begun_.size() == machine_.chunk_limit() / 4 && !begun_.empty();
  return wants_more || machine_.is_watching();
}

void ConsumerFront::ask() {
  {
    const std::lock_guard lock(mutex_);
    count_caller();
  }
  notify_engine();
}

void ConsumerFront::count_caller() {
  if (taken_ > 0) {
    // What the last chunk took the application, until it asked for more.
    machine_.on_handled(taken_, engine_->clock().now() - chunk_began_);
    taken_ = 0;
  }
  ++callers_;
}

void ConsumerFront::stop_asking() {
  const std::lock_guard lock(mutex_);
  --callers_;
}

void ConsumerFront::set_paused(bool paused) {
  std::deque<Delivery> dropped;
  {
    const std::lock_guard lock(mutex_);
    is_paused_ = paused;
    if (paused) {
      dropped.swap(begun_);
    }
  }
  dropped.clear();
  notify_engine();
}

void ConsumerFront::set_window(std::uint32_t messages, std::uint32_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    window_ = Window{messages, bytes};
  }
  notify_engine();
}

void ConsumerFront::close() {
  engine_->wait_for_round(async_close());
}

Future<> ConsumerFront::async_close() {
  std::deque<Delivery> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(begun_);
    end();
  }
  dropped.clear();
  ready_->tell(closed_early());
  notify_engine();
  // A handler may be at work.
  return is_push_ || options_.lease_ending_handler() ? engine_->after_round()
                                                     : Future<>(Result<>());
}

Result<> ConsumerFront::status() const {
  const std::lock_guard lock(mutex_);
  if (is_ended() || is_closed_) {
    return Error(ErrorCode::kCancelled, "the consumer is closed");
  }
  return refusal_ ? Result<>(*refusal_) : Result<>();
}

std::chrono::milliseconds ConsumerFront::redelivery_delay() const {
  const std::lock_guard lock(mutex_);
  return redelivery_delay_;
}

std::size_t ConsumerFront::buffered() const {
  const std::lock_guard lock(mutex_);
  return machine_.waiting_messages() + begun_.size();
}

// ---- I/O thread: the subscription

void ConsumerFront::on_session_up() {
  subscribe_at_.reset();
  is_subscribing_ = false;
  if (!is_ended()) {
    subscribe();
  }
}

void ConsumerFront::on_session_lost() {
  SettleChannel::on_session_lost();
  alias_.reset();
  if (held_) {
    give_back(std::exchange(held_, std::nullopt)->chunk);
  }
}

void ConsumerFront::subscribe() {
  is_subscribing_ = true;
  v1::Request request;
  v1::Subscribe& subscription = *request.mutable_subscribe();
  subscription.set_queue(queue());
  set_lease(subscription, options_.lease());
  {
    const std::lock_guard lock(mutex_);
    told_window_ = wanted_window();
  }
  subscription.set_window_messages(told_window_.messages);
  subscription.set_window_bytes(told_window_.bytes);
  RequestPolicy policy;
  policy.is_for_session = true;
  session().request(std::move(request), policy,
                    [this, self = shared_from_this()](const proto::Result<v1::Response>& response) {
                      on_subscribed(response);
                    });
}

void ConsumerFront::on_subscribed(const proto::Result<v1::Response>& response) {
  is_subscribing_ = false;
  if (response && response->has_subscribed() && is_ended()) {
    unsubscribe(response->subscribed().alias());
    return;
  }
  if (response && response->has_subscribed()) {
    alias_ = response->subscribed().alias();
    session().bind(*alias_, id());
    set_subscription_alias(alias_);
    session().mark_ready(id());
    {
      const std::lock_guard lock(mutex_);
      was_ready_ = true;
      refusal_.reset();
      redelivery_delay_ = std::chrono::milliseconds(response->subscribed().redelivery_delay_ms());
    }
    ready_->tell({});
  } else {
    const proto::Error why =
        response ? proto::make_error(proto::Errc::kMalformed, "an answer without its content")
                 : response.error();
    if (why.code == proto::Errc::kCancelled) {
      return;
    }
    on_refused(why);
  }
}

// Tried again, since what is wrong may be put right.
void ConsumerFront::on_refused(const proto::Error& why) {
  bool was_ready = false;
  {
    const std::lock_guard lock(mutex_);
    refusal_ = to_public(why);
    was_ready = was_ready_;
  }
  ready_->tell(to_public(why));
  if (was_ready) {
    session().emit(ClientEvent::Kind::kSubscriptionFailed, queue(), why);
  }
  subscribe_at_ = engine_->clock().now() + backoff_.next(random_);
  session().mark_ready(id());
}

void ConsumerFront::on_subscription_ended(const proto::Error& why) {
  alias_.reset();
  set_subscription_alias(std::nullopt);
  if (held_) {
    give_back(std::exchange(held_, std::nullopt)->chunk);
  }
  {
    const std::lock_guard lock(mutex_);
    machine_.drop_waiting();
  }
  on_refused(why);
}

void ConsumerFront::unsubscribe(std::uint32_t alias) {
  session().unbind(alias);
  set_subscription_alias(std::nullopt);
  v1::Request request;
  request.mutable_unsubscribe()->set_alias(alias);
  RequestPolicy policy;
  policy.is_for_session = true;
  session().request(std::move(request), policy, [](const proto::Result<v1::Response>&) {});
}

ConsumerFront::Window ConsumerFront::wanted_window() const {
  return is_paused_ ? Window() : window_;
}

// What waits beyond a window that was made smaller could be handled elsewhere.
void ConsumerFront::send_credit() {
  {
    const std::lock_guard lock(mutex_);
    const Window wanted = wanted_window();
    if (wanted == told_window_) {
      return;
    }
    machine_.release_waiting_beyond(wanted.messages);
    told_window_ = wanted;
  }
  proto::Credit credit;
  credit.alias = *alias_;
  credit.window_messages = told_window_.messages;
  credit.window_bytes = told_window_.bytes;
  session().set_credit(credit);
}

// The application is done with the subscription; the channel goes on for what it still holds.
void ConsumerFront::wind_up() {
  if (held_) {
    give_back(std::exchange(held_, std::nullopt)->chunk);
  }
  {
    const std::lock_guard lock(mutex_);
    machine_.release_waiting_beyond(0);
    machine_.stop_watching();
  }
  flush_settlements();
  if (alias_) {
    unsubscribe(*std::exchange(alias_, std::nullopt));
  }
}

proto::Result<> ConsumerFront::on_deliver(const proto::Deliver& frame, TimePoint now) {
  GrantOrigin origin;
  origin.incarnation = session().broker().incarnation;
  origin.epoch = session().broker().epoch;
  origin.shard = session().broker().shard;
  origin.queue = frame.origin;
  origin.generation = frame.generation;
  auto grant = std::make_shared<Grant>(frame, origin, shared_from_this());
  if (auto read = is_fifo_ ? grant->read_groups() : grant->read_indexes(); !read) {
    return read;
  }
  backoff_.reset();
  const std::lock_guard lock(mutex_);
  machine_.add_grant(std::move(grant), now);
  // Leases that end here later than there make it twice the window; one grant may be above it.
  machine_.keep_waiting_within(2 * std::size_t{window_.messages} + proto::kMaxBatchRecords,
                               2 * std::size_t{window_.bytes} + proto::kMaxFrameBytes);
  if (is_paused_) {
    machine_.release_waiting_beyond(0);
  }
  return {};
}

void ConsumerFront::on_turn(TimePoint now) {
  begin_turn();  // what is settled from here on may let another of its group begin
  if (is_ended()) {
    wind_up();
  } else {
    if (alias_ && session().can_settle()) {
      send_credit();
    }
    if (subscribe_at_ && now >= *subscribe_at_ && session().is_up() && !is_subscribing_) {
      subscribe_at_.reset();
      subscribe();
    }
    if (is_push_) {
      feed_handler(now);
    } else {
      feed_next(now);
    }
  }
  answer_askers(now);
  SettleChannel::on_turn(now);
  if (options_.lease_ending_handler()) {
    tell_ending_leases(now);
  }
}

void ConsumerFront::tell_ending_leases(TimePoint now) {
  std::vector<LeaseEnding> ending;
  {
    const std::lock_guard lock(mutex_);
    if (machine_.is_watching()) {
      ending = machine_.take_ending(now);
    }
  }
  for (const LeaseEnding& message : ending) {
    if (!is_ended()) {
      options_.lease_ending_handler()(message);
    }
  }
}

// Those who wait get what has begun, or learn that there is nothing for them.
void ConsumerFront::answer_askers(TimePoint now) {
  Askers<std::optional<Delivery>>::Answers answers;
  {
    const std::lock_guard lock(mutex_);
    askers_.answer_over(now, [] { return std::optional<Delivery>(); }, answers);
    while (!askers_.empty()) {
      Result<std::optional<Delivery>> taken = take_begun();
      if (taken && !*taken) {
        break;
      }
      askers_.answer_first(std::move(taken), answers);
    }
    callers_ -= answers.size();
  }
  for (Askers<std::optional<Delivery>>::Answer& answer : answers) {
    answer.give();
  }
}

std::optional<TimePoint> ConsumerFront::next_deadline() {
  std::optional<TimePoint> next = SettleChannel::next_deadline();
  {
    const std::lock_guard lock(mutex_);
    next = earlier(next, askers_.next_deadline());
  }
  return session().is_up() ? earlier(next, subscribe_at_) : next;
}

bool ConsumerFront::is_finished() {
  {
    const std::lock_guard lock(mutex_);
    if (!askers_.empty()) {
      return false;
    }
  }
  return SettleChannel::is_finished();
}

void ConsumerFront::on_closing() {
  end();
  ready_->tell(closed_early());
}

void ConsumerFront::on_closed(const Error& why) {
  std::deque<Delivery> dropped;
  end();
  SettleChannel::on_closed(why);
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(begun_);
  }
  held_.reset();
  handler_ = nullptr;
  ready_->tell(closed_early());
  answer_askers(engine_->clock().now());
}

// ---- I/O thread: messages

bool ConsumerFront::is_flowing() const {
  const std::lock_guard lock(mutex_);
  return !is_paused_ && !is_ended();
}

// Begins the next messages and says so to the broker before anything of the application sees them.
std::optional<ConsumerMachine::Chunk> ConsumerFront::begin_chunk(TimePoint now,
                                                                 bool takes_suspects) {
  if (held_) {
    if (!session().has_left(held_->position)) {
      static_cast<void>(session().flush(id()));
      return std::nullopt;
    }
    return std::exchange(held_, std::nullopt)->chunk;
  }
  if (!alias_ || !session().is_up()) {
    return std::nullopt;
  }
  std::optional<ConsumerMachine::Chunk> chunk;
  {
    const std::lock_guard lock(mutex_);
    chunk = machine_.begin_chunk(now, takes_suspects);
  }
  if (!chunk) {
    return std::nullopt;
  }
  flush_settlements();
  const std::uint64_t position = session().position();
  if (!session().flush(id()) && chunk->is_suspect) {
    held_ = Held{std::move(*chunk), position};
    return std::nullopt;
  }
  return chunk;
}

void ConsumerFront::feed_handler(TimePoint now) {
  const TimePoint slice_end = now + kHandlerSlice;
  while (is_flowing()) {
    const std::optional<ConsumerMachine::Chunk> chunk = begin_chunk(now, /*takes_suspects=*/true);
    if (!chunk) {
      return;
    }
    handle(*chunk);
    now = engine_->clock().now();
    if (now >= slice_end) {
      session().mark_ready(id());
      return;
    }
  }
}

void ConsumerFront::handle(const ConsumerMachine::Chunk& chunk) {
  const TimePoint began = engine_->clock().now();
  for (std::uint32_t i = 0; i < chunk.count; ++i) {
    if (is_ended()) {
      ConsumerMachine::Chunk rest = chunk;
      rest.first += i;
      rest.count -= i;
      give_back(rest);
      return;
    }
    proto::Result<Delivery> delivery = message_of(chunk, i);
    if (!delivery) {
      session().break_off(delivery.error());
      return;
    }
    Taken<Delivery>::mark(*delivery);
    if (options_.lease_ending_handler()) {
      const std::lock_guard lock(mutex_);
      note_handed(*delivery);
    }
    try {
      handler_(std::move(*delivery));
    } catch (...) {  // NOLINT(bugprone-empty-catch)
      // The delivery went with the exception, which gave the message back as failed.
    }
  }
  const std::lock_guard lock(mutex_);
  machine_.on_handled(chunk.count, engine_->clock().now() - began);
}

void ConsumerFront::feed_next(TimePoint now) {
  bool is_wanted = false;
  bool is_asked_for = false;
  {
    const std::lock_guard lock(mutex_);
    is_asked_for = callers_ > begun_.size();
    is_wanted = is_asked_for || (!begun_.empty() && begun_.size() <= machine_.chunk_limit() / 4);
  }
  if (is_wanted && is_flowing()) {
    if (const std::optional<ConsumerMachine::Chunk> chunk = begin_chunk(now, is_asked_for)) {
      hand_over(*chunk);
      session().mark_ready(id());
    }
  }
}

void ConsumerFront::hand_over(const ConsumerMachine::Chunk& chunk) {
  std::deque<Delivery> deliveries;
  for (std::uint32_t i = 0; i < chunk.count; ++i) {
    proto::Result<Delivery> delivery = message_of(chunk, i);
    if (!delivery) {
      session().break_off(delivery.error());
      return;
    }
    deliveries.push_back(std::move(*delivery));
  }
  {
    const std::lock_guard lock(mutex_);
    if (!is_ended() && !is_paused_) {
      for (Delivery& delivery : deliveries) {
        begun_.push_back(std::move(delivery));
      }
    }
  }
}

// Begun, but the application will not see them.
void ConsumerFront::give_back(const ConsumerMachine::Chunk& chunk) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < chunk.count; ++i) {
    machine_.settle(*chunk.grant, chunk.index_of(i), {.kind = proto::SettleKind::kRelease},
                    nullptr);
  }
}

}  // namespace weir::sdk
