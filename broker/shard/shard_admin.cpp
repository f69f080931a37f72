#include "broker/shard/shard_impl.hpp"

#include <string>
#include <utility>

// Requests that change what exists.
namespace weir::shard {

using proto::Errc;
using proto::fail;

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::UpdateQueue& command) {
  auto decision = state_->decide(command);
  if (!decision) {
    return decision.error();
  }
  if (decision->record && !command.dry_run) {
    apply(core::Record{*std::move(decision->record)});
  }
  const auto id = state_->catalog().queue(command.name_space, command.name);
  return core::Reply{
      core::QueueUpdate{describe(*state_->queue(*id)), std::move(decision->changes)}};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::PurgeQueue& command) {
  const auto record = state_->decide(command);
  if (!record) {
    return record.error();
  }
  core::QueueInfo before = describe(*state_->queue(record->queue));
  count(record->queue, &QueueCounters::purged_messages, before.messages());
  apply(core::Record{*record});
  state_->for_each_lane(record->queue,
                        [this](const core::Queue& lane) { attempts_.forget(lane.id()); });
  return core::Reply{std::move(before)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::DeleteQueue& command) {
  const auto records = state_->decide(command);
  if (!records) {
    return records.error();
  }
  const proto::QueueId id = std::get<core::QueueDeleted>(records->back()).queue;
  core::QueueInfo before = describe(*state_->queue(id));
  const proto::Error gone = fail(Errc::kQueueNotFound, "queue '" + before.name + "' was deleted");
  for (const Consumers::Key& key : consumers_.keys_of(id)) {
    end_subscription(*consumers_.find(key), gone);
  }
  for (const Waiter& waiter : consumers_.take_waiters(id)) {
    reply(waiter.session, waiter.request_id, gone);
  }
  due_.erase(id);
  budgets_.erase(id);
  next_stuck_.erase(id);
  known_until_.erase(id);
  metrics_.purged_messages += before.messages();
  state_->for_each_lane(id, [this](const core::Queue& lane) { attempts_.forget(lane.id()); });
  apply(*records);
  counts_.forget(id);
  return core::Reply{std::move(before)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::DeleteTopic& command) {
  const auto record = state_->decide(command);
  if (!record) {
    return record.error();
  }
  const core::TopicCreated& topic = state_->catalog().topics().at(record->topic);
  core::TopicInfo before = state_->info(topic);
  const proto::Error gone = fail(Errc::kTopicNotFound, "topic '" + topic.name + "' was deleted");
  for (const proto::PartitionId partition : topic.partitions) {
    for (const TopicFeed::Key& key : feed_->take_readers(partition)) {
      open_.effects.push_back({key.first, EndedEffect{key.second, gone}});
    }
  }
  apply(core::Record{*record});
  return core::Reply{std::move(before)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::CreateNamespace& command) {
  const auto records = state_->decide(command);
  if (!records) {
    return records.error();
  }
  apply(*records);
  core::NamespaceInfo info = state_->info(*state_->catalog().name_space(command.name));
  info.created = !records->empty();
  return core::Reply{std::move(info)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::DescribeNamespace& command) {
  const auto id = state_->catalog().name_space(command.name);
  if (!id) {
    return id.error();
  }
  return core::Reply{state_->info(*id)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::DeleteNamespace& command) {
  const auto record = state_->decide(command);
  if (!record) {
    return record.error();
  }
  core::NamespaceInfo before = state_->info(record->id);
  apply(core::Record{*record});
  return core::Reply{std::move(before)};
}

core::ClientInfo Shard::Impl::describe(proto::SessionId session,
                                       const core::ClientFacts& facts) const {
  const Consumers::Held held = consumers_.held_by(session);
  return {session, facts, held.subscriptions + feed_->count(session), held.messages};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::KickClient& command) {
  const auto found = clients_.find(command.session);
  if (found == clients_.end()) {
    return fail(Errc::kInvalidArgument,
                "there is no connection with the session " + std::to_string(command.session.value));
  }
  core::ClientInfo before = describe(found->first, found->second);
  open_.effects.push_back(
      {command.session,
       KickedEffect{proto::make_error(Errc::kKicked, "an operator has ended this connection")}});
  return core::Reply{std::move(before)};
}

}  // namespace weir::shard
