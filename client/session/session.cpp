#include "client/session/session.hpp"

#include "client/core/convert.hpp"
#include "client/core/grant.hpp"
#include "proto/endian.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"
#include "proto/settlement.hpp"
#include "proto/wire_message.hpp"
#include "weir/version.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

// u32 length | u8 type
constexpr std::size_t kFrameHeadBytes = 5;
// Bytes of a Send body in front of its batch.
constexpr std::size_t kSendFixedBytes = 4 + 4 + 8 + 4;
// A batch that is smaller is copied behind the other frames: that is cheaper than a piece of its
// own.
constexpr std::size_t kCopiedBatchBytes = std::size_t{4} << 10;

// Whatever the credit, a batch may grow to this before it is closed: it then leaves alone.
constexpr std::size_t kBatchBytesMin = std::size_t{64} << 10;

Error closed_error() {
  return Error(ErrorCode::kCancelled, "the client is closed");
}

// Everything of the frame but the batch, which follows on its own.
void encode_send_head(const proto::Send& frame, std::size_t batch_bytes, std::string& out) {
  const std::size_t at = out.size();
  proto::encode(frame, out);
  const auto head = proto::load_le<std::uint32_t>(out.data() + at);
  proto::store_le<std::uint32_t>(out.data() + at, head + static_cast<std::uint32_t>(batch_bytes));
}

}  // namespace

Session::Session(Options options, const LinkMaker& make_link, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      link_(make_link(*this)),
      link_machine_(options_.link, options_.seed, clock.now()),
      requests_(options_.seed + 1),
      now_(clock.now()) {
  request_sink_ = [this](const v1::Request& request) {
    proto::append_frame(proto::FrameType::kRequest, request, link_->outbox().small());
  };
}

// ---- turns

bool Session::turn(TimePoint now) {
  now_ = now;
  tick_link(now);
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const std::uint64_t id = timers_.begin()->second;
    timers_.erase(timers_.begin());
    if (Participant* const participant = find(id)) {
      participant->timer_.reset();
      mark_ready(id);
    }
  }
  requests_.expire(now, link_machine_.failure());
  run_participants(now);
  if (is_up()) {
    requests_.send_ready(now, request_sink_);
    tell_restored();
  }
  link_->flush();
  link_->read_on();
  if (link_machine_.may_leave() && sends_.empty() && settles_.empty() &&
      !requests_.is_waiting_for_answers()) {
    break_off(proto::make_error(proto::Errc::kShuttingDown, "the broker drains"));
  }
  return !ready_.empty();
}

void Session::tick_link(TimePoint now) {
  const LinkMachine::Action action = link_machine_.tick(now);
  switch (action.kind) {
    case LinkMachine::Action::Kind::kNone:
      break;
    case LinkMachine::Action::Kind::kConnect:
      options_.teller.log(LogLevel::kDebug, "connecting to " + link_machine_.host().to_string());
      link_->connect(link_machine_.host());
      break;
    case LinkMachine::Action::Kind::kPing:
      proto::encode_frame(proto::FrameType::kPing, {}, link_->outbox().small());
      break;
    case LinkMachine::Action::Kind::kDrop:
      break_off(action.why);
      break;
  }
}

void Session::run_participants(TimePoint now) {
  for (const std::uint64_t id : std::exchange(ready_, {})) {
    const auto found = participants_.find(id);
    if (found == participants_.end()) {
      continue;
    }
    const std::shared_ptr<Participant> participant = found->second;
    participant->is_ready_ = false;
    participant->on_turn(now);
    if (participant->is_finished()) {
      if (participant->timer_) {
        timers_.erase({*participant->timer_, id});
        participant->timer_.reset();  // it may be added again
      }
      participants_.erase(id);
      std::erase_if(aliases_, [id](const auto& entry) { return entry.second == id; });
    } else {
      set_timer(*participant);
    }
  }
}

