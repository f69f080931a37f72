#include "broker/shard/shard_impl.hpp"
#include "proto/limits.hpp"
#include "proto/settlement.hpp"
#include "storage/log/partition_log.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <type_traits>
#include <utility>

// Requests: everything that is answered by one reply.
namespace weir::shard {

using proto::Errc;
using proto::fail;

void Shard::Impl::reply(proto::SessionId session, std::uint64_t id,
                        proto::Result<core::Reply> reply, std::optional<std::uint32_t> feeds) {
  if (!reply) {
    metrics_.refused_requests.add(reply.error().code, 1);
  }
  open_.effects.push_back({session, ReplyEffect{id, std::move(reply), feeds}});
}

Shard::Impl::Waits Shard::Impl::handle(const Input& input, RequestInput& asked) {
  // What is done in part is done to its end, and told.
  if (is_late(input) && asked.settled.outcomes.empty()) {
    reply(input.session, asked.id, proto::make_error(Errc::kDeadlineExceeded));
    return std::nullopt;
  }
  Answer answered = std::visit(
      [&]<class Command>(const Command& command) {
        if constexpr (std::is_same_v<Command, core::SettleManyByHandle>) {
          return answer(input, asked.settled, command);
        } else {
          return answer(input, asked.id, command);
        }
      },
      asked.request);
  if (const auto* need = std::get_if<core::NeedRows>(&answered)) {
    return *need;
  }
  if (std::holds_alternative<NextTurn>(answered)) {
    return NextTurn{};
  }
  if (auto* ready = std::get_if<proto::Result<core::Reply>>(&answered)) {
    reply(input.session, asked.id, std::move(*ready));
  }
  return std::nullopt;
}

core::QueueInfo Shard::Impl::describe(const core::Queue& queue) const {
  core::QueueInfo info = state_->info(queue, ports_.now());
  info.subscribers = consumers_.count(queue.id());
  return info;
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::CreateQueue& command) {
  const auto records = state_->decide(command);
  if (!records) {
    return records.error();
  }
  apply(*records);
  const auto id = state_->catalog().queue(command.name_space, command.name);
  core::QueueInfo info = describe(*state_->queue(*id));
  info.created = !records->empty();
  return core::Reply{std::move(info)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::CreateTopic& command) {
  const auto records = state_->decide(command);
  if (!records) {
    return records.error();
  }
  apply(*records);
  const auto topic = state_->catalog().topic(command.name_space, command.name);
  core::TopicInfo info = state_->info(**topic);
  info.created = !records->empty();
  return core::Reply{std::move(info)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::DescribeQueue& command) {
  const auto id = state_->catalog().queue(command.name_space, command.name);
  if (!id) {
    return id.error();
  }
  return core::Reply{describe(*state_->queue(*id))};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::DescribeTopic& command) {
  const auto topic = state_->catalog().topic(command.name_space, command.name);
  if (!topic) {
    return topic.error();
  }
  return core::Reply{state_->info(**topic)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::InitProducer& command) {
  const auto records = state_->decide(command, now_);
  if (!records) {
    return records.error();
  }
  apply(*records);
  const auto& started = std::get<core::ProducerStarted>(records->front());
  return core::Reply{core::ProducerInfo{started.id, started.epoch}};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t, const core::Attach& command) {
  core::Attached attached;
  attached.topic = command.topic;
  if (command.topic) {
    const auto topic = state_->catalog().topic(command.name_space, command.name);
    if (!topic) {
      return topic.error();
    }
    attached.id = (*topic)->id.value;
    for (const proto::PartitionId partition : (*topic)->partitions) {
      attached.logs.emplace_back(partition.value);
    }
  } else {
    const auto queue = state_->catalog().queue(command.name_space, command.name);
    if (!queue) {
      return queue.error();
    }
    attached.id = queue->value;
    attached.logs.emplace_back(queue->value);
  }
  return core::Reply{std::move(attached)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t,
                                        const core::Subscribe& command) {
  const auto id = state_->catalog().queue(command.name_space, command.queue);
  if (!id) {
    return id.error();
  }
  if (command.lease_ms && (*command.lease_ms < 1 || *command.lease_ms > proto::kMaxLeaseMs)) {
    return fail(Errc::kInvalidArgument, "lease_ms of a subscription must lie between 1 and " +
                                            std::to_string(proto::kMaxLeaseMs));
  }
  const core::QueueSettings& settings = state_->queue(*id)->definition().settings;
  Consumer consumer;
  consumer.session = input.session;
  consumer.alias = command.alias;
  consumer.queue = *id;
  consumer.lease_ms = command.lease_ms.value_or(settings.lease_ms);
  consumer.window_messages = command.window_messages;
  consumer.window_bytes = command.window_bytes;
  const std::int64_t lease_ms = consumer.lease_ms;
  if (sessions_.contains(input.session)) {
    consumers_.add(std::move(consumer));
    dispatchable_.insert(*id);
  }
  return core::Reply{
      core::Subscribed{*id, lease_ms, settings.max_receive_count, settings.redelivery_delay_ms}};
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t,
                                        const core::Unsubscribe& command) {
  if (const auto consumer = consumers_.remove({input.session, command.alias})) {
    release_grants(*consumer);
    return core::Reply{core::Done{}};
  }
  if (feed_->unsubscribe({input.session, command.alias})) {
    return core::Reply{core::Done{}};
  }
  return fail(Errc::kInvalidArgument, "there is no such subscription on this connection");
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::Receive& command) {
  const auto queue = state_->catalog().queue(command.name_space, command.queue);
  if (!queue) {
    return queue.error();
  }
  constexpr std::uint32_t kMaxReceive = 1000;
  if (command.max_messages == 0 || command.max_messages > kMaxReceive) {
    return fail(Errc::kInvalidArgument, "max_messages must lie between 1 and 1000");
  }
  const std::int64_t lease_ms =
      command.lease_ms.value_or(state_->queue(*queue)->definition().settings.lease_ms);
  if (command.wait_ms < 0 || command.wait_ms > proto::kMaxWaitMs || lease_ms < 0 ||
      lease_ms > proto::kMaxLeaseMs) {
    return fail(Errc::kInvalidArgument, "wait_ms may be at most " +
                                            std::to_string(proto::kMaxWaitMs) + ", lease_ms " +
                                            std::to_string(proto::kMaxLeaseMs));
  }
  constexpr std::uint32_t kDefaultBytes = std::uint32_t{1} << 20;
  Waiter waiter;
  waiter.session = input.session;
  waiter.request_id = id;
  waiter.queue = *queue;
  waiter.max_messages = command.max_messages;
  waiter.max_bytes = command.max_bytes != 0
                         ? std::min<std::uint32_t>(command.max_bytes, 4 * kDefaultBytes)
                         : kDefaultBytes;
  waiter.lease_ms = lease_ms;
  waiter.deadline = input.arrived + command.wait_ms;
  if (input.deadline_ms != 0) {
    waiter.deadline = std::min(waiter.deadline, input.arrived + input.deadline_ms);
  }
  if (sessions_.contains(input.session)) {
    consumers_.add(waiter);
    dispatchable_.insert(*queue);
  }
  return Later{};
}

/// Judged by the time when the input came, as the settlements of a consumer.
std::variant<core::NeedRows, proto::Result<>> Shard::Impl::settle_one(
    const Input& input, const core::SettleByHandle& command) {
  const auto decoded = state_->decode(command);
  if (!decoded) {
    return proto::Result<>(decoded.error());
  }
  // What is known is known of the queue that was asked; a handle may be of another.
  const bool is_known = input.waits && proto::home_of(input.waits->queue) == decoded->queue;
  const auto decided =
      state_->decide(decoded->queue, decoded->range, command.reason, random_for(decoded->range),
                     input.arrived, is_known ? input.known_done : std::nullopt);
  if (const auto* need = std::get_if<core::NeedRows>(&decided)) {
    return *need;
  }
  const auto& decision = std::get<core::ShardState::SettleDecision>(decided);
  if (!decision.failed.empty()) {
    return proto::Result<>(proto::settle_error(decision.failed.front().code));
  }
  count(decoded->queue, &QueueCounters::nacked_messages, decision.nacked);
  apply(decision.records);
  return proto::Result<>();
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t,
                                        const core::SettleByHandle& command) {
  const auto settled = settle_one(input, command);
  if (const auto* need = std::get_if<core::NeedRows>(&settled)) {
    return *need;
  }
  const auto& outcome = std::get<proto::Result<>>(settled);
  return outcome ? proto::Result<core::Reply>(core::Reply{core::Done{}}) : outcome.error();
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, core::SettledMany& settled,
                                        const core::SettleManyByHandle& command) {
  std::size_t share = share_of_turn();
  while (settled.outcomes.size() < command.entries.size()) {
    if (share-- == 0) {
      return NextTurn{};
    }
    const proto::Result<core::SettleByHandle>& entry = command.entries[settled.outcomes.size()];
    const auto one = entry ? settle_one(input, *entry) : proto::Result<>(entry.error());
    if (const auto* need = std::get_if<core::NeedRows>(&one)) {
      return *need;
    }
    settles_left_ -= settles_left_ > 0 ? 1 : 0;
    const auto& outcome = std::get<proto::Result<>>(one);
    if (!outcome) {
      metrics_.refused_settlements.add(outcome.error().code, 1);
    }
    settled.outcomes.push_back(outcome);
  }
  return proto::Result<core::Reply>(core::Reply{std::move(settled)});
}

void Shard::Impl::resolve(const core::TopicCreated& topic,
                          const std::vector<core::PartitionStart>& starts, Resolved done) {
  struct Search {
    std::size_t position = 0;
    storage::LogRef log;
    storage::LogBounds bounds;
    proto::TimeMs time = 0;
  };
  Positions positions;
  std::vector<Search> searches;
  for (const core::PartitionStart& start : starts) {
    if (start.partition >= topic.partitions.size()) {
      done(fail(Errc::kPartitionNotFound,
                "topic '" + topic.name + "' has no partition " + std::to_string(start.partition)));
      return;
    }
    const proto::PartitionId id = topic.partitions[start.partition];
    const core::Partition& partition = *state_->partition(id);
    core::PartitionPosition position{start.partition, partition.log_start, partition.high_watermark,
                                     partition.log_start};
    using At = core::StartPosition::At;
    if (start.from.at == At::kEnd) {
      position.offset = partition.high_watermark;
    } else if (start.from.at == At::kOffset) {
      if (start.from.value < partition.log_start || start.from.value > partition.high_watermark) {
        done(fail(Errc::kOffsetOutOfRange, "partition " + std::to_string(start.partition) +
                                               " holds offsets from " +
                                               std::to_string(partition.log_start) + " to " +
                                               std::to_string(partition.high_watermark) + ", not " +
                                               std::to_string(start.from.value)));
        return;
      }
      position.offset = start.from.value;
    } else if (start.from.at == At::kTime) {
      searches.push_back({positions.size(),
                          {proto::LogId{id.value}, 0},
                          {partition.log_start, partition.high_watermark},
                          start.from.value});
    }
    positions.push_back(position);
  }
  if (searches.empty()) {
    done(positions);
    return;
  }
  metrics_.storage_reads += searches.size();
  ports_.loader->load([this, life = life_, topic_id = topic.id, positions = std::move(positions),
                       searches = std::move(searches),
                       done = std::move(done)](const storage::Reader& reader) {
    auto found = std::make_shared<proto::Result<Positions>>(positions);
    for (const Search& search : searches) {
      const auto offset = storage::find_by_time(reader, search.log, search.bounds, search.time);
      if (!offset) {
        *found = offset.error();
        break;
      }
      (**found)[search.position].offset = offset->value_or(search.bounds.upper);
    }
    return Loader::Continuation([this, life, topic_id, found, done] {
      if (life != life_ || failed_) {
        return;
      }
      const bool is_there = state_->catalog().topics().contains(topic_id);
      done(is_there ? *found : fail(Errc::kTopicNotFound, "the topic was deleted meanwhile"));
      schedule();
    });
  });
}

namespace {

std::vector<core::PartitionStart> all_partitions(const core::TopicCreated& topic,
                                                 core::StartPosition from) {
  std::vector<core::PartitionStart> starts;
  starts.reserve(topic.partitions.size());
  for (std::uint32_t i = 0; i < topic.partitions.size(); ++i) {
    starts.push_back({i, from});
  }
  return starts;
}

}  // namespace

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::SubscribeTopic& command) {
  const auto topic = state_->catalog().topic(command.name_space, command.topic);
  if (!topic) {
    return topic.error();
  }
  const core::TopicCreated& found = **topic;
  const auto starts =
      command.partitions.empty() ? all_partitions(found, command.from) : command.partitions;
  std::set<std::uint32_t> named;
  for (const core::PartitionStart& start : starts) {
    if (!named.insert(start.partition).second) {
      return fail(Errc::kInvalidArgument,
                  "partition " + std::to_string(start.partition) + " is named twice");
    }
  }
  const TopicFeed::Key key{input.session, command.alias};
  resolve(found, starts,
          [this, key, id, topic_id = found.id, messages = command.window_messages,
           bytes = command.window_bytes](const proto::Result<Positions>& positions) {
            const auto session = sessions_.find(key.first);
            if (session == sessions_.end()) {
              return;
            }
            if (!positions) {
              reply(key.first, id, positions.error());
              return;
            }
            const core::TopicCreated& target = state_->catalog().topics().at(topic_id);
            std::vector<TopicFeed::Start> feed_starts;
            for (const core::PartitionPosition& position : *positions) {
              feed_starts.push_back(
                  {target.partitions[position.partition], position.partition, position.offset});
            }
            feed_->subscribe(key, *session->second, target.name, feed_starts, messages, bytes);
            reply(key.first, id, core::Reply{core::SubscribedTopic{topic_id, *positions}},
                  key.second);
          });
  return Later{};
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::ListOffsets& command) {
  const auto topic = state_->catalog().topic(command.name_space, command.topic);
  if (!topic) {
    return topic.error();
  }
  const auto starts = command.partitions.empty() ? all_partitions(**topic, {}) : command.partitions;
  resolve(**topic, starts,
          [this, session = input.session, id](const proto::Result<Positions>& positions) {
            if (!positions) {
              reply(session, id, positions.error());
            } else {
              reply(session, id, core::Reply{core::Offsets{*positions}});
            }
          });
  return Later{};
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::ReadBackup& command) {
  if (!sessions_.contains(input.session)) {
    return Later{};
  }
  backups_.read(input.session, command, state_->identity().incarnation,
                [this, session = input.session, id](proto::Result<core::BackupBlock> block) {
                  if (!sessions_.contains(session)) {
                    return;
                  }
                  if (block) {
                    reply(session, id, core::Reply{*std::move(block)});
                  } else {
                    reply(session, id, block.error());
                  }
                  schedule();
                });
  return Later{};
}

}  // namespace weir::shard
