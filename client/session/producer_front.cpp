#include "client/session/producer_front.hpp"

#include "client/core/convert.hpp"
#include "client/core/header_name.hpp"
#include "client/session/own_headers.hpp"
#include "client/session/pending_call.hpp"
#include "client/session/session.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace weir::sdk {
namespace {

// What a record takes beside key, value and headers, at most: for the buffer's bound.
constexpr std::size_t kRecordOverheadBytes = 32;

ProducerMachine::Options machine_options(const ClientOptions& client,
                                         const ProducerFront::Destination& destination,
                                         Compression compression) {
  ProducerMachine::Options options;
  options.is_topic = destination.is_topic;
  options.first_backoff = client.first_backoff();
  options.longest_backoff = client.longest_backoff();
  if (compression == Compression::kLz4) {
    options.compression = proto::Compression::kLz4;
  } else if (compression == Compression::kZstd) {
    options.compression = proto::Compression::kZstd;
  }
  return options;
}

// As a batch has room for.
bool is_identity(const v1::ProducerInfo& producer) {
  return producer.id() != 0 && std::in_range<std::int64_t>(producer.id()) &&
         std::in_range<std::int16_t>(producer.epoch());
}

std::size_t size_of(const proto::RecordInput& record) {
  std::size_t bytes = kRecordOverheadBytes + (record.key ? record.key->size() : 0) +
                      (record.value ? record.value->size() : 0);
  for (const proto::Header& header : record.headers) {
    bytes += kRecordOverheadBytes + header.key.size() + (header.value ? header.value->size() : 0);
  }
  return bytes;
}

}  // namespace

ProducerFront::ProducerFront(std::shared_ptr<Engine> engine, Destination destination,
                             const ProducerOptions& options)
    : Participant(engine->next_participant_id()),
      engine_(std::move(engine)),
      destination_(std::move(destination)),
      max_bytes_(options.max_buffered_bytes()),
      max_messages_(std::max<std::size_t>(options.max_buffered_messages(), 1)),
      send_timeout_(options.send_timeout().value_or(engine_->options().overall_timeout())),
      ready_(await_answer(engine_)),
      machine_(machine_options(engine_->options(), destination_, options.compression()), *this,
               *this, engine_->seed()),
      batchers_(1),
      sticky_(static_cast<std::uint32_t>(engine_->seed() >> 33U)) {}

// ---- any thread

Result<> ProducerFront::may_take(const SendCallback& callback) const {
  if (is_stopped(callback)) {
    return Error(ErrorCode::kCancelled, "stopped by the application: the message was not taken");
  }
  if (is_closing_) {
    return Error(ErrorCode::kCancelled, "the producer is closed");
  }
  if (refusal_) {
    return *refusal_;
  }
  return {};
}

Result<> ProducerFront::wait_for_room(std::unique_lock<std::mutex>& lock, std::size_t bytes,
                                      TimePoint deadline, bool may_block,
                                      const SendCallback& callback) {
  const auto has_room = [this, bytes] {
    return buffered_messages_ < max_messages_ &&
           (buffered_bytes_ == 0 || buffered_bytes_ + bytes <= max_bytes_);
  };
  if (has_room()) [[likely]] {
    return {};
  }
  if (!may_block || engine_->on_io_thread()) {
    return Error(ErrorCode::kOverloaded, "the producer's buffer is full");
  }
  ++waiters_;
  const bool is_free = changed_.wait_until(lock, deadline, [&] {
    return has_room() || is_closing_ || refusal_.has_value() || is_stopped(callback);
  });
  --waiters_;
  return is_free ? Result<>()
                 : Result<>(Error(ErrorCode::kDeadlineExceeded,
                                  "the producer's buffer stayed full: the message was not taken"));
}

Result<std::uint32_t> ProducerFront::choose_partition(const MessageView& message) const {
  const auto count = static_cast<std::uint32_t>(batchers_.size());
  if (message.partition()) {
    if (*message.partition() >= count) {
      return Error(ErrorCode::kPartitionNotFound,
                   "'" + destination_.name + "' has " + std::to_string(count) + " partition(s)");
    }
    return *message.partition();
  }
  return message.key() ? partition_of_key(*message.key(), count) : sticky_.current(count);
}

TimePoint ProducerFront::deadline_of(const CallOptions& call) const {
  return engine_->deadline_of(call, send_timeout_);
}

Result<> ProducerFront::send(const MessageView& message, const CallOptions& call, bool may_block,
                             SendCallback callback) {
  const TimePoint deadline = deadline_of(call);
  if (!call.stop_token().stop_possible()) {
    return take(message, deadline, may_block, std::move(callback));
  }
  const auto stop = std::make_shared<SendStop>(std::move(callback));
  stop->stopper().arm(call.stop_token(), [front = weak_from_this(), asked = stop.get()] {
    if (const auto self = front.lock()) {
      self->on_stop(*asked);
    }
  });
  return take(message, deadline, may_block, StoppableSend(stop));
}

