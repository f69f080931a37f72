#include "broker/net/session_machine.hpp"

#include "broker/net/messages.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"
#include "proto/planted_bugs.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

namespace weir::net {
namespace {

using proto::Errc;
using proto::fail;
using proto::FrameType;

proto::Error malformed(std::string message) {
  return fail(Errc::kMalformed, std::move(message));
}

bool ends_messages(proto::SettleKind kind) {
  return kind != proto::SettleKind::kStarted && kind != proto::SettleKind::kExtend;
}

bool ends_message(const weir::v1::SettleByHandle& settle) {
  return settle.action() != weir::v1::SETTLE_ACTION_EXTEND;
}

// How many messages are no longer the client's; `ends` says which entries of the request are to end
// theirs.
std::uint64_t ended_by(const std::vector<bool>& ends, const core::Reply& reply) {
  const auto* many = std::get_if<core::SettledMany>(&reply);
  std::uint64_t ended = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    ended += ends[i] && (many == nullptr || many->outcomes[i]) ? 1 : 0;
  }
  return ended;
}

}  // namespace

SessionMachine::SessionMachine(SessionOutlet& outlet, Outbox& outbox, SendBudget& budget,
                               std::function<core::Uuid()> uuid, MonoMs now)
    : outlet_(outlet), outbox_(outbox), budget_(budget), uuid_(std::move(uuid)), liveness_(now) {}

SessionMachine::~SessionMachine() {
  if (!WEIR_PLANTED(leak_send_credit)) {
    budget_.close(window_);
  }
}

std::size_t SessionMachine::max_frame_bytes() const {
  const bool is_known = phase_ != Phase::kGreeting || WEIR_PLANTED(large_frames_before_hello);
  return is_known ? proto::kMaxFrameBytes : proto::kMaxFrameBytesBeforeHello;
}

proto::Result<> SessionMachine::on_frame(const proto::RawFrame& frame, MonoMs now) {
  if (phase_ == Phase::kClosed) {
    return {};
  }
  if (phase_ == Phase::kGreeting &&
      !(WEIR_PLANTED(work_before_hello) && frame.type != FrameType::kHello)) {
    if (frame.type != FrameType::kHello) {
      return malformed("the first frame of a client is Hello");
    }
    return on_hello(frame.body, now);
  }
  switch (frame.type) {
    case FrameType::kRequest:
      return on_request(frame.body);
    case FrameType::kSend:
      return on_send(frame.body);
    case FrameType::kSettle:
      return on_settle(frame.body);
    case FrameType::kCredit:
      return on_credit(frame.body);
    case FrameType::kPing:
      proto::encode_frame(FrameType::kPong, {}, outbox_.control());
      return {};
    case FrameType::kPong:
      return {};
    case FrameType::kHello:
      return malformed("Hello comes once");
    default:
      return malformed("a client does not send frames of type " +
                       std::to_string(static_cast<unsigned>(frame.type)));
  }
}

proto::Result<> SessionMachine::on_hello(std::string_view body, MonoMs now) {
  const proto::Result<weir::v1::Hello> hello = proto::parse_hello(body);
  if (!hello) {
    return hello.error();
  }
  if (hello->protocol_max() < proto::kProtocolMin || hello->protocol_min() > proto::kProtocolMax ||
      hello->protocol_min() > hello->protocol_max()) {
    return fail(Errc::kUnsupported, "this broker speaks protocol " +
                                        std::to_string(proto::kProtocolMin) + " to " +
                                        std::to_string(proto::kProtocolMax));
  }
  name_space_ =
      hello->namespace_().empty() ? std::string(proto::kDefaultNamespace) : hello->namespace_();
  if (proto::Result<> checked = proto::check_namespace_name(name_space_); !checked) {
    return checked.error();
  }
  phase_ = Phase::kOpen;
  liveness_.on_hello(now);
  window_ = budget_.open();
  const BrokerFacts facts = outlet_.open({.client = proto::printable(hello->client()),
                                          .service = proto::printable(hello->service()),
                                          .name_space = name_space_});

  weir::v1::Welcome welcome;
  welcome.set_protocol(std::min<std::uint32_t>(hello->protocol_max(), proto::kProtocolMax));
  welcome.set_broker("weir/" WEIR_VERSION);
  welcome.set_session(facts.session.value);
  welcome.set_incarnation(facts.incarnation);
  welcome.set_max_frame_bytes(static_cast<std::uint32_t>(proto::kMaxFrameBytes));
  welcome.set_heartbeat_ms(static_cast<std::uint32_t>(proto::kHeartbeatMs));
  welcome.set_dead_after_ms(static_cast<std::uint32_t>(proto::kDeadAfterMs));
  welcome.set_send_window_bytes(window_);
  welcome.set_epoch(facts.epoch);
  welcome.set_shard(facts.shard);
  proto::append_frame(FrameType::kWelcome, welcome, outbox_.control());
  if (drain_after_hello_ms_) {
    drain(*drain_after_hello_ms_);
  }
  return {};
}