void Session::set_timer(Participant& participant) {
  const std::optional<TimePoint> next = participant.next_deadline();
  if (next == participant.timer_) {
    return;
  }
  if (participant.timer_) {
    timers_.erase({*participant.timer_, participant.id()});
  }
  participant.timer_ = next;
  if (next) {
    timers_.emplace(*next, participant.id());
  }
}

std::optional<TimePoint> Session::next_deadline() const {
  std::optional<TimePoint> next =
      earlier(link_machine_.next_deadline(), requests_.next_deadline(is_up()));
  if (!timers_.empty()) {
    next = earlier(next, timers_.begin()->first);
  }
  return next;
}

void Session::add(std::shared_ptr<Participant> participant) {
  Participant& added = *participant;
  added.session_ = this;
  if (is_closed_) {
    added.on_closed(closed_error());
    return;
  }
  participants_.emplace(added.id(), std::move(participant));
  if (is_closing_) {
    added.on_closing();
  }
  if (is_up()) {
    added.on_session_up();
  }
  mark_ready(added.id());
}

void Session::mark_ready(std::uint64_t participant) {
  Participant* const found = find(participant);
  if (found != nullptr && !std::exchange(found->is_ready_, true)) {
    ready_.push_back(participant);
  }
}

Participant* Session::find(std::uint64_t id) {
  const auto found = participants_.find(id);
  return found == participants_.end() ? nullptr : found->second.get();
}

Participant* Session::find_alias(std::uint32_t alias) {
  const auto found = aliases_.find(alias);
  return found == aliases_.end() ? nullptr : find(found->second);
}

bool Session::can_settle() const {
  return is_up() || link_machine_.state() == LinkMachine::State::kDraining;
}

// ---- what participants ask for

void Session::request(v1::Request request, const RequestPolicy& policy, RequestTable::Done done) {
  if (is_closed_) {
    done(to_proto(closed_error()));
  } else {
    requests_.add(std::move(request), policy, std::move(done));
  }
}

bool Session::has_room(std::size_t batch_bytes, std::uint64_t who) {
  if (is_up() && sends_.has_room(kSendFixedBytes + batch_bytes)) {
    return true;
  }
  starved_.insert(who);
  return false;
}

std::size_t Session::max_batch_bytes() const {
  const std::size_t window = std::max<std::size_t>(sends_.window_bytes(), kBatchBytesMin);
  const std::size_t body = std::min<std::size_t>(window, broker_.max_frame_bytes);
  return std::min(proto::kMaxBatchBytes, body - std::min(body, kSendFixedBytes + kFrameHeadBytes));
}

void Session::send(std::uint64_t producer, OutgoingBatch batch) {
  proto::Send frame;
  frame.alias = batch.alias;
  frame.partition = batch.partition;
  frame.deadline_ms = batch.deadline_ms;
  frame.send_number = sends_.add({producer, batch.partition, batch.ordinal, batch.messages, now_},
                                 kSendFixedBytes + batch.batch->size());
  std::string& small = link_->outbox().small();
  if (batch.batch->size() < kCopiedBatchBytes) {
    frame.batch = *batch.batch;
    proto::encode(frame, small);
    return;
  }
  encode_send_head(frame, batch.batch->size(), small);
  link_->outbox().append(std::move(batch.batch));
}

void Session::settle(std::uint64_t channel, std::uint32_t alias, SettleBatch batch) {
  proto::Settle frame;
  frame.alias = alias;
  frame.settle_number = settles_.add(channel, std::move(batch));
  frame.ranges = settles_.newest().ranges;
  if (broker_.protocol >= proto::kProtocolWithReasons) {
    frame.reasons = settles_.newest().reasons;
  } else {
    proto::say_in_protocol_1(frame.ranges);
  }
  proto::encode(frame, link_->outbox().small());
}

void Session::set_credit(const proto::Credit& credit) {
  proto::encode(credit, link_->outbox().small());
}

bool Session::flush(std::uint64_t who) {
  if (link_->flush()) {
    return true;
  }
  unwritten_.insert(who);
  return false;
}

