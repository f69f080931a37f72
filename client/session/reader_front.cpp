#include "client/session/reader_front.hpp"

#include "client/core/convert.hpp"
#include "client/session/pending_call.hpp"
#include "client/session/session.hpp"
#include "client/session/wire_convert.hpp"
#include "proto/limits.hpp"

#include <exception>
#include <utility>

namespace weir::sdk {
namespace {

bool is_number_of_partitions(int count) {
  return count >= 1 && std::cmp_less_equal(count, proto::kMaxPartitionsPerTopic);
}

}  // namespace

ReaderFront::ReaderFront(std::shared_ptr<Engine> engine, std::string topic,
                         const ReaderOptions& options, RecordHandler handler)
    : Participant(engine->next_participant_id()),
      engine_(std::move(engine)),
      topic_(std::move(topic)),
      is_push_(static_cast<bool>(handler)),
      ready_(await_answer(engine_)),
      finished_(std::make_shared<Awaited<bool>>(engine_, [] { return false; })),
      machine_(options),
      handler_(std::move(handler)),
      random_(engine_->seed()),
      backoff_(engine_->options().first_backoff(), engine_->options().longest_backoff()) {}

Record ReaderFront::to_record(ReadRecord read) {
  Record record;
  record.bytes_ = std::move(read.bytes);
  record.partition_ = read.partition;
  record.offset_ = read.offset;
  record.timestamp_ = to_timestamp(read.timestamp);
  record.key_ = read.record.key;
  record.value_ = read.record.value;
  record.headers_.reserve(read.record.headers.size());
  for (const proto::Header& header : read.record.headers) {
    record.headers_.emplace_back(header.key, header.value);
  }
  return record;
}

// ---- any thread

Result<> ReaderFront::readable() const {
  if (is_ended_) {
    return Error(ErrorCode::kCancelled, "the reader is closed");
  }
  return failure_ ? Result<>(*failure_) : Result<>();
}

Result<std::optional<Record>> ReaderFront::next(const CallOptions& call) {
  const TimePoint deadline = engine_->deadline_of(call, engine_->options().overall_timeout());
  return wait_for(*engine_, deadline, /*changes_something=*/false,
                  [&] { return async_next(call); });
}

Future<std::optional<Record>> ReaderFront::async_next(const CallOptions& call) {
  using Next = Future<std::optional<Record>>;
  if (is_push_) {
    return Next(Error(ErrorCode::kInvalidArgument, "the records of this reader go to its handler"));
  }
  Askers<std::optional<Record>>::Place place;
  {
    std::unique_lock lock(mutex_);
    Result<std::optional<Record>> taken = take_waiting();
    if (!taken || taken->has_value() || machine_.finished()) {
      const bool notifies = !taken || machine_.credit_is_due() || machine_.finished();
      lock.unlock();
      if (notifies) {
        engine_->notify(id());
      }
      return Next(std::move(taken));
    }
    place = askers_.add(engine_->deadline_of(call, engine_->options().overall_timeout()));
  }
  engine_->notify(id());
  if (call.stop_token().stop_possible()) {
    place.stopper->arm(call.stop_token(), [front = weak_from_this(), number = place.number] {
      if (const auto self = front.lock()) {
        self->on_stop(number);
      }
    });
  }
  return std::move(place.future);
}

void ReaderFront::on_stop(std::uint64_t asker) {
  {
    const std::lock_guard lock(mutex_);
    askers_.stop(asker);
  }
  engine_->notify(id());
}

Result<std::optional<Record>> ReaderFront::take() {
  std::unique_lock lock(mutex_);
  Result<std::optional<Record>> taken = take_waiting();
  // Also when nothing came of it: batches may have been passed over.
  const bool notifies = !taken || machine_.credit_is_due() || machine_.finished();
  lock.unlock();
  if (notifies) {
    engine_->notify(id());
  }
  return taken;
}

Result<std::optional<Record>> ReaderFront::take_waiting() {
  if (Result<> may = readable(); !may) {
    return std::move(may).error();
  }
  proto::Result<std::optional<ReadRecord>> read = machine_.next();
  if (!read) {
    failure_ = to_public(read.error());
    return *failure_;
  }
  return *read ? std::optional(to_record(std::move(**read))) : std::nullopt;
}

bool ReaderFront::finished() const {
  const std::lock_guard lock(mutex_);
  return machine_.finished();
}

Result<bool> ReaderFront::wait_finished(const CallOptions& call) {
  const TimePoint deadline = engine_->deadline_of(call, engine_->options().overall_timeout());
  return wait_for(*engine_, deadline, /*changes_something=*/false,
                  [&] { return async_wait_finished(call); });
}

Future<bool> ReaderFront::async_wait_finished(const CallOptions& call) {
  tell_end();
  return finished_->wait(engine_->deadline_of(call, engine_->options().overall_timeout()),
                         call.stop_token());
}

void ReaderFront::tell_end() {
  Result<bool> end = true;
  {
    const std::lock_guard lock(mutex_);
    if (!machine_.finished()) {
      const Result<> may = readable();
      if (may) {
        return;
      }
      end = may.error();
    }
  }
  finished_->tell(end);
}

std::vector<PartitionPosition> ReaderFront::positions() const {
  const std::lock_guard lock(mutex_);
  return machine_.positions();
}

Result<> ReaderFront::status() const {
  const std::lock_guard lock(mutex_);
  return machine_.finished() ? Result<>() : readable();
}

void ReaderFront::close() {
  engine_->wait_for_round(async_close());
}

Future<> ReaderFront::async_close() {
  end();
  engine_->notify(id());
  // A handler may be at work.
  return is_push_ ? engine_->after_round() : Future<>(Result<>());
}

void ReaderFront::end() {
  {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
  }
  ready_->tell(closed_early());
  tell_end();
}

// ---- I/O thread

void ReaderFront::on_session_up() {
  subscribe_at_.reset();
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_ || failure_ || machine_.finished()) {
      return;
    }
  }
  subscribe();
}