// ---- sends

proto::Result<> SessionMachine::on_send(std::string_view body) {
  const proto::Result<proto::Send> send = proto::decode_send(body);
  if (!send) {
    return send.error();
  }
  if (send->send_number != last_send_ + 1) {
    return malformed("send numbers count 1, 2, 3 …");
  }
  const std::size_t bytes = send->batch.size();
  if (!open_sends_.empty() && open_send_bytes_ + bytes > window_ &&
      !WEIR_PLANTED(allow_sends_beyond_credit)) {
    return malformed("more bytes of unanswered sends than the credit of " +
                     std::to_string(window_));
  }
  const auto found = destinations_.find(send->alias);
  if (found == destinations_.end()) {
    return malformed("a send to an alias that was not attached");
  }
  last_send_ = send->send_number;
  open_sends_.emplace(last_send_, bytes);
  open_send_bytes_ += bytes;
  if (open_send_bytes_ > window_ / 2) {
    const std::uint32_t larger = budget_.grow(window_);
    if (larger != window_) {
      window_ = larger;
      proto::encode(proto::SendCredit{.window_bytes = window_}, outbox_.control());
    }
  }

  const Destination& destination = found->second;
  if (send->partition >= destination.logs.size()) {
    refuse_send(*send, fail(Errc::kPartitionNotFound, "no such partition"));
    return {};
  }
  proto::Result<proto::BatchColumns> columns = proto::validate_batch(
      send->batch, destination.topic ? proto::BatchUse::kTopic : proto::BatchUse::kQueue);
  if (!columns) {
    outlet_.on_bad_batch(columns.error());
    refuse_send(*send, columns.error());
    return {};
  }
  core::SendBatch batch;
  batch.log = destination.logs[send->partition];
  batch.topic = destination.topic;
  batch.send_number = send->send_number;
  batch.stored.reserve(proto::kStoredHeaderBytes + bytes);
  batch.stored.assign(proto::kStoredHeaderBytes, '\0');
  batch.stored.append(send->batch);
  batch.columns = std::move(*columns);
  outlet_.send(std::move(batch), send->deadline_ms);
  return {};
}

void SessionMachine::refuse_send(const proto::Send& send, const proto::Error& error) {
  proto::SentEntry entry;
  entry.send_number = send.send_number;
  entry.code = static_cast<std::uint16_t>(error.code);
  entry.retry_after_ms = error.retry_after_ms;
  on_sent(entry);
}

void SessionMachine::on_sent(const proto::SentEntry& entry) {
  const auto open = open_sends_.find(entry.send_number);
  if (phase_ != Phase::kOpen || open == open_sends_.end()) {
    return;
  }
  open_send_bytes_ -= open->second;
  open_sends_.erase(open);
  sent_.entries.push_back(entry);
}

// ---- what a consumer says

