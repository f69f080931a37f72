#include "broker/net/messages.hpp"
#include "proto/limits.hpp"
#include "proto/setting_fields.hpp"
#include "proto/settlement.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::net {
namespace {

using WireRequest = weir::v1::Request;

// What one Receive may ask for: its answer is one frame, and a batch may come on top.
constexpr std::uint32_t kMaxReceiveBytes = std::uint32_t{8} << 20;
static_assert(kMaxReceiveBytes + proto::kMaxBatchBytes < proto::kMaxFrameBytes);

// A duration beyond any limit of ours stays beyond it, and the core refuses it with its reason.
std::int64_t to_ms(std::uint64_t value) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(value, kMax));
}

core::QueueSettings settings_of(const weir::v1::QueueSettings& settings) {
  core::QueueSettings to;
  for (const core::NumericSetting& setting : core::kNumericSettings) {
    to.*setting.value = proto::number(settings, setting.name);
  }
  for (const core::TextSetting& setting : core::kTextSettings) {
    to.*setting.value = proto::text(settings, setting.name);
  }
  return to;
}

core::UpdateQueue update_of(const weir::v1::UpdateQueue& wire, const std::string& name_space) {
  core::UpdateQueue update;
  update.name_space = name_space;
  update.name = wire.name();
  for (const core::NumericSetting& setting : core::kNumericSettings) {
    if (proto::has_setting(wire, setting.name)) {
      update.changes.*setting.change = proto::number(wire, setting.name);
    }
  }
  for (const core::TextSetting& setting : core::kTextSettings) {
    if (proto::has_setting(wire, setting.name)) {
      update.changes.*setting.change = proto::text(wire, setting.name);
    }
  }
  if (wire.has_receives_paused()) {
    update.changes.receives_paused = wire.receives_paused();
  }
  if (wire.has_sends_paused()) {
    update.changes.sends_paused = wire.sends_paused();
  }
  update.dry_run = wire.dry_run();
  return update;
}

core::MessageFilter filter_of(const weir::v1::MessageFilter& wire) {
  return {.reason = wire.reason(),
          .header = wire.header(),
          .header_value = wire.header_value(),
          .key = wire.key(),
          .died_after = wire.died_after(),
          .died_before = wire.died_before(),
          .message_id = wire.message_id()};
}

proto::Result<core::Request> peek_of(const weir::v1::PeekQueue& wire,
                                     const std::string& name_space) {
  if (wire.state() < weir::v1::MESSAGE_STATE_UNSPECIFIED ||
      wire.state() > weir::v1::MESSAGE_STATE_PARKED) {
    return proto::fail(proto::Errc::kUnsupported, "this broker does not know that state");
  }
  return core::PeekQueue{.name_space = name_space,
                         .queue = wire.queue(),
                         .state = static_cast<core::MessageState>(wire.state()),
                         .from_offset = wire.from_offset(),
                         .max_messages = wire.max_messages(),
                         .filter = filter_of(wire.filter()),
                         .with_attempts = wire.with_attempts()};
}

core::ListPage page_of(const weir::v1::ListPage& page) {
  return core::ListPage{
      .pattern = page.pattern(), .after = page.page_token(), .max_results = page.max_results()};
}

proto::Result<core::StartPosition> position_of(const weir::v1::StartPosition& position) {
  using At = core::StartPosition::At;
  switch (position.at_case()) {
    case weir::v1::StartPosition::kStart:
      return core::StartPosition{.at = At::kStart, .value = 0};
    case weir::v1::StartPosition::kEnd:
      return core::StartPosition{.at = At::kEnd, .value = 0};
    case weir::v1::StartPosition::kOffset:
      return core::StartPosition{.at = At::kOffset, .value = position.offset()};
    case weir::v1::StartPosition::kTimeMs:
      return core::StartPosition{.at = At::kTime, .value = position.time_ms()};
    case weir::v1::StartPosition::AT_NOT_SET:
      break;
  }
  return proto::fail(proto::Errc::kInvalidArgument,
                     "a start position without start, end, offset "
                     "or time");
}