Future<SendReceipt> ProducerFront::send(const MessageView& message, const CallOptions& call,
                                        bool may_block) {
  Promise<SendReceipt> promise;
  Future<SendReceipt> future = promise.future();
  Result<> taken = send(message, call, may_block,
                        [promise = std::move(promise)](const Result<SendReceipt>& result) mutable {
                          promise.set(result);
                        });
  return taken ? std::move(future) : Future<SendReceipt>(std::move(taken).error());
}

void ProducerFront::on_stop(SendStop& stop) {
  stop.request();
  bool notifies = false;
  {
    const std::lock_guard lock(mutex_);
    has_stopped_ = true;
    notifies = !std::exchange(is_notified_, true);
  }
  changed_.notify_all();
  if (notifies) {
    engine_->notify(id());
  }
}

namespace {

/// What the broker will say of it, with the words that its answer has no room for.
Result<> check_for_fifo(const MessageView& message) {
  const auto is_group = [](const HeaderView& header) { return header.key == proto::kHeaderGroup; };
  if (!message.group() && !std::ranges::any_of(message.headers(), is_group)) {
    return Error(ErrorCode::kInvalidArgument, "a message for a FIFO queue needs a group");
  }
  if (message.delay()) {
    return Error(ErrorCode::kInvalidArgument,
                 "a message for a FIFO queue cannot be put off: it would lose its place in its "
                 "group");
  }
  if (message.priority()) {
    return Error(
        ErrorCode::kInvalidArgument,
        "a message for a FIFO queue has no priority: it would lose its place in its group");
  }
  return {};
}

}  // namespace

Result<> ProducerFront::take(const MessageView& message, TimePoint deadline, bool may_block,
                             SendCallback callback) {
  if (!destination_.is_topic && proto::is_fifo_name(destination_.name)) {
    if (Result<> checked = check_for_fifo(message); !checked) {
      return checked;
    }
  }
  OwnHeaders own(message);
  std::vector<proto::Header>& headers = own.headers();
  for (const HeaderView& header : message.headers()) {
    if (const proto::Result<> checked = check_header_name(header.key); !checked) {
      return to_public(checked.error());
    }
    headers.push_back({header.key, header.value});
  }
  proto::RecordInput record;
  record.key = message.key();
  record.value = message.body();
  record.headers = headers;
  record.timestamp = message.timestamp() ? message.timestamp()->time_since_epoch().count()
                                         : engine_->clock().wall_ms();
  if (const proto::Result<> checked = proto::check_record(
          record, destination_.is_topic ? proto::BatchUse::kTopic : proto::BatchUse::kQueue);
      !checked) {
    return to_public(checked.error());
  }
  {
    std::unique_lock lock(mutex_);
    if (Result<> room = wait_for_room(lock, size_of(record), deadline, may_block, callback);
        !room) {
      return room;
    }
    if (Result<> may = may_take(callback); !may) {
      return may;
    }
    const Result<std::uint32_t> partition = choose_partition(message);
    if (!partition) {
      return partition.error();
    }
    Batcher& batcher = batchers_[*partition];
    if (batcher.empty()) {
      filled_.push_back(*partition);
      batcher.set_limits(limits_);
    }
    batcher.set_round(round_);
    buffered_bytes_ += batcher.add(record, std::move(callback), deadline);
    ++buffered_messages_;
    ++open_messages_[round_];
    expire_at_ = std::min(expire_at_, deadline);
    if (std::exchange(is_notified_, true)) {
      return {};
    }
  }
  engine_->notify(id());
  return {};
}

Result<SendReceipt> ProducerFront::send_and_wait(const MessageView& message,
                                                 const CallOptions& call) {
  if (Result<> may = engine_->may_wait(); !may) {
    return std::move(may).error();
  }
  const TimePoint deadline = deadline_of(call);
  Future<SendReceipt> future = send(message, call, /*may_block=*/true);
  return future.wait_until(deadline + kGrace) ? future.get() : held_up(true);
}

Result<> ProducerFront::flush(const CallOptions& call) {
  return wait_for(*engine_, deadline_of(call), /*changes_something=*/false,
                  [&] { return async_flush(call); });
}