proto::Result<> SessionMachine::on_settle(std::string_view body) {
  proto::Result<proto::Settle> settle = proto::decode_settle(body);
  if (!settle) {
    return settle.error();
  }
  if (settle->settle_number != last_settle_ + 1) {
    return malformed("settle numbers count 1, 2, 3 …");
  }
  proto::QueueId queue;
  if (const auto subscription = subscriptions_.find(settle->alias);
      subscription != subscriptions_.end()) {
    queue = subscription->second.queue;
  } else if (const auto destination = destinations_.find(settle->alias);
             destination != destinations_.end() && !destination->second.topic) {
    queue = proto::QueueId(destination->second.id);
  }
  if (queue.value == 0) {
    return malformed("a settlement for an alias that stands for no queue");
  }
  last_settle_ = settle->settle_number;
  std::uint64_t messages = 0;
  for (const proto::SettleRange& range : settle->ranges) {
    messages += std::min(range.count, proto::kMaxBatchRecords);
  }
  open_settles_.push_back({last_settle_, body.size(), messages});
  open_settle_bytes_ += body.size();
  open_settled_messages_ += messages;
  if (open_settle_bytes_ > kMaxOpenSettleBytes ||
      open_settled_messages_ > kMaxOpenSettledMessages) {
    return malformed("too many settlements without waiting for an answer");
  }
  for (const proto::SettleRange& range : settle->ranges) {
    if (ends_messages(range.kind)) {
      unsettled_ -= std::min<std::uint64_t>(unsettled_, range.count);
    }
  }
  outlet_.settle(queue, std::move(*settle));
  return {};
}

void SessionMachine::on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) {
  while (!open_settles_.empty() && open_settles_.front().number <= up_to) {
    open_settle_bytes_ -= open_settles_.front().bytes;
    open_settled_messages_ -= open_settles_.front().messages;
    open_settles_.pop_front();
  }
  if (settled_.failed.size() + failed.size() > proto::Settled::kMaxFailures) {
    write_settled();
  }
  settled_.up_to = std::max(settled_.up_to, up_to);
  settled_.failed.insert(settled_.failed.end(), failed.begin(), failed.end());
  has_settled_ = true;
}

proto::Result<> SessionMachine::on_credit(std::string_view body) {
  const proto::Result<proto::Credit> credit = proto::decode_credit(body);
  if (!credit) {
    return credit.error();
  }
  if (credit->alias == 0 || credit->alias >= next_alias_) {
    return malformed("credit for an alias that was never given");
  }
  const auto found = subscriptions_.find(credit->alias);
  if (found == subscriptions_.end() || !found->second.active) {
    return {};  // crossed with the end of the subscription
  }
  found->second.last_credit = *credit;
  if (!draining_) {
    outlet_.set_credit(*credit);
  }
  return {};
}

void SessionMachine::on_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  if (phase_ == Phase::kOpen) {
    unsettled_ += delivery.count;
    outbox_.add_delivery(alias, delivery);
  }
}

void SessionMachine::on_topic_batch(const shard::TopicBatch& batch) {
  if (phase_ == Phase::kOpen) {
    outbox_.add_topic_batch(batch);
  }
}

// ---- requests

proto::Result<> SessionMachine::on_request(std::string_view body) {
  const proto::Result<weir::v1::Request> request = proto::parse_request(body);
  if (!request) {
    return request.error();
  }
  if (requests_.contains(request->id())) {
    return malformed("a request with the id of one that is still open");
  }
  if (proto::Result<> busy = refuse_if_busy(*request); !busy) {
    refuse(request->id(), busy.error());
    return {};
  }
  if (request->has_reload_config()) {
    answer_reload(request->id());
    return {};
  }
  const bool is_create = request->has_create_queue() || request->has_create_topic();
  const core::Uuid uuid = is_create ? uuid_() : core::Uuid{};
  proto::Result<core::Request> command = to_core(*request, name_space_, uuid, next_alias_);
  if (!command) {
    refuse(request->id(), command.error());
    return {};
  }
  OpenRequest open;
  open.bytes = body.size();
  remember(open, *request);
  request_bytes_ += open.bytes;
  requests_.emplace(request->id(), std::move(open));
  outlet_.request(request->id(), std::move(*command), request->deadline_ms());
  return {};
}

// The settings are not the shard's: it is answered at once.
void SessionMachine::answer_reload(std::uint64_t request_id) {
  const proto::Result<ConfigReload> reload = outlet_.reload_config();
  if (!reload) {
    outlet_.on_refused(request_id, reload.error());
    refuse(request_id, reload.error());
    return;
  }
  proto::append_frame(FrameType::kResponse, to_wire(request_id, *reload), outbox_.control());
}