// A partition that names no place of its own begins at `otherwise`.
template <class Partitions>
proto::Result<std::vector<core::PartitionStart>> partitions_of(
    const Partitions& partitions, const std::optional<core::StartPosition>& otherwise) {
  if (static_cast<std::size_t>(partitions.size()) > proto::kMaxPartitionsPerTopic) {
    return proto::fail(proto::Errc::kLimitExceeded, "more partitions than a topic may have");
  }
  std::vector<core::PartitionStart> starts;
  starts.reserve(static_cast<std::size_t>(partitions.size()));
  for (const weir::v1::PartitionStart& partition : partitions) {
    proto::Result<core::StartPosition> from =
        partition.has_from() || !otherwise ? position_of(partition.from()) : *otherwise;
    if (!from) {
      return from.error();
    }
    starts.push_back(core::PartitionStart{.partition = partition.partition(), .from = *from});
  }
  return starts;
}

proto::Result<core::Request> init_producer(const weir::v1::InitProducer& wire) {
  if (wire.previous_epoch() > std::numeric_limits<std::uint16_t>::max()) {
    return proto::fail(proto::Errc::kInvalidArgument, "an epoch has 16 bits");
  }
  return core::InitProducer{.previous = proto::ProducerId(wire.previous_id()),
                            .previous_epoch = static_cast<std::uint16_t>(wire.previous_epoch())};
}

proto::Result<core::Request> attach(const weir::v1::Attach& wire, const std::string& name_space) {
  switch (wire.destination_case()) {
    case weir::v1::Attach::kQueue:
      return core::Attach{.name_space = name_space, .name = wire.queue(), .topic = false};
    case weir::v1::Attach::kTopic:
      return core::Attach{.name_space = name_space, .name = wire.topic(), .topic = true};
    case weir::v1::Attach::DESTINATION_NOT_SET:
      break;
  }
  return proto::fail(proto::Errc::kInvalidArgument, "an attach names a queue or a topic");
}

proto::Result<core::Request> subscribe_topic(const weir::v1::SubscribeTopic& wire,
                                             const std::string& name_space, std::uint32_t alias) {
  core::SubscribeTopic subscribe{.name_space = name_space,
                                 .topic = wire.topic(),
                                 .alias = alias,
                                 .partitions = {},
                                 .from = {},
                                 .window_messages = wire.window_messages(),
                                 .window_bytes = wire.window_bytes()};
  if (wire.has_from()) {
    proto::Result<core::StartPosition> from = position_of(wire.from());
    if (!from) {
      return from.error();
    }
    subscribe.from = *from;
  }
  proto::Result<std::vector<core::PartitionStart>> partitions =
      partitions_of(wire.partitions(), subscribe.from);
  if (!partitions) {
    return partitions.error();
  }
  subscribe.partitions = std::move(*partitions);
  return core::Request(std::move(subscribe));
}

proto::Result<core::SettleByHandle> settle_by_handle(const weir::v1::SettleByHandle& wire,
                                                     const std::string& name_space) {
  core::SettleByHandle settle;
  settle.handle = wire.handle();
  settle.name_space = name_space;
  settle.queue = wire.queue();
  switch (wire.action()) {
    case weir::v1::SETTLE_ACTION_ACK:
      settle.kind = proto::SettleKind::kAck;
      break;
    case weir::v1::SETTLE_ACTION_NACK:
      settle.kind = proto::SettleKind::kNack;
      break;
    case weir::v1::SETTLE_ACTION_RELEASE:
      settle.kind = proto::SettleKind::kRelease;
      break;
    case weir::v1::SETTLE_ACTION_EXTEND:
      settle.kind = proto::SettleKind::kExtend;
      break;
    case weir::v1::SETTLE_ACTION_POISON:
      settle.kind = proto::SettleKind::kPoison;
      break;
    case weir::v1::SETTLE_ACTION_TRANSIENT:
      settle.kind = proto::SettleKind::kTransient;
      break;
    case weir::v1::SETTLE_ACTION_NOT_NOW:
      settle.kind = proto::SettleKind::kNotNow;
      break;
    default:
      return proto::fail(proto::Errc::kUnsupported, "this broker does not know that action");
  }
  if (wire.value_ms() >= proto::kDelayByPolicy) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "a lease has at most 12 hours, a delay at most 30 days");
  }
  settle.value_ms =
      wire.by_policy() ? proto::kDelayByPolicy : static_cast<std::uint32_t>(wire.value_ms());
  settle.reason = proto::reason_of(wire.reason());
  return settle;
}

