#pragma once

#include "broker/core/reply.hpp"
#include "broker/http/exposition.hpp"
#include "broker/shard/shard_metrics.hpp"
#include "proto/ids.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace weir::http {

/// A queue at one moment.
struct QueueFacts {
  std::string name_space;
  core::QueueInfo info;
  shard::QueueCounters counters;
};

/// A topic at one moment.
struct TopicFacts {
  std::string name_space;
  core::TopicInfo info;
};

/// Families with a value for each queue. What makes a monitoring system fall over is the number of
/// its series: the first `max_objects` queues have their own, the others are summed up under the
/// name "(other)", which no queue can have. `now` is broker time.
void add_queue_metrics(const std::vector<QueueFacts>& queues, std::size_t max_objects,
                       proto::TimeMs now, Exposition& page);

/// The same for partitions of topics. Of the others only the bytes can be summed up.
void add_topic_metrics(const std::vector<TopicFacts>& topics, std::size_t max_objects,
                       Exposition& page);

}  // namespace weir::http
