#include "tests/unit/client/fake_broker.hpp"

#include "proto/limits.hpp"
#include "proto/wire_message.hpp"
#include "weir/message.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace weir::sdk::test {
namespace {

constexpr std::chrono::seconds kPatience{20};

void check(bool condition) {
  if (!condition) {
    std::abort();
  }
}

proto::BatchBuilder builder_of(const std::vector<std::string>& texts) {
  proto::BatchBuilder builder;
  for (const std::string& text : texts) {
    proto::RecordInput record;
    record.value = text;
    record.timestamp = 1'000;
    builder.add(record);
  }
  return builder;
}

}  // namespace

// ---- peers

void FakeBroker::Peer::write(const std::string& bytes) {
  std::string_view rest = bytes;
  while (is_open_ && !rest.empty()) {
    const ssize_t sent =
        ::send(socket_, rest.data(), std::min(rest.size(), piece_bytes_), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void FakeBroker::Peer::write(proto::FrameType type, const google::protobuf::MessageLite& message) {
  std::string bytes;
  proto::append_frame(type, message, bytes);
  write(bytes);
}

void FakeBroker::Peer::hang_up() {
  if (std::exchange(is_open_, false)) {
    ::shutdown(socket_, SHUT_RDWR);
  }
}

void FakeBroker::Peer::reset() {
  if (std::exchange(is_open_, false)) {
    const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
    check(::connect(socket_, &nobody, sizeof(nobody)) == 0);
  }
}

// ---- life

FakeBroker::FakeBroker() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  check(listener_ >= 0);
  const int on = 1;
  check(::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  check(::listen(listener_, 64) == 0);
  socklen_t length = sizeof(address);
  check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakeBroker::~FakeBroker() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    for (Peer& peer : peers_) {
      peer.hang_up();
    }
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (Peer& peer : peers_) {
    peer.thread_.join();
    ::close(peer.socket_);
  }
  ::close(listener_);
}

std::string FakeBroker::address() const {
  return "weir://127.0.0.1:" + std::to_string(port_);
}

bool FakeBroker::wait(const std::function<bool()>& condition) {
  std::unique_lock lock(mutex_);
  return happened_.wait_for(lock, kPatience, condition);
}

void FakeBroker::set_accepting(bool accepting) {
  const std::lock_guard lock(mutex_);
  is_accepting_ = accepting;
}

void FakeBroker::hang_up() {
  const std::lock_guard lock(mutex_);
  for (Peer& peer : peers_) {
    peer.hang_up();
  }
}

FakeBroker::Peer* FakeBroker::last_peer() {
  return peers_.empty() || !peers_.back().is_open_ ? nullptr : &peers_.back();
}

void FakeBroker::accept_loop() {
  while (true) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (is_stopping_ || socket < 0) {
      if (socket >= 0) {
        ::close(socket);
      }
      return;
    }
    if (!is_accepting_) {
      ::close(socket);
      continue;
    }
    const int on = 1;
    check(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    Peer& peer = peers_.emplace_back();
    peer.number_ = ++connections;
    peer.socket_ = socket;
    peer.piece_bytes_ = piece_bytes;
    peer.thread_ = std::thread([this, &peer] { serve(peer); });
    happened_.notify_all();
  }
}

void FakeBroker::serve(Peer& peer) {
  proto::FrameReader reader(proto::kMaxFrameBytes);
  while (true) {
    const std::span<char> room = reader.prepare();
    const ssize_t received = ::recv(peer.socket_, room.data(), room.size(), 0);
    const std::lock_guard lock(mutex_);
    if (received <= 0 || !peer.is_open_) {
      peer.hang_up();
      happened_.notify_all();
      return;
    }
    reader.commit(static_cast<std::size_t>(received));
    while (peer.is_open_) {
      const proto::Result<std::optional<proto::RawFrame>> frame = reader.next();
      check(frame.has_value());
      if (!*frame) {
        break;
      }
      handle(peer, **frame);
      happened_.notify_all();
    }
  }
}

// ---- frames

void FakeBroker::handle(Peer& peer, const proto::RawFrame& frame) {
  if (on_frame && on_frame(peer, frame) == Answer::kNothing) {
    return;
  }
  switch (frame.type) {
    case proto::FrameType::kHello:
      handle_hello(peer, frame.body);
      break;
    case proto::FrameType::kRequest:
      handle_request(peer, frame.body);
      break;
    case proto::FrameType::kSend:
      handle_send(peer, frame.body);
      break;
    case proto::FrameType::kSettle:
      handle_settle(peer, frame.body);
      break;
    case proto::FrameType::kCredit:
      credits.push_back(*proto::decode_credit(frame.body));
      break;
    case proto::FrameType::kPing: {
      ++pings;
      std::string pong;
      proto::encode_frame(proto::FrameType::kPong, {}, pong);
      peer.write(pong);
      break;
    }
    default:
      break;
  }
}

void FakeBroker::handle_hello(Peer& peer, std::string_view body) {
  hellos.push_back(*proto::parse_hello(body));
  if (refuse_with) {
    peer.write(proto::FrameType::kGoAway, *refuse_with);
    return;
  }
  v1::Welcome welcome;
  welcome.set_protocol(protocol);
  welcome.set_broker("fake");
  welcome.set_incarnation(9);
  welcome.set_epoch(3);
  welcome.set_shard(0);
  welcome.set_max_frame_bytes(static_cast<std::uint32_t>(proto::kMaxFrameBytes));
  welcome.set_heartbeat_ms(heartbeat_ms);
  welcome.set_dead_after_ms(dead_after_ms);
  welcome.set_send_window_bytes(send_window_bytes);
  peer.write(proto::FrameType::kWelcome, welcome);
}

void FakeBroker::handle_request(Peer& peer, std::string_view body) {
  const v1::Request request = *proto::parse_request(body);
  requests.push_back(request);
  if (on_request && on_request(peer, request) == Answer::kNothing) {
    return;
  }
  peer.write(proto::FrameType::kResponse, answer(peer, request));
}

v1::Response FakeBroker::answer(Peer& peer, const v1::Request& request) {
  v1::Response response;
  response.set_id(request.id());
  switch (request.method_case()) {
    case v1::Request::kCreateQueue:
      response.mutable_queue()->set_name(request.create_queue().name());
      response.mutable_queue()->set_created(true);
      *response.mutable_queue()->mutable_settings() = request.create_queue().settings();
      break;
    case v1::Request::kDescribeQueue:
      response.mutable_queue()->set_name(request.describe_queue().name());
      response.mutable_queue()->set_ready(5);
      break;
    case v1::Request::kSettleManyByHandle:
      for (const v1::SettleByHandle& entry : request.settle_many_by_handle().entries()) {
        v1::SettleOutcome& outcome = *response.mutable_settled_many()->add_outcomes();
        if (entry.handle() == "expired") {
          outcome.mutable_error()->set_code(
              static_cast<std::uint32_t>(proto::Errc::kReceiptExpired));
        }
      }
      break;
    case v1::Request::kCreateTopic:
      response.mutable_topic()->set_name(request.create_topic().name());
      *response.mutable_topic()->mutable_settings() = request.create_topic().settings();
      break;
    case v1::Request::kDescribeTopic:
      response.mutable_topic()->set_name(request.describe_topic().name());
      response.mutable_topic()->add_partitions()->set_high_watermark(7);
      break;
    case v1::Request::kUpdateQueue: {
      v1::SettingChange& change = *response.mutable_queue_update()->add_changes();
      change.set_setting("lease_ms");
      change.set_before("30000");
      change.set_after(std::to_string(request.update_queue().lease_ms()));
      response.mutable_queue_update()->mutable_queue()->set_name(request.update_queue().name());
      response.mutable_queue_update()->mutable_queue()->set_sends_paused(true);
      break;
    }
    case v1::Request::kPurgeQueue:
      response.mutable_queue()->set_name(request.purge_queue().name());
      response.mutable_queue()->set_parked(3);
      break;
    case v1::Request::kStartRedrive: {
      v1::RedriveInfo& redrive = *response.mutable_redrive();
      redrive.set_name(request.start_redrive().name());
      redrive.set_target(request.start_redrive().target());
      redrive.set_rate(request.start_redrive().rate());
      *redrive.mutable_filter() = request.start_redrive().filter();
      redrive.set_state(v1::REDRIVE_STATE_RUNNING);
      redrive.set_begun_time(1000);
      break;
    }
    case v1::Request::kCancelRedrive:
      response.mutable_redrive()->set_name(request.cancel_redrive().name());
      response.mutable_redrive()->set_state(v1::REDRIVE_STATE_CANCELLED);
      response.mutable_redrive()->set_why("because");
      break;
    case v1::Request::kListRedrives:
      response.mutable_redrive_list()->add_redrives()->set_state(static_cast<v1::RedriveState>(77));
      response.mutable_redrive_list()->set_next_page_token("next");
      break;
    case v1::Request::kListDelayed: {
      proto::BatchBuilder builder;
      const std::vector<proto::Header> headers = {{"h", "1"}};
      proto::RecordInput record;
      record.value = "later";
      record.headers = headers;
      record.timestamp = 7;
      builder.add(record);
      v1::DelayedMessage& message = *response.mutable_delayed_list()->add_messages();
      message.set_message_id(
          request.list_delayed().page_token() == "bad" ? "bad" : MessageId(1, 2, 3).to_string());
      message.set_due_time(5000);
      message.set_append_time(4000);
      message.set_base_timestamp(7);
      message.set_record(
          builder.finish({}, proto::Compression::kNone).substr(proto::kBatchHeaderBytes));
      response.mutable_delayed_list()->set_next_page_token("next");
      break;
    }
    case v1::Request::kCancelDelayed:
      for (int i = 0; i < request.cancel_delayed().message_ids_size(); ++i) {
        v1::SettleOutcome& outcome = *response.mutable_delayed_changed()->add_outcomes();
        if (i == 1) {
          outcome.mutable_error()->set_code(
              static_cast<std::uint32_t>(proto::Errc::kMessageNotFound));
        }
      }
      break;
    case v1::Request::kRescheduleDelayed:
      response.mutable_delayed_changed()->add_outcomes();
      break;
    case v1::Request::kDeleteQueue:
      response.mutable_queue()->set_name(request.delete_queue().name());
      break;
    case v1::Request::kDeleteTopic:
      response.mutable_topic()->set_name(request.delete_topic().name());
      break;
    case v1::Request::kCreateNamespace:
      response.mutable_name_space()->set_name(request.create_namespace().name());
      response.mutable_name_space()->set_created(true);
      break;
    case v1::Request::kDescribeNamespace:
      response.mutable_name_space()->set_name(request.describe_namespace().name());
      response.mutable_name_space()->set_queues(2);
      break;
    case v1::Request::kDeleteNamespace:
      response.mutable_name_space()->set_name(request.delete_namespace().name());
      break;
    case v1::Request::kListNamespaces:
      response.mutable_namespace_list()->add_namespaces()->set_topics(3);
      break;
    case v1::Request::kListClients:
      response.mutable_client_list()->add_clients()->set_service("checkout");
      break;
    case v1::Request::kKickClient:
      response.mutable_client()->set_session(request.kick_client().session());
      break;
    case v1::Request::kReloadConfig: {
      v1::ConfigReload& reload = *response.mutable_config_reload();
      reload.set_file("weir.toml");
      reload.add_taken()->set_setting("drain_ms");
      reload.mutable_taken(0)->set_before("5");
      reload.mutable_taken(0)->set_after("6");
      reload.add_left()->set_setting("listen");
      reload.add_unchanged("http");
      break;
    }
    case v1::Request::kListQueues: {
      // Two pages.
      const bool is_first = request.list_queues().page().page_token().empty();
      response.mutable_queue_list()->add_queues()->set_name(is_first ? "a" : "b");
      response.mutable_queue_list()->set_next_page_token(is_first ? "a" : "");
      break;
    }
    case v1::Request::kListTopics:
      response.mutable_topic_list()->add_topics()->add_partitions()->set_high_watermark(7);
      break;
    case v1::Request::kInitProducer: {
      const auto [id, epoch] = model.init_producer(request.init_producer().previous_id(),
                                                   request.init_producer().previous_epoch());
      response.mutable_producer()->set_id(id);
      response.mutable_producer()->set_epoch(static_cast<std::uint32_t>(epoch));
      break;
    }
    case v1::Request::kAttach: {
      const std::uint32_t alias = next_alias_++;
      peer.destinations_[alias] =
          request.attach().has_topic() ? request.attach().topic() : request.attach().queue();
      response.mutable_attached()->set_alias(alias);
      response.mutable_attached()->set_id(77);
      response.mutable_attached()->set_partitions(request.attach().has_topic() ? partitions : 1);
      break;
    }
    case v1::Request::kSubscribe:
      subscription_alias = next_alias_++;
      response.mutable_subscribed()->set_alias(subscription_alias);
      response.mutable_subscribed()->set_id(77);
      response.mutable_subscribed()->set_redelivery_delay_ms(redelivery_delay_ms);
      break;
    case v1::Request::kSubscribeTopic:
      subscription_alias = next_alias_++;
      response.mutable_subscribed_topic()->set_alias(subscription_alias);
      for (const v1::PartitionPosition& position : positions) {
        *response.mutable_subscribed_topic()->add_positions() = position;
      }
      break;
    case v1::Request::kListOffsets:
      for (const v1::PartitionPosition& position : positions) {
        *response.mutable_offsets()->add_positions() = position;
      }
      break;
    default:
      response.mutable_done();
      break;
  }
  return response;
}

void FakeBroker::handle_send(Peer& peer, std::string_view body) {
  const proto::Send send = *proto::decode_send(body);
  sends.push_back(
      {peer.number(), send.send_number, send.deadline_ms, *proto::parse_batch_header(send.batch)});
  check(peer.destinations_.contains(send.alias));
  if (on_send && on_send(peer, send) == Answer::kNothing) {
    return;
  }
  proto::Sent sent;
  sent.entries.push_back(model.append(send.partition, send.batch));
  sent.entries.back().send_number = send.send_number;
  sent.entries.back().append_time = 1'234;
  peer.write_frame(sent);
}

void FakeBroker::handle_settle(Peer& peer, std::string_view body) {
  const proto::Settle settle = *proto::decode_settle(body);
  for (const proto::SettleRange& range : settle.ranges) {
    settled.push_back({peer.number(), range, std::string(settle.reason_of(range))});
  }
  if (on_settle && on_settle(peer, settle) == Answer::kNothing) {
    return;
  }
  proto::Settled answer;
  answer.up_to = settle.settle_number;
  peer.write_frame(answer);
}

// ---- what tests say

std::string FakeBroker::batch(const std::vector<std::string>& texts, proto::Offset base_offset) {
  std::string batch = builder_of(texts).finish({}, proto::Compression::kNone);
  proto::poke_offset_and_epoch(batch, base_offset, 0);
  return batch;
}

std::string FakeBroker::records(const std::vector<std::string>& texts) {
  return batch(texts, 0).substr(proto::kBatchHeaderBytes);
}

void FakeBroker::deliver(std::uint64_t grant, const std::vector<std::string>& texts,
                         std::uint16_t attempts, std::uint32_t lease_ms) {
  const std::string bytes = records(texts);
  proto::Deliver frame;
  frame.alias = subscription_alias;
  frame.count = static_cast<std::uint32_t>(texts.size());
  frame.span = frame.count;
  frame.lease_ms = lease_ms;
  frame.grant = proto::GrantId(grant);
  frame.nonce = 1'000 + grant;
  frame.base_offset = static_cast<proto::Offset>(100 * grant);
  frame.base_timestamp = 1'000;
  frame.attempts = frame.failures = frame.losses = attempts;
  frame.generation = 1;
  frame.origin = 77;
  frame.records = bytes;
  last_peer()->write_frame(frame);
}

void FakeBroker::send_records(std::string_view bytes, proto::Offset end_offset,
                              std::size_t cut_bytes) {
  while (!bytes.empty()) {
    proto::Records frame;
    frame.alias = subscription_alias;
    frame.bytes = bytes.substr(0, cut_bytes);
    bytes.remove_prefix(frame.bytes.size());
    frame.next_offset = bytes.empty() ? end_offset : 0;
    frame.high_watermark = end_offset;
    last_peer()->write_frame(frame);
  }
}

void FakeBroker::end_subscription(const std::string& message) {
  v1::SubscriptionEnded ended;
  ended.set_alias(subscription_alias);
  *ended.mutable_error() = proto::to_wire(proto::fail(proto::Errc::kCorruptBatch, message));
  last_peer()->write(proto::FrameType::kSubscriptionEnded, ended);
}

std::vector<proto::SettleRange> FakeBroker::ranges(proto::SettleKind kind) const {
  std::vector<proto::SettleRange> found;
  for (const RecordedRange& recorded : settled) {
    if (recorded.range.kind == kind) {
      found.push_back(recorded.range);
    }
  }
  return found;
}

std::vector<std::string> FakeBroker::reasons() const {
  std::vector<std::string> found;
  for (const RecordedRange& recorded : settled) {
    if (!recorded.reason.empty()) {
      found.push_back(recorded.reason);
    }
  }
  return found;
}

}  // namespace weir::sdk::test