// ---- the link

// Between turns time goes on: what a connection's life depends on is stamped when it happens.

void Session::on_connected() {
  now_ = clock_.now();
  pong_until_ = 0;
  link_machine_.on_connected(now_);
  v1::Hello hello;
  hello.set_protocol_min(proto::kProtocolMin);
  hello.set_protocol_max(proto::kProtocolMax);
  hello.set_client("weir-cpp/" + std::string(version()));
  hello.set_service(options_.service);
  hello.set_namespace_(options_.name_space);
  proto::append_frame(proto::FrameType::kHello, hello, link_->outbox().small());
}

void Session::on_bytes() {
  now_ = clock_.now();
  link_machine_.on_bytes(now_);
}

void Session::on_written() {
  for (const std::uint64_t id : std::exchange(unwritten_, {})) {
    mark_ready(id);
  }
}

void Session::on_broken(proto::Error why) {
  now_ = clock_.now();
  if (link_machine_.state() == LinkMachine::State::kGreeting &&
      why.code == proto::Errc::kConnectFailed) {
    why.message += ", instead of a greeting: is a broker's native port there?";
  }
  lose_session(why);
}

void Session::break_off(const proto::Error& why) {
  link_->close();
  lose_session(why);
}

void Session::lose_session(const proto::Error& why) {
  const std::string host = link_machine_.host().to_string();
  link_machine_.on_lost(why, now_);
  aliases_.clear();
  starved_.clear();
  unwritten_.clear();
  sends_.restart(sends_.window_bytes());
  requests_.on_session_lost();
  for (auto& [channel, batches] : settles_.take_open()) {
    if (Participant* const participant = find(channel)) {
      participant->take_back(std::move(batches));
    }
  }
  is_restoring_ = false;
  if (std::exchange(had_session_, false)) {
    options_.teller.measure(Metric::kLosses, host, 1);
    for (const auto& [id, participant] : participants_) {
      participant->on_session_lost();
      mark_ready(id);
    }
    emit(ClientEvent::Kind::kLost, host, why);
  } else {
    options_.teller.log(LogLevel::kWarning, why.to_string());
  }
  log_next_try();
}

void Session::log_next_try() const {
  if (link_machine_.state() != LinkMachine::State::kWaiting) {
    return;
  }
  const auto pause = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(*link_machine_.next_deadline() - now_, Duration::zero()));
  options_.teller.log(LogLevel::kInfo, "the next try in " + std::to_string(pause.count()) +
                                           " ms, " + link_machine_.host().to_string());
}

void Session::wake_starved() {
  for (const std::uint64_t id : std::exchange(starved_, {})) {
    mark_ready(id);
  }
}

void Session::emit(ClientEvent::Kind kind, std::string subject, const proto::Error& error) {
  options_.teller.tell(ClientEvent(kind, std::move(subject),
                                   Error(static_cast<ErrorCode>(error.code), error.message)));
}

// Participants ask for what they need as soon as a session stands.
void Session::tell_restored() {
  if (is_restoring_ && !requests_.has_any_for_session()) {
    is_restoring_ = false;
    options_.teller.tell(
        ClientEvent(ClientEvent::Kind::kRestored, link_machine_.host().to_string()));
  }
}

// ---- frames

