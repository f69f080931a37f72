#include "broker/core/shard_state.hpp"
#include "proto/names.hpp"

#include <string>
#include <utility>

// Decisions about what is to be gone.
namespace weir::core {

using proto::Errc;
using proto::fail;

namespace {

/// So many are named where something is in use; of more, how many there are.
constexpr std::size_t kMaxNamed = 10;

}  // namespace

proto::Result<QueuePurged> ShardState::decide(const PurgeQueue& command) const {
  const auto id = catalog_.queue(command.name_space, command.name);
  if (!id) {
    return id.error();
  }
  return QueuePurged{*id};
}

proto::Result<ShardState::Records> ShardState::decide(const DeleteQueue& command) const {
  const auto id = catalog_.queue(command.name_space, command.name);
  if (!id) {
    return id.error();
  }
  Records records;
  std::string names;
  for (auto it = dead_letter_sources_.lower_bound({*id, proto::QueueId{}});
       it != dead_letter_sources_.end() && it->first == *id; ++it) {
    QueueCreated source = queues_.at(it->second).definition();
    if (records.size() < kMaxNamed) {
      names += (names.empty() ? "'" : ", '") + source.name + "'";
    }
    source.dead_letter_queue = {};
    source.settings.dead_letter_queue.clear();
    records.emplace_back(QueueChanged{std::move(source)});
  }
  if (!command.force && !records.empty()) {
    if (records.size() > kMaxNamed) {
      names += " and " + std::to_string(records.size() - kMaxNamed) + " more";
    }
    return fail(Errc::kInUse, "queue '" + command.name + "' is the dead-letter queue of " + names);
  }
  records.emplace_back(QueueDeleted{*id});
  return records;
}

proto::Result<TopicDeleted> ShardState::decide(const DeleteTopic& command) const {
  const auto topic = catalog_.topic(command.name_space, command.name);
  if (!topic) {
    return topic.error();
  }
  return TopicDeleted{(*topic)->id};
}

proto::Result<NamespaceDeleted> ShardState::decide(const DeleteNamespace& command) const {
  const auto id = catalog_.name_space(command.name);
  if (!id) {
    return id.error();
  }
  if (command.name == proto::kDefaultNamespace) {
    return fail(Errc::kInvalidArgument, "the namespace '" + command.name +
                                            "' stays: it is where clients are that name none");
  }
  const Catalog::Contents contents = catalog_.contents(*id);
  if (contents.queues + contents.topics > 0) {
    return fail(Errc::kInUse, "namespace '" + command.name + "' is not empty: it has " +
                                  std::to_string(contents.queues) + " queues and " +
                                  std::to_string(contents.topics) + " topics");
  }
  return NamespaceDeleted{*id};
}

}  // namespace weir::core