proto::Result<> SessionMachine::refuse_if_busy(const weir::v1::Request& request) const {
  if (requests_.size() >= kMaxOpenRequests || request_bytes_ > kMaxOpenRequestBytes) {
    return fail(Errc::kLimitExceeded, "too many open requests on one connection");
  }
  if (draining_ && (is_subscribe(request) || request.has_receive())) {
    return fail(Errc::kShuttingDown, "the broker is shutting down");
  }
  if (is_subscribe(request)) {
    if (active_subscriptions_ >= proto::kMaxSubscriptionsPerConnection) {
      return fail(Errc::kLimitExceeded, "a connection has at most " +
                                            std::to_string(proto::kMaxSubscriptionsPerConnection) +
                                            " subscriptions");
    }
    if (subscriptions_.size() >= kMaxSubscriptionsEver) {
      return fail(Errc::kLimitExceeded, "too many subscriptions were made on this connection");
    }
  }
  if (request.has_attach() && destinations_.size() >= kMaxAttached) {
    return fail(Errc::kLimitExceeded, "too many destinations are attached to this connection");
  }
  if (request.has_unsubscribe()) {
    const auto found = subscriptions_.find(request.unsubscribe().alias());
    if (found == subscriptions_.end() || !found->second.active) {
      return fail(Errc::kInvalidArgument, "there is no such subscription");
    }
  }
  return {};
}

void SessionMachine::remember(OpenRequest& open, const weir::v1::Request& request) {
  using Kind = OpenRequest::Kind;
  if (is_subscribe(request)) {
    open.kind = Kind::kSubscribe;
    open.alias = next_alias_++;
    subscriptions_.emplace(open.alias, Subscription());
    ++active_subscriptions_;
  } else if (request.has_unsubscribe()) {
    open.kind = Kind::kUnsubscribe;
    open.alias = request.unsubscribe().alias();
  } else if (request.has_attach()) {
    open.kind = Kind::kAttach;
    open.destination = request.attach().has_topic() ? "t" + request.attach().topic()
                                                    : "q" + request.attach().queue();
  } else if (request.has_receive()) {
    open.kind = Kind::kReceive;
    ++waiting_receives_;
  } else if (request.has_settle_by_handle()) {
    open.kind = Kind::kSettle;
    open.ends.push_back(ends_message(request.settle_by_handle()));
  } else if (request.has_settle_many_by_handle()) {
    open.kind = Kind::kSettle;
    for (const weir::v1::SettleByHandle& entry : request.settle_many_by_handle().entries()) {
      open.ends.push_back(ends_message(entry));
    }
  }
}

void SessionMachine::on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) {
  const auto found = requests_.find(request_id);
  if (phase_ != Phase::kOpen || found == requests_.end()) {
    return;
  }
  const OpenRequest open = std::move(found->second);
  requests_.erase(found);
  request_bytes_ -= open.bytes;
  if (!reply) {
    outlet_.on_refused(request_id, reply.error());
  }
  const std::uint32_t alias = finish(open, reply);
  const weir::v1::Response response =
      reply ? to_wire(request_id, *reply, alias) : to_wire(request_id, reply.error());
  proto::append_frame(FrameType::kResponse, response, outbox_.control());
}

// Takes over what the reply means for this session and gives the alias that stands in it.
std::uint32_t SessionMachine::finish(const OpenRequest& open,
                                     const proto::Result<core::Reply>& reply) {
  using Kind = OpenRequest::Kind;
  switch (open.kind) {
    case Kind::kAttach:
      return reply ? attach(open.destination, std::get<core::Attached>(*reply)) : 0;
    case Kind::kSubscribe:
      if (!reply) {
        end_subscription(open.alias);
        subscriptions_.erase(open.alias);
      } else if (const auto* subscribed = std::get_if<core::Subscribed>(&*reply)) {
        subscriptions_.at(open.alias).queue = subscribed->id;
      }
      return open.alias;
    case Kind::kUnsubscribe:
      if (reply) {
        end_subscription(open.alias);
      }
      return open.alias;
    case Kind::kReceive:
      --waiting_receives_;
      if (reply) {
        for (const core::Delivery& delivery : std::get<core::Received>(*reply).deliveries) {
          unsettled_ += delivery.count;
        }
      }
      return 0;
    case Kind::kSettle:
      if (reply) {
        unsettled_ -= std::min(unsettled_, ended_by(open.ends, *reply));
      }
      return 0;
    case Kind::kOther:
      break;
  }
  return 0;
}

