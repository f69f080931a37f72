#include "broker/core/shard_state.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

// Decisions about what exists: namespaces, queues, topics, producers.
namespace weir::core {

using proto::Errc;
using proto::fail;

namespace {

constexpr proto::TimeMs kForgetProducerMs = std::int64_t{7} * 24 * 3600 * 1000;

}  // namespace

std::vector<Record> ShardState::decide_start() const {
  Records records;
  if (imported_) {
    IncarnationRaised raised = decide_new_incarnation();
    raised.incarnation = std::max(raised.incarnation, *imported_);
    records.emplace_back(raised);
  }
  if (catalog_.empty()) {
    records.emplace_back(NamespaceCreated{proto::NamespaceId{allocator_.next_object},
                                          std::string(proto::kDefaultNamespace)});
  }
  return records;
}

IncarnationRaised ShardState::decide_new_incarnation() const {
  return {identity_.incarnation + 1};
}

proto::Result<ShardState::Records> ShardState::decide(const CreateNamespace& command) const {
  if (auto valid = proto::check_namespace_name(command.name); !valid) {
    return valid.error();
  }
  if (catalog_.name_space(command.name)) {
    return Records{};
  }
  if (catalog_.namespaces() >= proto::kMaxNamespaces) {
    return fail(Errc::kLimitExceeded, "the broker holds " + std::to_string(proto::kMaxNamespaces) +
                                          " namespaces, the most it may");
  }
  return Records{NamespaceCreated{proto::NamespaceId{allocator_.next_object}, command.name}};
}

proto::Result<ShardState::Records> ShardState::decide(const CreateQueue& command) const {
  const auto owner = catalog_.name_space(command.name_space);
  if (!owner) {
    return owner.error();
  }
  if (auto valid = proto::check_queue_name(command.name); !valid) {
    return valid.error();
  }
  QueueSettings settings = command.settings;
  if (auto valid = check(settings, command.name); !valid) {
    return valid.error();
  }
  fill_defaults(settings);
  const auto existing = catalog_.queue(command.name_space, command.name);
  if (existing) {
    const std::string differs = difference(queues_.at(*existing).definition().settings, settings);
    if (differs.empty()) {
      return Records{};
    }
    return fail(Errc::kAlreadyExists,
                "queue '" + command.name + "' exists with other settings: " + differs);
  }
  const auto dead_letter_queue =
      find_dead_letter_queue(command.name_space, command.name, settings.dead_letter_queue);
  if (!dead_letter_queue) {
    return dead_letter_queue.error();
  }
  if (catalog_.objects() >= proto::kMaxObjects) {
    return fail(Errc::kLimitExceeded, "the broker holds " + std::to_string(proto::kMaxObjects) +
                                          " queues and topics, the most it may");
  }
  return Records{QueueCreated{proto::QueueId{allocator_.next_object}, *owner, command.name,
                              command.uuid, settings, *dead_letter_queue}};
}

/// The queue of that name, for the dead letters of `name`; 0 where there is to be none.
proto::Result<proto::QueueId> ShardState::find_dead_letter_queue(const std::string& name_space,
                                                                 const std::string& name,
                                                                 const std::string& target) const {
  if (target.empty()) {
    return proto::QueueId{};
  }
  if (target == name) {
    return fail(Errc::kInvalidArgument, "a queue cannot be its own dead-letter queue");
  }
  const auto found = catalog_.queue(name_space, target);
  if (!found) {
    return found.error();
  }
  if (proto::is_fifo_name(name) != proto::is_fifo_name(target)) {
    return fail(Errc::kInvalidArgument,
                "'" + target + "' cannot be the dead-letter queue of '" + name +
                    "': one is a FIFO queue, whose name ends in .fifo, and one is not");
  }
  if (!takes_dead_letters_of(queue(*found)->definition().settings, name)) {
    return fail(Errc::kInvalidArgument, "queue '" + target + "' takes no dead letters of '" + name +
                                            "': see its dead_letter_sources");
  }
  // What dies there goes on from there: it must not come back.
  for (const Queue* at = queue(*found); at != nullptr;
       at = queue(at->definition().dead_letter_queue)) {
    if (at->definition().dead_letter_queue.value != 0 &&
        at->definition().settings.dead_letter_queue == name) {
      std::string why = "'" + target;
      why.append("' cannot be the dead-letter queue of '").append(name);
      why.append("': dead letters of '").append(at->definition().name);
      why.append("' go to '").append(name).append("'");
      return fail(Errc::kInvalidArgument, std::move(why));
    }
  }
  return *found;
}

proto::Result<ShardState::UpdateDecision> ShardState::decide(const UpdateQueue& command) const {
  const auto id = catalog_.queue(command.name_space, command.name);
  if (!id) {
    return id.error();
  }
  const QueueCreated& has = queues_.at(*id).definition();
  QueueCreated after = has;
  set(command.changes, after.settings, after.pause);
  if (auto valid = check(after.settings, command.name); !valid) {
    return valid.error();
  }
  // What was not named at creation has the broker's default, and so has what is taken back to it.
  fill_defaults(after.settings);
  const auto dead_letter_queue =
      find_dead_letter_queue(command.name_space, command.name, after.settings.dead_letter_queue);
  if (!dead_letter_queue) {
    return dead_letter_queue.error();
  }
  after.dead_letter_queue = *dead_letter_queue;
  for (auto it = dead_letter_sources_.lower_bound({*id, proto::QueueId{}});
       it != dead_letter_sources_.end() && it->first == *id; ++it) {
    const std::string& source = queues_.at(it->second).definition().name;
    if (!takes_dead_letters_of(after.settings, source)) {
      return fail(Errc::kInUse, "queue '" + command.name + "' is the dead-letter queue of '" +
                                    source + "', which dead_letter_sources leave out");
    }
  }
  UpdateDecision decision;
  decision.changes = changes_between(has.settings, after.settings);
  std::ranges::move(changes_between(has.pause, after.pause), std::back_inserter(decision.changes));
  if (!decision.changes.empty()) {
    decision.record = QueueChanged{std::move(after)};
  }
  return decision;
}

proto::Result<ShardState::Records> ShardState::decide(const CreateTopic& command) const {
  const auto owner = catalog_.name_space(command.name_space);
  if (!owner) {
    return owner.error();
  }
  if (auto valid = proto::check_topic_name(command.name); !valid) {
    return valid.error();
  }
  const std::uint32_t partitions =
      command.settings.partitions != 0 ? command.settings.partitions : 1;
  if (partitions > proto::kMaxPartitionsPerTopic) {
    return fail(Errc::kInvalidArgument, "partitions must lie between 1 and " +
                                            std::to_string(proto::kMaxPartitionsPerTopic));
  }
  const auto existing = catalog_.topic(command.name_space, command.name);
  if (existing) {
    if ((*existing)->partitions.size() == partitions) {
      return Records{};
    }
    return fail(Errc::kAlreadyExists, "topic '" + command.name + "' exists with " +
                                          std::to_string((*existing)->partitions.size()) +
                                          " partitions, not " + std::to_string(partitions));
  }
  if (catalog_.objects() >= proto::kMaxObjects) {
    return fail(Errc::kLimitExceeded, "the broker holds " + std::to_string(proto::kMaxObjects) +
                                          " queues and topics, the most it may");
  }
  TopicCreated topic{
      proto::TopicId{allocator_.next_object}, *owner, command.name, command.uuid, {}};
  for (std::uint32_t i = 0; i < partitions; ++i) {
    topic.partitions.emplace_back(allocator_.next_object + 1 + i);
  }
  topic.leader_epoch = identity_.epoch;
  return Records{std::move(topic)};
}

proto::Result<ShardState::Records> ShardState::decide(const InitProducer& command,
                                                      proto::TimeMs now) const {
  ProducerStarted started{proto::ProducerId{allocator_.next_producer}, 0, now};
  if (command.previous.value != 0) {
    const Producers::Producer* known = producers_.find(command.previous);
    // A lost answer makes a client ask again with the epoch before: it gets one more.
    if (known != nullptr && command.previous_epoch > known->epoch) {
      return fail(Errc::kProducerFenced, "this producer epoch was not given out");
    }
    if (known != nullptr && known->epoch < INT16_MAX) {
      started.id = command.previous;
      started.epoch = static_cast<std::uint16_t>(known->epoch + 1);
      return Records{started};
    }
  }
  Records records{started};
  if (producers_.size() >= max_producers_) {
    records.emplace_back(ProducerForgotten{producers_.oldest()->second});
  }
  return records;
}

std::optional<ProducerForgotten> ShardState::decide_forget(proto::TimeMs now) const {
  const auto oldest = producers_.oldest();
  if (!oldest || oldest->first + kForgetProducerMs > now) {
    return std::nullopt;
  }
  return ProducerForgotten{oldest->second};
}

}  // namespace weir::core