proto::Result<> Session::on_frame(const proto::RawFrame& frame) {
  const bool is_greeting = link_machine_.state() == LinkMachine::State::kGreeting;
  switch (frame.type) {
    case proto::FrameType::kWelcome:
      return on_welcome(frame.body);
    case proto::FrameType::kGoAway:
      return on_go_away(frame.body);
    case proto::FrameType::kPing:
      // One that is still to leave answers all that have come: pings must not fill the outbox.
      if (has_left(pong_until_)) {
        proto::encode_frame(proto::FrameType::kPong, {}, link_->outbox().small());
        pong_until_ = position();
      }
      return {};
    case proto::FrameType::kPong:
      return {};
    default:
      break;
  }
  if (is_greeting) {
    return proto::fail(proto::Errc::kMalformed, "the broker speaks before its greeting");
  }
  switch (frame.type) {
    case proto::FrameType::kResponse:
      return on_response(frame.body);
    case proto::FrameType::kSent:
      return on_sent(frame.body);
    case proto::FrameType::kSettled:
      return on_settled(frame.body);
    case proto::FrameType::kDeliver:
      return on_deliver(frame.body);
    case proto::FrameType::kRecords:
      return on_records(frame.body);
    case proto::FrameType::kSubscriptionEnded:
      return on_subscription_ended(frame.body);
    case proto::FrameType::kSendCredit: {
      const proto::Result<proto::SendCredit> credit = proto::decode_send_credit(frame.body);
      if (!credit) {
        return credit.error();
      }
      sends_.set_window(credit->window_bytes);
      wake_starved();
      return {};
    }
    default:
      return proto::fail(proto::Errc::kMalformed, "a frame that no broker sends");
  }
}

proto::Result<> Session::on_welcome(std::string_view body) {
  if (link_machine_.state() != LinkMachine::State::kGreeting) {
    return proto::fail(proto::Errc::kMalformed, "a second greeting");
  }
  const proto::Result<v1::Welcome> welcome = proto::parse_welcome(body);
  if (!welcome) {
    return welcome.error();
  }
  if (welcome->protocol() < proto::kProtocolMin || welcome->protocol() > proto::kProtocolMax) {
    return proto::fail(proto::Errc::kUnsupported,
                       "the broker chose protocol " + std::to_string(welcome->protocol()));
  }
  broker_.protocol = welcome->protocol();
  broker_.incarnation = welcome->incarnation();
  broker_.epoch = welcome->epoch();
  broker_.shard = welcome->shard();
  broker_.max_frame_bytes = welcome->max_frame_bytes() != 0
                                ? welcome->max_frame_bytes()
                                : static_cast<std::uint32_t>(proto::kMaxFrameBytes);
  sends_.restart(welcome->send_window_bytes());
  const auto or_default = [](std::uint32_t ms, std::int64_t otherwise) {
    return std::chrono::milliseconds(ms != 0 ? ms : otherwise);
  };
  link_machine_.on_welcome(or_default(welcome->heartbeat_ms(), proto::kHeartbeatMs),
                           or_default(welcome->dead_after_ms(), proto::kDeadAfterMs), now_);
  had_session_ = true;
  is_restoring_ = !std::exchange(is_first_, false);
  options_.teller.measure(Metric::kConnects, link_machine_.host().to_string(), 1);
  for (const auto& [id, participant] : participants_) {
    participant->on_session_up();
    mark_ready(id);
  }
  options_.teller.tell(
      ClientEvent(ClientEvent::Kind::kConnected, link_machine_.host().to_string()));
  return {};
}

proto::Result<> Session::on_go_away(std::string_view body) {
  const proto::Result<v1::GoAway> go_away = proto::parse_go_away(body);
  if (!go_away) {
    return go_away.error();
  }
  proto::Error why = go_away->has_error() ? proto::from_wire(go_away->error())
                                          : proto::make_error(proto::Errc::kShuttingDown);
  if (!go_away->draining() || !is_up()) {
    return why;
  }
  link_machine_.on_draining(std::chrono::milliseconds(go_away->drain_ms()), now_);
  emit(ClientEvent::Kind::kDraining, link_machine_.host().to_string(), why);
  return {};
}

proto::Result<> Session::on_response(std::string_view body) {
  proto::Result<v1::Response> response = proto::parse_response(body);
  if (!response) {
    return response.error();
  }
  if (!requests_.was_sent(response->id())) {
    return proto::fail(proto::Errc::kMalformed, "an answer to a request that nobody made");
  }
  requests_.on_response(std::move(*response), now_);
  return {};
}