void ReaderFront::on_session_lost() {
  alias_.reset();
  const std::lock_guard lock(mutex_);
  machine_.on_session_lost();
}

void ReaderFront::subscribe() {
  v1::Request request;
  {
    const std::lock_guard lock(mutex_);
    fill(*request.mutable_subscribe_topic(), topic_, machine_.request());
  }
  RequestPolicy policy;
  policy.is_for_session = true;
  session().request(std::move(request), policy,
                    [this, self = shared_from_this()](const proto::Result<v1::Response>& response) {
                      on_subscribed(response);
                    });
}

void ReaderFront::on_subscribed(const proto::Result<v1::Response>& response) {
  if (response && response->has_subscribed_topic() &&
      is_number_of_partitions(response->subscribed_topic().positions_size())) {
    backoff_.reset();
    alias_ = response->subscribed_topic().alias();
    {
      const std::lock_guard lock(mutex_);
      machine_.on_subscribed(to_positions(response->subscribed_topic().positions()));
    }
    session().bind(*alias_, id());
    on_turn(engine_->clock().now());
    ready_->tell({});
    return;
  }
  const proto::Error why =
      response ? proto::make_error(proto::Errc::kMalformed, "an answer without its content")
               : response.error();
  if (why.code == proto::Errc::kCancelled) {
    return;
  }
  session().emit(ClientEvent::Kind::kSubscriptionFailed, topic_, why);
  fail(to_public(why));
}

void ReaderFront::fail(Error why) {
  ready_->tell(why);
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(why);
  }
  session().mark_ready(id());
}

void ReaderFront::unsubscribe() {
  if (alias_) {
    const std::uint32_t alias = *std::exchange(alias_, std::nullopt);
    session().unbind(alias);
    v1::Request request;
    request.mutable_unsubscribe()->set_alias(alias);
    RequestPolicy policy;
    policy.is_for_session = true;
    session().request(std::move(request), policy, [](const proto::Result<v1::Response>&) {});
  }
}