Future<> ProducerFront::async_flush(const CallOptions& call) {
  std::shared_ptr<Awaited<>> flushed;
  {
    const std::lock_guard lock(mutex_);
    if (open_messages_.empty()) {
      return Future<>(Result<>());
    }
    const std::uint64_t last = open_messages_.rbegin()->first;
    round_ = last + 1;
    std::shared_ptr<Awaited<>>& of_round = flushes_[last];
    if (of_round == nullptr) {
      of_round = std::make_shared<Awaited<>>(engine_, [] {
        return Error(ErrorCode::kDeadlineExceeded, "messages are still unconfirmed");
      });
    }
    flushed = of_round;
  }
  return flushed->wait(deadline_of(call), call.stop_token());
}

void ProducerFront::close() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_closing_, true)) {
      return;
    }
  }
  changed_.notify_all();
  ready_->tell(closed_early());
  engine_->notify(id());
}

std::size_t ProducerFront::buffered_messages() const {
  const std::lock_guard lock(mutex_);
  return buffered_messages_;
}

std::size_t ProducerFront::buffered_bytes() const {
  const std::lock_guard lock(mutex_);
  return buffered_bytes_;
}

std::uint32_t ProducerFront::partitions() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(batchers_.size());
}

// ---- I/O thread

void ProducerFront::on_session_up() {
  {
    const std::lock_guard lock(mutex_);
    limits_.max_bytes = session().max_batch_bytes();
  }
  machine_.on_session_up(session().broker().incarnation);
}

void ProducerFront::on_session_lost() {
  machine_.on_session_lost();
}

void ProducerFront::on_sent(std::uint32_t partition, std::uint64_t ordinal,
                            const proto::SentEntry& entry, TimePoint now) {
  machine_.on_answer(partition, ordinal, entry, now);
}

void ProducerFront::on_turn(TimePoint now) {
  std::vector<std::uint32_t> filled;
  bool drops_stopped = false;
  {
    const std::lock_guard lock(mutex_);
    is_notified_ = false;
    filled.swap(filled_);
    drops_stopped = std::exchange(has_stopped_, false);
  }
  for (const std::uint32_t partition : filled) {
    machine_.on_waiting(partition);
  }
  if (drops_stopped) {
    drop_stopped();
  }
  machine_.expire(now);
  expire_waiting(now);
  machine_.pump(now);
}

void ProducerFront::drop_stopped() {
  Batcher::Dropped stopped;
  {
    const std::lock_guard lock(mutex_);
    for (Batcher& batcher : batchers_) {
      batcher.take_stopped(stopped);
    }
  }
  answer(stopped,
         Error(ErrorCode::kCancelled, "stopped before the message left: it was not stored"));
  machine_.take_stopped();
}

void ProducerFront::expire_waiting(TimePoint now) {
  Batcher::Dropped expired;
  {
    const std::lock_guard lock(mutex_);
    if (now < expire_at_) {
      return;
    }
    expire_at_ = TimePoint::max();
    for (Batcher& batcher : batchers_) {
      batcher.take_expired(now, expired);
      expire_at_ = std::min(expire_at_, batcher.earliest_deadline().value_or(TimePoint::max()));
    }
  }
  answer(expired, Error(ErrorCode::kDeadlineExceeded,
                        "the message did not leave in time; it was not stored"));
}

void ProducerFront::answer(Batcher::Dropped& dropped, const Error& why) {
  if (dropped.callbacks.empty()) {
    return;
  }
  const Result<SendReceipt> result(why);
  for (SendCallback& callback : dropped.callbacks) {
    [&]() noexcept { callback(result); }();
  }
  for (const Released& room : dropped.released) {
    release(room);
  }
}

std::optional<TimePoint> ProducerFront::next_deadline() {
  const std::optional<TimePoint> next = machine_.next_deadline();
  const std::lock_guard lock(mutex_);
  return expire_at_ == TimePoint::max() ? next : earlier(next, expire_at_);
}

bool ProducerFront::is_settled() {
  return buffered_messages() == 0;
}

bool ProducerFront::is_finished() {
  const std::lock_guard lock(mutex_);
  return is_closing_ && buffered_messages_ == 0;
}

void ProducerFront::on_closing() {
  close();
}

void ProducerFront::on_closed(const Error& why) {
  Batcher::Dropped waiting;
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    for (Batcher& batcher : batchers_) {
      batcher.take_all(waiting);
    }
  }
  machine_.abort();
  answer(waiting, why);
  changed_.notify_all();
  ready_->tell(closed_early());
}

// ---- BatchSource

std::size_t ProducerFront::waiting_bytes(std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  return partition < batchers_.size() ? batchers_[partition].waiting_bytes() : 0;
}

