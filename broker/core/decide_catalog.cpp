#include "broker/core/shard_state.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

// Decisions about what exists: namespaces, queues, topics, producers.
namespace weir::core {

using proto::Errc;
using proto::fail;

namespace {

constexpr proto::TimeMs kForgetProducerMs = std::int64_t{7} * 24 * 3600 * 1000;

std::string difference(const char* what, std::int64_t has, std::int64_t asked) {
  return std::string(what) + " is " + std::to_string(has) + ", not " + std::to_string(asked) + "; ";
}

/// 0 stands for the default of each.
proto::Result<> check_settings(const QueueSettings& settings) {
  if (settings.lease_ms < 0 || settings.lease_ms > proto::kMaxLeaseMs) {
    return fail(Errc::kInvalidArgument,
                "lease_ms must lie between 1 and " + std::to_string(proto::kMaxLeaseMs));
  }
  if (settings.max_receive_count > proto::kMaxReceiveCountLimit) {
    return fail(Errc::kInvalidArgument, "max_receive_count must lie between 1 and " +
                                            std::to_string(proto::kMaxReceiveCountLimit));
  }
  return {};
}

std::string text_of(bool value) {
  return value ? "true" : "false";
}

/// Notes a setting that becomes another.
template <class T>
void note(std::vector<SettingChange>& changes, const char* setting, const T& before,
          const T& after) {
  if (before == after) {
    return;
  }
  if constexpr (std::is_same_v<T, std::string>) {
    changes.push_back({setting, before, after});
  } else if constexpr (std::is_same_v<T, bool>) {
    changes.push_back({setting, text_of(before), text_of(after)});
  } else {
    changes.push_back({setting, std::to_string(before), std::to_string(after)});
  }
}

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
  if (proto::is_fifo_name(command.name)) {
    return fail(Errc::kUnsupported, "'" + command.name +
                                        "': a name that ends in .fifo asks for a FIFO queue, which "
                                        "this broker does not have yet");
  }
  QueueSettings settings = command.settings;
  if (auto valid = check_settings(settings); !valid) {
    return valid.error();
  }
  settings.lease_ms = settings.lease_ms != 0 ? settings.lease_ms : proto::kDefaultLeaseMs;
  settings.max_receive_count =
      settings.max_receive_count != 0 ? settings.max_receive_count : proto::kDefaultMaxReceiveCount;
  const auto existing = catalog_.queue(command.name_space, command.name);
  if (existing) {
    const QueueSettings& has = queues_.at(*existing).definition().settings;
    std::string differs;
    if (has.lease_ms != settings.lease_ms) {
      differs += difference("lease_ms", has.lease_ms, settings.lease_ms);
    }
    if (has.max_receive_count != settings.max_receive_count) {
      differs += difference("max_receive_count", has.max_receive_count, settings.max_receive_count);
    }
    if (has.dead_letter_queue != settings.dead_letter_queue) {
      differs += "dead_letter_queue is '" + has.dead_letter_queue + "', not '" +
                 proto::printable(settings.dead_letter_queue) + "'; ";
    }
    if (differs.empty()) {
      return Records{};
    }
    differs.resize(differs.size() - 2);
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
  after.settings.lease_ms = command.lease_ms.value_or(has.settings.lease_ms);
  after.settings.max_receive_count =
      command.max_receive_count.value_or(has.settings.max_receive_count);
  after.settings.dead_letter_queue =
      command.dead_letter_queue.value_or(has.settings.dead_letter_queue);
  after.pause.receives = command.receives_paused.value_or(has.pause.receives);
  after.pause.sends = command.sends_paused.value_or(has.pause.sends);
  if (auto valid = check_settings(after.settings); !valid) {
    return valid.error();
  }
  // What was not named at creation has the broker's default, and so has what is taken back to it.
  if (after.settings.lease_ms == 0) {
    after.settings.lease_ms = proto::kDefaultLeaseMs;
  }
  if (after.settings.max_receive_count == 0) {
    after.settings.max_receive_count = proto::kDefaultMaxReceiveCount;
  }
  const auto dead_letter_queue =
      find_dead_letter_queue(command.name_space, command.name, after.settings.dead_letter_queue);
  if (!dead_letter_queue) {
    return dead_letter_queue.error();
  }
  after.dead_letter_queue = *dead_letter_queue;
  UpdateDecision decision;
  note(decision.changes, "lease_ms", has.settings.lease_ms, after.settings.lease_ms);
  note(decision.changes, "max_receive_count", has.settings.max_receive_count,
       after.settings.max_receive_count);
  note(decision.changes, "dead_letter_queue", has.settings.dead_letter_queue,
       after.settings.dead_letter_queue);
  note(decision.changes, "receives_paused", has.pause.receives, after.pause.receives);
  note(decision.changes, "sends_paused", has.pause.sends, after.pause.sends);
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