proto::Result<> ReaderFront::on_records(const proto::Records& frame) {
  proto::Result<> taken;
  {
    const std::lock_guard lock(mutex_);
    if (proto::Result<> within = machine_.admit(frame.bytes.size()); !within) {
      return within;
    }
    taken = machine_.on_records(frame);
  }
  if (!taken) {
    // What the broker keeps is damaged, not the connection: reading it again would end here as
    // well.
    fail(to_public(taken.error()));
    return {};
  }
  return {};
}

void ReaderFront::on_subscription_ended(const proto::Error& why) {
  alias_.reset();
  {
    const std::lock_guard lock(mutex_);
    machine_.on_subscription_ended(why);
  }
  session().emit(ClientEvent::Kind::kSubscriptionFailed, topic_, why);
}

void ReaderFront::on_turn(TimePoint now) {
  if (is_push_) {
    feed_handler(now);
  } else {
    answer_askers(now);
  }
  send_credit();
  bool is_over = false;
  {
    const std::lock_guard lock(mutex_);
    is_over = machine_.finished() || is_ended_ || failure_.has_value();
  }
  if (is_over) {
    unsubscribe();
    tell_end();
  }
}

// Those who wait get what has come, or learn that there is nothing for them.
void ReaderFront::answer_askers(TimePoint now) {
  Askers<std::optional<Record>>::Answers answers;
  {
    const std::lock_guard lock(mutex_);
    askers_.answer_over(now, [] { return std::optional<Record>(); }, answers);
    while (!askers_.empty()) {
      Result<std::optional<Record>> taken = take_waiting();
      if (taken && !*taken && !machine_.finished()) {
        break;
      }
      askers_.answer_first(std::move(taken), answers);
    }
  }
  for (Askers<std::optional<Record>>::Answer& answer : answers) {
    answer.give();
  }
}

void ReaderFront::send_credit() {
  if (!alias_ || !session().can_settle()) {
    return;
  }
  std::optional<proto::Credit> credit;
  {
    const std::lock_guard lock(mutex_);
    credit = machine_.take_credit();
  }
  if (credit) {
    credit->alias = *alias_;
    session().set_credit(*credit);
  }
}

void ReaderFront::feed_handler(TimePoint now) {
  const TimePoint slice_end = now + kHandlerSlice;
  constexpr int kRecordsPerLook = 32;  // at the clock
  while (now < slice_end) {
    for (int i = 0; i < kRecordsPerLook; ++i) {
      std::optional<ReadRecord> read;
      {
        const std::lock_guard lock(mutex_);
        if (!readable()) {
          return;
        }
        proto::Result<std::optional<ReadRecord>> next = machine_.next();
        if (!next) {
          failure_ = to_public(next.error());
          return;
        }
        read = std::move(*next);
      }
      if (!read) {
        return;
      }
      try {
        handler_(to_record(std::move(*read)));
      } catch (const std::exception& thrown) {
        fail(Error(ErrorCode::kCancelled, std::string("the handler threw: ") + thrown.what()));
        return;
      } catch (...) {
        fail(Error(ErrorCode::kCancelled, "the handler threw"));
        return;
      }
    }
    now = engine_->clock().now();
  }
  session().mark_ready(id());
}

std::optional<TimePoint> ReaderFront::next_deadline() {
  const std::lock_guard lock(mutex_);
  return askers_.next_deadline();
}

bool ReaderFront::is_finished() {
  const std::lock_guard lock(mutex_);
  return is_ended_ && !alias_ && askers_.empty();
}

void ReaderFront::on_closing() {
  end();
}

void ReaderFront::on_closed(const Error&) {
  on_closing();
  handler_ = nullptr;
  answer_askers(engine_->clock().now());
}

}  // namespace weir::sdk
