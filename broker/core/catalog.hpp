#pragma once

#include "broker/core/record.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace weir::core {

/// Names to ids: namespaces, and in each of them queues and topics, which have name spaces of their
/// own. Definitions of topics live here, those of queues with the queue.
class Catalog {
 public:
  [[nodiscard]] proto::Result<proto::NamespaceId> name_space(std::string_view name) const;
  /// QUEUE_NOT_FOUND, NAMESPACE_NOT_FOUND; INVALID_NAME for what no queue can be called.
  [[nodiscard]] proto::Result<proto::QueueId> queue(std::string_view name_space,
                                                    std::string_view name) const;
  /// TOPIC_NOT_FOUND, NAMESPACE_NOT_FOUND, INVALID_NAME.
  [[nodiscard]] proto::Result<const TopicCreated*> topic(std::string_view name_space,
                                                         std::string_view name) const;
  [[nodiscard]] const std::string& namespace_name(proto::NamespaceId id) const {
    return namespaces_.at(id);
  }
  [[nodiscard]] const std::map<proto::TopicId, TopicCreated>& topics() const { return topics_; }
  /// Calls `visit` for each queue of the namespace whose name comes behind `after`, in the order of
  /// names, until it says false.
  using QueueVisit = std::function<bool(const std::string& name, proto::QueueId id)>;
  void visit_queues(proto::NamespaceId owner, std::string_view after,
                    const QueueVisit& visit) const;
  using TopicVisit = std::function<bool(const TopicCreated& topic)>;
  void visit_topics(proto::NamespaceId owner, std::string_view after,
                    const TopicVisit& visit) const;
  using NamespaceVisit = std::function<bool(const std::string& name, proto::NamespaceId id)>;
  void visit_namespaces(std::string_view after, const NamespaceVisit& visit) const;
  struct Contents {
    std::uint64_t queues = 0;
    std::uint64_t topics = 0;
  };
  [[nodiscard]] Contents contents(proto::NamespaceId id) const { return contents_.at(id); }
  [[nodiscard]] std::size_t namespaces() const { return namespaces_.size(); }
  /// Number of queues and topics.
  [[nodiscard]] std::size_t objects() const { return queue_names_.size() + topics_.size(); }
  [[nodiscard]] bool empty() const { return namespaces_.empty(); }

  void apply(const NamespaceCreated& record);
  void apply(const QueueCreated& record);
  void apply(const TopicCreated& record);
  /// The queue of that definition is gone.
  void remove(const QueueCreated& queue);
  void apply(const TopicDeleted& record);
  void apply(const NamespaceDeleted& record);

 private:
  using Name = std::pair<proto::NamespaceId, std::string>;
  std::map<proto::NamespaceId, std::string> namespaces_;
  std::map<std::string, proto::NamespaceId, std::less<>> namespace_ids_;
  std::map<proto::NamespaceId, Contents> contents_;
  std::map<Name, proto::QueueId> queue_names_;
  std::map<Name, proto::TopicId> topic_names_;
  std::map<proto::TopicId, TopicCreated> topics_;
};

}  // namespace weir::core
