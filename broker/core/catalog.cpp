#include "broker/core/catalog.hpp"

#include "proto/names.hpp"

namespace weir::core {

using proto::Errc;
using proto::fail;

proto::Result<proto::NamespaceId> Catalog::name_space(std::string_view name) const {
  if (auto valid = proto::check_namespace_name(name); !valid) {
    return valid.error();
  }
  const auto it = namespace_ids_.find(name);
  if (it == namespace_ids_.end()) {
    return fail(Errc::kNamespaceNotFound, "there is no namespace '" + proto::printable(name) + "'");
  }
  return it->second;
}

proto::Result<proto::QueueId> Catalog::queue(std::string_view name_space_name,
                                             std::string_view name) const {
  const auto owner = name_space(name_space_name);
  if (!owner) {
    return owner.error();
  }
  if (auto valid = proto::check_queue_name(name); !valid) {
    return valid.error();
  }
  const auto it = queue_names_.find({*owner, std::string(name)});
  if (it == queue_names_.end()) {
    return fail(Errc::kQueueNotFound, "there is no queue '" + proto::printable(name) +
                                          "' in namespace '" + proto::printable(name_space_name) +
                                          "'");
  }
  return it->second;
}

proto::Result<const TopicCreated*> Catalog::topic(std::string_view name_space_name,
                                                  std::string_view name) const {
  const auto owner = name_space(name_space_name);
  if (!owner) {
    return owner.error();
  }
  if (auto valid = proto::check_topic_name(name); !valid) {
    return valid.error();
  }
  const auto it = topic_names_.find({*owner, std::string(name)});
  if (it == topic_names_.end()) {
    return fail(Errc::kTopicNotFound, "there is no topic '" + proto::printable(name) +
                                          "' in namespace '" + proto::printable(name_space_name) +
                                          "'");
  }
  return &topics_.at(it->second);
}

void Catalog::visit_queues(proto::NamespaceId owner, std::string_view after,
                           const QueueVisit& visit) const {
  for (auto it = queue_names_.upper_bound({owner, std::string(after)});
       it != queue_names_.end() && it->first.first == owner; ++it) {
    if (!visit(it->first.second, it->second)) {
      return;
    }
  }
}

void Catalog::visit_topics(proto::NamespaceId owner, std::string_view after,
                           const TopicVisit& visit) const {
  for (auto it = topic_names_.upper_bound({owner, std::string(after)});
       it != topic_names_.end() && it->first.first == owner; ++it) {
    if (!visit(topics_.at(it->second))) {
      return;
    }
  }
}

void Catalog::apply(const NamespaceCreated& record) {
  namespaces_.emplace(record.id, record.name);
  namespace_ids_.emplace(record.name, record.id);
  contents_.try_emplace(record.id);
}

void Catalog::apply(const QueueCreated& record) {
  queue_names_.emplace(Name{record.name_space, record.name}, record.id);
  ++contents_[record.name_space].queues;
}

void Catalog::apply(const TopicCreated& record) {
  topic_names_.emplace(Name{record.name_space, record.name}, record.id);
  topics_.emplace(record.id, record);
  ++contents_[record.name_space].topics;
}

void Catalog::apply(const NamespaceDeleted& record) {
  const auto it = namespaces_.find(record.id);
  namespace_ids_.erase(it->second);
  namespaces_.erase(it);
  contents_.erase(record.id);
}

void Catalog::visit_namespaces(std::string_view after, const NamespaceVisit& visit) const {
  for (auto it = namespace_ids_.upper_bound(after); it != namespace_ids_.end(); ++it) {
    if (!visit(it->first, it->second)) {
      return;
    }
  }
}

void Catalog::remove(const QueueCreated& queue) {
  queue_names_.erase(Name{queue.name_space, queue.name});
  --contents_.at(queue.name_space).queues;
}

void Catalog::apply(const TopicDeleted& record) {
  const auto it = topics_.find(record.topic);
  topic_names_.erase(Name{it->second.name_space, it->second.name});
  --contents_.at(it->second.name_space).topics;
  topics_.erase(it);
}

}  // namespace weir::core