proto::Result<core::Request> settle_many(const weir::v1::SettleManyByHandle& wire,
                                         const std::string& name_space) {
  const auto count = static_cast<std::size_t>(wire.entries_size());
  if (count == 0 || count > proto::kMaxSettlesPerRequest) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "one request settles 1 to " + std::to_string(proto::kMaxSettlesPerRequest) +
                           " messages, not " + std::to_string(count));
  }
  core::SettleManyByHandle settle;
  settle.entries.reserve(count);
  for (const weir::v1::SettleByHandle& entry : wire.entries()) {
    settle.entries.push_back(settle_by_handle(entry, name_space));
  }
  return core::Request(std::move(settle));
}

/// Unset: the queue's.
template <class Wire>
std::optional<std::int64_t> lease_of(const Wire& request) {
  return request.has_lease_ms() ? std::optional(to_ms(request.lease_ms())) : std::nullopt;
}

/// Of a request that names messages that are put off.
template <class Wire>
core::ChangeDelayed change_of(const Wire& request, const std::string& name_space) {
  return {.name_space = name_space,
          .queue = request.queue(),
          .message_ids = {request.message_ids().begin(), request.message_ids().end()},
          .delay_ms = std::nullopt};
}

core::StartRedrive redrive_of(const weir::v1::StartRedrive& request,
                              const std::string& name_space) {
  core::HeaderChanges headers;
  for (const weir::v1::HeaderToSet& header : request.set_headers()) {
    headers.set.emplace_back(header.name(), header.value());
  }
  headers.remove.assign(request.remove_headers().begin(), request.remove_headers().end());
  return {.name_space = name_space,
          .name = request.name(),
          .target = request.target(),
          .parked = request.parked(),
          .dry_run = request.dry_run(),
          .drop = request.drop(),
          .keep_attempts = request.keep_attempts(),
          .max_messages = request.max_messages(),
          .rate = request.rate(),
          .filter = filter_of(request.filter()),
          .headers = std::move(headers)};
}

}  // namespace

bool is_subscribe(const WireRequest& request) {
  return request.method_case() == WireRequest::kSubscribe ||
         request.method_case() == WireRequest::kSubscribeTopic;
}