// Its end may have been told before: by the peer, which need not wait for the answer to Subscribe,
// by that answer, or by the shard.
void SessionMachine::end_subscription(std::uint32_t alias) {
  if (const auto found = subscriptions_.find(alias);
      found != subscriptions_.end() && std::exchange(found->second.active, false)) {
    --active_subscriptions_;
  }
}

void SessionMachine::on_subscription_ended(std::uint32_t alias, const proto::Error& why) {
  if (phase_ != Phase::kOpen) {
    return;
  }
  end_subscription(alias);
  weir::v1::SubscriptionEnded ended;
  ended.set_alias(alias);
  *ended.mutable_error() = proto::to_wire(why);
  std::string frame;
  proto::append_frame(FrameType::kSubscriptionEnded, ended, frame);
  outbox_.add_behind_bulk(std::move(frame));
}

std::uint32_t SessionMachine::attach(const std::string& name, const core::Attached& attached) {
  Destination destination{.topic = attached.topic, .id = attached.id, .logs = attached.logs};
  const auto known = aliases_.find(name);
  if (known != aliases_.end() && destinations_.at(known->second).id == attached.id) {
    destinations_.at(known->second) = std::move(destination);
    return known->second;
  }
  const std::uint32_t alias = next_alias_++;
  destinations_.emplace(alias, std::move(destination));
  aliases_[name] = alias;
  return alias;
}

void SessionMachine::refuse(std::uint64_t request_id, const proto::Error& error) {
  proto::append_frame(FrameType::kResponse, to_wire(request_id, error), outbox_.control());
}

// ---- life

void SessionMachine::flush() {
  if (phase_ != Phase::kOpen) {
    return;
  }
  if (!sent_.entries.empty()) {
    proto::encode(sent_, outbox_.control());
    sent_.entries.clear();
  }
  if (has_settled_) {
    write_settled();
  }
}

void SessionMachine::write_settled() {
  proto::encode(settled_, outbox_.control());
  settled_.failed.clear();
  has_settled_ = false;
}

proto::Result<> SessionMachine::on_tick(MonoMs now) {
  if (phase_ == Phase::kClosed) {
    return {};
  }
  switch (liveness_.check(now)) {
    case Liveness::Verdict::kHelloLate:
      return fail(Errc::kDeadlineExceeded, "no Hello came in time");
    case Liveness::Verdict::kDead:
      return fail(Errc::kDeadlineExceeded, "nothing was heard from the client for too long");
    case Liveness::Verdict::kPing:
      proto::encode_frame(FrameType::kPing, {}, outbox_.control());
      return {};
    case Liveness::Verdict::kFine:
      return {};
  }
  return {};
}

void SessionMachine::drain(std::uint32_t drain_ms) {
  if (phase_ == Phase::kGreeting) {
    drain_after_hello_ms_ = drain_ms;
  }
  if (draining_ || phase_ != Phase::kOpen) {
    return;
  }
  draining_ = true;
  weir::v1::GoAway go_away;
  *go_away.mutable_error() =
      proto::to_wire(fail(Errc::kShuttingDown, "the broker is shutting down"));
  go_away.set_draining(true);
  go_away.set_drain_ms(drain_ms);
  proto::append_frame(FrameType::kGoAway, go_away, outbox_.control());
  for (auto& [alias, subscription] : subscriptions_) {
    if (subscription.active) {
      proto::Credit none = subscription.last_credit;  // what was consumed stays said
      none.alias = alias;
      none.window_messages = 0;
      none.window_bytes = 0;
      outlet_.set_credit(none);
    }
  }
}

bool SessionMachine::is_quiet() const {
  return phase_ != Phase::kOpen || (open_sends_.empty() && open_settles_.empty() &&
                                    unsettled_ == 0 && requests_.size() == waiting_receives_);
}

void SessionMachine::say_goodbye(const proto::Error& why) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  flush();
  phase_ = Phase::kClosed;
  outbox_.drop_bulk();
  weir::v1::GoAway go_away;
  *go_away.mutable_error() = proto::to_wire(why);
  proto::append_frame(FrameType::kGoAway, go_away, outbox_.control());
}

}  // namespace weir::net