std::optional<WaitingBatch> ProducerFront::take(std::uint32_t partition, TimePoint now) {
  Batcher::Dropped expired;
  std::optional<WaitingBatch> batch;
  {
    const std::lock_guard lock(mutex_);
    batch = batchers_[partition].take(now, expired);
    if (batchers_.size() > 1 &&
        sticky_.current(static_cast<std::uint32_t>(batchers_.size())) == partition) {
      sticky_.advance();
    }
  }
  answer(expired, Error(ErrorCode::kDeadlineExceeded,
                        "the message did not leave in time; it was not stored"));
  return batch;
}

void ProducerFront::release(const Released& room) {
  bool wakes = false;
  Flushes over;
  {
    const std::lock_guard lock(mutex_);
    over = release_locked(room);
    wakes = waiters_ > 0;
  }
  if (wakes) {
    changed_.notify_all();
  }
  for (const std::shared_ptr<Awaited<>>& flushed : over) {
    flushed->tell({});
  }
}

ProducerFront::Flushes ProducerFront::release_locked(const Released& room) {
  buffered_messages_ -= room.messages;
  buffered_bytes_ -= room.bytes;
  if (room.messages != 0) {
    const auto open = open_messages_.find(room.round);
    open->second -= room.messages;
    if (open->second == 0) {
      open_messages_.erase(open);
    }
  }
  Flushes over;
  while (!flushes_.empty() &&
         (open_messages_.empty() || flushes_.begin()->first < open_messages_.begin()->first)) {
    over.push_back(std::move(flushes_.begin()->second));
    flushes_.erase(flushes_.begin());
  }
  return over;
}

void ProducerFront::on_destination(const std::optional<proto::Error>& refusal,
                                   std::uint32_t partitions) {
  Batcher::Dropped waiting;
  {
    const std::lock_guard lock(mutex_);
    if (refusal) {
      refusal_ = to_public(*refusal);
      for (Batcher& batcher : batchers_) {
        batcher.take_all(waiting);
      }
    } else {
      refusal_.reset();
      // Topics only grow; a smaller one is another topic, which the machine has been told of.
      if (partitions > batchers_.size()) {
        batchers_.resize(partitions);
      }
    }
  }
  if (refusal) {
    answer(waiting, to_public(*refusal));
  }
  changed_.notify_all();
  ready_->tell(refusal ? Result<>(to_public(*refusal)) : Result<>());
}

// ---- SendPort

bool ProducerFront::has_room(std::size_t batch_bytes) {
  return session().has_room(batch_bytes, id());
}

void ProducerFront::send(OutgoingBatch batch) {
  session().send(id(), std::move(batch));
}

void ProducerFront::attach() {
  v1::Request request;
  if (destination_.is_topic) {
    request.mutable_attach()->set_topic(destination_.name);
  } else {
    request.mutable_attach()->set_queue(destination_.name);
  }
  RequestPolicy policy;
  policy.is_for_session = true;
  session().request(std::move(request), policy,
                    [self = shared_from_this()](proto::Result<v1::Response> response) {
                      proto::Result<ProducerMachine::Attachment> attached = proto::make_error(
                          proto::Errc::kMalformed, "an answer without its content");
                      if (!response) {
                        attached = response.error();
                      } else if (response->has_attached() && response->attached().partitions() >
                                                                 proto::kMaxPartitionsPerTopic) {
                        attached = proto::fail(proto::Errc::kMalformed,
                                               "a topic of more partitions than one can have");
                      } else if (response->has_attached()) {
                        ProducerMachine::Attachment attachment;
                        attachment.alias = response->attached().alias();
                        attachment.object = response->attached().id();
                        attachment.partitions = std::max(response->attached().partitions(), 1U);
                        attached = attachment;
                      }
                      self->machine_.on_attached(attached, self->engine_->clock().now());
                      self->session().mark_ready(self->id());
                    });
}

void ProducerFront::init_producer(std::uint64_t previous_id, std::uint32_t previous_epoch) {
  v1::Request request;
  request.mutable_init_producer()->set_previous_id(previous_id);
  request.mutable_init_producer()->set_previous_epoch(previous_epoch);
  session().request(std::move(request), RequestPolicy(),
                    [self = shared_from_this()](proto::Result<v1::Response> response) {
                      proto::Result<ProducerMachine::Identity> identity = proto::make_error(
                          proto::Errc::kMalformed, "an answer without its content");
                      if (!response) {
                        identity = response.error();
                      } else if (response->has_producer() && is_identity(response->producer())) {
                        ProducerMachine::Identity given;
                        given.id = response->producer().id();
                        given.epoch = response->producer().epoch();
                        identity = given;
                      }
                      if (!response && response.error().code == proto::Errc::kCancelled) {
                        return;
                      }
                      self->machine_.on_producer(identity, self->engine_->clock().now());
                      self->session().mark_ready(self->id());
                    });
}

}  // namespace weir::sdk
