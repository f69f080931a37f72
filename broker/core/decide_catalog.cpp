#include "broker/core/shard_state.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <algorithm>
#include <string>
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
  if (settings.lease_ms < 0 || settings.lease_ms > proto::kMaxLeaseMs) {
    return fail(Errc::kInvalidArgument,
                "lease_ms must lie between 1 and " + std::to_string(proto::kMaxLeaseMs));
  }
  if (settings.max_receive_count > proto::kMaxReceiveCountLimit) {
    return fail(Errc::kInvalidArgument, "max_receive_count must lie between 1 and " +
                                            std::to_string(proto::kMaxReceiveCountLimit));
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
  proto::QueueId dead_letter_queue;
  if (!settings.dead_letter_queue.empty()) {
    if (settings.dead_letter_queue == command.name) {
      return fail(Errc::kInvalidArgument, "a queue cannot be its own dead-letter queue");
    }
    const auto target = catalog_.queue(command.name_space, settings.dead_letter_queue);
    if (!target) {
      return target.error();
    }
    dead_letter_queue = *target;
  }
  if (catalog_.objects() >= proto::kMaxObjects) {
    return fail(Errc::kLimitExceeded, "the broker holds " + std::to_string(proto::kMaxObjects) +
                                          " queues and topics, the most it may");
  }
  return Records{QueueCreated{proto::QueueId{allocator_.next_object}, *owner, command.name,
                              command.uuid, settings, dead_letter_queue}};
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