proto::Result<core::Request> to_core(const WireRequest& request, const std::string& name_space,
                                     const core::Uuid& uuid, std::uint32_t alias) {
  switch (request.method_case()) {
    case WireRequest::kCreateQueue:
      return core::CreateQueue{.name_space = name_space,
                               .name = request.create_queue().name(),
                               .settings = settings_of(request.create_queue().settings()),
                               .uuid = uuid};
    case WireRequest::kDescribeQueue:
      return core::DescribeQueue{.name_space = name_space, .name = request.describe_queue().name()};
    case WireRequest::kCreateTopic:
      return core::CreateTopic{
          .name_space = name_space,
          .name = request.create_topic().name(),
          .settings = {.partitions = request.create_topic().settings().partitions()},
          .uuid = uuid};
    case WireRequest::kDescribeTopic:
      return core::DescribeTopic{.name_space = name_space, .name = request.describe_topic().name()};
    case WireRequest::kInitProducer:
      return init_producer(request.init_producer());
    case WireRequest::kAttach:
      return attach(request.attach(), name_space);
    case WireRequest::kSubscribe:
      return core::Subscribe{.name_space = name_space,
                             .queue = request.subscribe().queue(),
                             .alias = alias,
                             .lease_ms = lease_of(request.subscribe()),
                             .window_messages = request.subscribe().window_messages(),
                             .window_bytes = request.subscribe().window_bytes()};
    case WireRequest::kSubscribeTopic:
      return subscribe_topic(request.subscribe_topic(), name_space, alias);
    case WireRequest::kUnsubscribe:
      return core::Unsubscribe{.alias = request.unsubscribe().alias()};
    case WireRequest::kReceive:
      return core::Receive{.name_space = name_space,
                           .queue = request.receive().queue(),
                           .max_messages = request.receive().max_messages(),
                           .max_bytes = std::min(request.receive().max_bytes(), kMaxReceiveBytes),
                           .wait_ms = request.receive().wait_ms(),
                           .lease_ms = lease_of(request.receive())};
    case WireRequest::kSettleByHandle: {
      proto::Result<core::SettleByHandle> settle =
          settle_by_handle(request.settle_by_handle(), name_space);
      return settle ? proto::Result<core::Request>(*std::move(settle)) : settle.error();
    }
    case WireRequest::kSettleManyByHandle:
      return settle_many(request.settle_many_by_handle(), name_space);
    case WireRequest::kListOffsets: {
      proto::Result<std::vector<core::PartitionStart>> partitions =
          partitions_of(request.list_offsets().partitions(), std::nullopt);
      if (!partitions) {
        return partitions.error();
      }
      return core::ListOffsets{.name_space = name_space,
                               .topic = request.list_offsets().topic(),
                               .partitions = std::move(*partitions)};
    }
    case WireRequest::kReadBackup:
      return core::ReadBackup{.backup = request.read_backup().backup(),
                              .block = request.read_backup().block()};
    case WireRequest::kListQueues:
      return core::ListQueues{.name_space = name_space,
                              .page = page_of(request.list_queues().page())};
    case WireRequest::kListTopics:
      return core::ListTopics{.name_space = name_space,
                              .page = page_of(request.list_topics().page())};
    case WireRequest::kUpdateQueue:
      return update_of(request.update_queue(), name_space);
    case WireRequest::kPurgeQueue:
      return core::PurgeQueue{.name_space = name_space, .name = request.purge_queue().name()};
    case WireRequest::kStartRedrive:
      return redrive_of(request.start_redrive(), name_space);
    case WireRequest::kCancelRedrive:
      return core::CancelRedrive{.name_space = name_space, .name = request.cancel_redrive().name()};
    case WireRequest::kListRedrives:
      return core::ListRedrives{.name_space = name_space,
                                .page = page_of(request.list_redrives().page())};
    case WireRequest::kDeleteQueue:
      return core::DeleteQueue{.name_space = name_space,
                               .name = request.delete_queue().name(),
                               .force = request.delete_queue().force()};
    case WireRequest::kDeleteTopic:
      return core::DeleteTopic{.name_space = name_space, .name = request.delete_topic().name()};
    case WireRequest::kCreateNamespace:
      return core::CreateNamespace{.name = request.create_namespace().name()};
    case WireRequest::kDescribeNamespace:
      return core::DescribeNamespace{.name = request.describe_namespace().name()};
    case WireRequest::kListNamespaces:
      return core::ListNamespaces{.page = page_of(request.list_namespaces().page())};
    case WireRequest::kDeleteNamespace:
      return core::DeleteNamespace{.name = request.delete_namespace().name()};
    case WireRequest::kListClients:
      return core::ListClients{.page = page_of(request.list_clients().page())};
    case WireRequest::kKickClient:
      return core::KickClient{.session = proto::SessionId(request.kick_client().session())};
    case WireRequest::kPeekQueue:
      return peek_of(request.peek_queue(), name_space);
    case WireRequest::kListDelayed:
      return core::ListDelayed{.name_space = name_space,
                               .queue = request.list_delayed().queue(),
                               .after = request.list_delayed().page_token(),
                               .max_messages = request.list_delayed().max_messages()};
    case WireRequest::kCancelDelayed:
      return change_of(request.cancel_delayed(), name_space);
    case WireRequest::kRescheduleDelayed: {
      core::ChangeDelayed change = change_of(request.reschedule_delayed(), name_space);
      change.delay_ms = proto::number(request.reschedule_delayed(), "delay_ms");
      return change;
    }
    case WireRequest::kReloadConfig:  // the session answers it
    case WireRequest::METHOD_NOT_SET:
      break;
  }
  return proto::fail(proto::Errc::kUnsupported, "this broker does not know that request");
}

}  // namespace weir::net