proto::Result<> Session::on_sent(std::string_view body) {
  const proto::Result<proto::Sent> sent = proto::decode_sent(body);
  if (!sent) {
    return sent.error();
  }
  for (const proto::SentEntry& entry : sent->entries) {
    const std::optional<SendLedger::Origin> origin = sends_.take(entry.send_number);
    if (!origin) {
      return proto::fail(proto::Errc::kMalformed, "an answer to a send that is not open");
    }
    if (entry.code == 0 && (entry.base_offset < 0 || entry.base_offset > kBaseOffsetMax)) {
      return proto::fail(proto::Errc::kMalformed, "a send was stored at an offset that is none");
    }
    if (Participant* const producer = find(origin->producer)) {
      options_.teller.tell_answer(producer->subject(), *origin, entry, now_);
      producer->on_sent(origin->partition, origin->ordinal, entry, now_);
      mark_ready(origin->producer);
    }
  }
  wake_starved();
  return {};
}

proto::Result<> Session::on_settled(std::string_view body) {
  const proto::Result<proto::Settled> settled = proto::decode_settled(body);
  if (!settled) {
    return settled.error();
  }
  proto::Result<std::vector<SettleLedger::Outcome>> done = settles_.on_settled(*settled);
  if (!done) {
    return done.error();
  }
  for (SettleLedger::Outcome& outcome : *done) {
    if (Participant* const participant = find(outcome.channel)) {
      options_.teller.tell_settled(participant->subject(), outcome);
      participant->on_settled(std::move(outcome.batch), outcome.failures);
      mark_ready(outcome.channel);
    }
  }
  return {};
}

proto::Result<> Session::on_deliver(std::string_view body) {
  const proto::Result<proto::Deliver> deliver = proto::decode_deliver(body);
  if (!deliver) {
    return deliver.error();
  }
  if (!is_sound(*deliver)) {
    return proto::fail(proto::Errc::kMalformed, "a delivery of what no batch holds");
  }
  Participant* const consumer = find_alias(deliver->alias);
  if (consumer == nullptr) {
    return {};  // on the way when the subscription ended: the broker takes it back
  }
  mark_ready(consumer->id());
  options_.teller.measure(Metric::kMessagesArrived, consumer->subject(), deliver->count);
  return consumer->on_deliver(*deliver, now_);
}

proto::Result<> Session::on_records(std::string_view body) {
  const proto::Result<proto::Records> records = proto::decode_records(body);
  if (!records) {
    return records.error();
  }
  Participant* const reader = find_alias(records->alias);
  if (reader == nullptr) {
    return {};  // on the way when the subscription ended
  }
  mark_ready(reader->id());
  return reader->on_records(*records);
}

proto::Result<> Session::on_subscription_ended(std::string_view body) {
  const proto::Result<v1::SubscriptionEnded> ended = proto::parse_subscription_ended(body);
  if (!ended) {
    return ended.error();
  }
  if (Participant* const subscriber = find_alias(ended->alias())) {
    unbind(ended->alias());
    mark_ready(subscriber->id());
    subscriber->on_subscription_ended(proto::from_wire(ended->error()));
  }
  return {};
}

// ---- the end

void Session::begin_closing() {
  if (!std::exchange(is_closing_, true)) {
    for (const auto& [id, participant] : participants_) {
      participant->on_closing();
      mark_ready(id);
    }
  }
}

bool Session::is_drained() {
  return settles_.empty() && std::ranges::all_of(participants_, [](const auto& entry) {
           return entry.second->is_settled();
         });
}

void Session::close() {
  link_machine_.stop();
  link_->close();
  for (auto& [channel, batches] : settles_.take_open()) {
    if (Participant* const participant = find(channel)) {
      participant->take_back(std::move(batches));
    }
  }
  is_closed_ = true;
  const auto participants = std::exchange(participants_, {});
  for (const auto& [id, participant] : participants) {
    participant->on_closed(closed_error());
  }
  requests_.cancel_all(to_proto(closed_error()));
}

}  // namespace weir::sdk
