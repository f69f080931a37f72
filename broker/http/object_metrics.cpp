#include "broker/http/object_metrics.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace weir::http {
namespace {

constexpr std::string_view kOther = "(other)";

void add_to(QueueFacts& sum, const QueueFacts& queue) {
  core::QueueInfo& to = sum.info;
  const core::QueueInfo& from = queue.info;
  to.ready += from.ready;
  to.in_flight += from.in_flight;
  to.delayed += from.delayed;
  to.dying += from.dying;
  to.parked += from.parked;
  to.bytes += from.bytes;
  to.subscribers += from.subscribers;
  if (from.oldest_append_time != 0 &&
      (to.oldest_append_time == 0 || from.oldest_append_time < to.oldest_append_time)) {
    to.oldest_append_time = from.oldest_append_time;
  }
  sum.counters.sent_messages += queue.counters.sent_messages;
  sum.counters.delivered_messages += queue.counters.delivered_messages;
  sum.counters.redelivered_messages += queue.counters.redelivered_messages;
  sum.counters.acked_messages += queue.counters.acked_messages;
  sum.counters.nacked_messages += queue.counters.nacked_messages;
  sum.counters.expired_leases += queue.counters.expired_leases;
  sum.counters.dead_lettered_messages += queue.counters.dead_lettered_messages;
  sum.counters.expired_messages += queue.counters.expired_messages;
  sum.counters.redriven_messages += queue.counters.redriven_messages;
  sum.counters.purged_messages += queue.counters.purged_messages;
}

// What is shown: the queues themselves, or as many of them as may be, and the sum of the others.
std::vector<QueueFacts> within(const std::vector<QueueFacts>& queues, std::size_t max_objects) {
  if (queues.size() <= max_objects) {
    return queues;
  }
  std::vector<QueueFacts> shown(queues.begin(),
                                queues.begin() + static_cast<std::ptrdiff_t>(max_objects));
  QueueFacts others;
  others.name_space = kOther;
  others.info.name = kOther;
  for (std::size_t i = max_objects; i < queues.size(); ++i) {
    add_to(others, queues[i]);
  }
  shown.push_back(std::move(others));
  return shown;
}

Labels labels_of(const QueueFacts& queue) {
  return {{"namespace", queue.name_space}, {"queue", queue.info.name}};
}

double oldest_age_seconds(const core::QueueInfo& info, proto::TimeMs now) {
  const proto::TimeMs age_ms =
      info.oldest_append_time == 0 ? 0 : std::max<proto::TimeMs>(now - info.oldest_append_time, 0);
  return static_cast<double>(age_ms) / 1e3;
}

void add_states(const std::vector<QueueFacts>& queues, Exposition& page) {
  page.begin_gauge("weir_queue_messages", "Messages of a queue by state");
  for (const QueueFacts& queue : queues) {
    const std::pair<std::string_view, std::uint64_t> states[] = {
        {"ready", queue.info.ready},
        {"in_flight", queue.info.in_flight},
        {"delayed", queue.info.delayed},
        {"dying", queue.info.dying},
        {"parked", queue.info.parked}};
    for (const auto& [state, count] : states) {
      Labels labels = labels_of(queue);
      labels.emplace_back("state", state);
      page.add(count, labels);
    }
  }
}

// Who names a queue as its dead-letter queue: alerts are to tell those queues from others.
void add_dead_letter_sources(const std::vector<QueueFacts>& all,
                             const std::vector<QueueFacts>& shown, Exposition& page) {
  std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> sources;
  for (const QueueFacts& queue : all) {
    if (const std::string& target = queue.info.settings.dead_letter_queue; !target.empty()) {
      ++sources[{queue.name_space, target}];
    }
  }
  page.begin_gauge("weir_queue_dead_letter_sources",
                   "Queues whose dead-letter queue a queue is; 0: it is none");
  for (const QueueFacts& queue : shown) {
    const auto found = sources.find({queue.name_space, queue.info.name});
    page.add(found == sources.end() ? std::uint64_t{0} : found->second, labels_of(queue));
  }
}

void add_counters(const std::vector<QueueFacts>& queues, Exposition& page) {
  struct Family {
    std::string_view name;
    std::string_view help;
    std::uint64_t shard::QueueCounters::* counter;
  };
  using Counters = shard::QueueCounters;
  constexpr std::array kFamilies = {
      Family{"weir_queue_sent_total", "Messages stored in a queue", &Counters::sent_messages},
      Family{"weir_queue_delivered_total", "Messages of a queue handed out",
             &Counters::delivered_messages},
      Family{"weir_queue_redelivered_total", "Messages of a queue handed out again",
             &Counters::redelivered_messages},
      Family{"weir_queue_acked_total", "Messages of a queue acknowledged",
             &Counters::acked_messages},
      Family{"weir_queue_nacked_total",
             "Messages of a queue given back: failed, poison, transient, not now",
             &Counters::nacked_messages},
      Family{"weir_queue_expired_total", "Leases of a queue that ended by their deadline",
             &Counters::expired_leases},
      Family{"weir_queue_dead_lettered_total", "Messages of a queue moved to its dead-letter queue",
             &Counters::dead_lettered_messages},
      Family{"weir_queue_expired_messages_total",
             "Messages of a queue dropped since they were of no use", &Counters::expired_messages},
      Family{"weir_queue_redriven_total", "Messages of a queue that a redrive moved to another one",
             &Counters::redriven_messages},
      Family{"weir_queue_purged_total", "Messages of a queue that an operator deleted",
             &Counters::purged_messages}};
  for (const Family& family : kFamilies) {
    page.begin_counter(family.name, family.help);
    for (const QueueFacts& queue : queues) {
      page.add(queue.counters.*family.counter, labels_of(queue));
    }
  }
}

}  // namespace

void add_queue_metrics(const std::vector<QueueFacts>& queues, std::size_t max_objects,
                       proto::TimeMs now, Exposition& page) {
  const std::vector<QueueFacts> shown = within(queues, max_objects);
  add_states(shown, page);
  page.begin_gauge("weir_queue_bytes", "Bytes of all messages of a queue");
  for (const QueueFacts& queue : shown) {
    page.add(queue.info.bytes, labels_of(queue));
  }
  page.begin_gauge("weir_queue_oldest_age_seconds",
                   "Age of the oldest message of a queue that is not done");
  for (const QueueFacts& queue : shown) {
    page.add(oldest_age_seconds(queue.info, now), labels_of(queue));
  }
  page.begin_gauge("weir_queue_subscribers", "Subscriptions to a queue");
  for (const QueueFacts& queue : shown) {
    page.add(std::uint64_t{queue.info.subscribers}, labels_of(queue));
  }
  add_dead_letter_sources(queues, shown, page);
  add_counters(shown, page);
}

void add_topic_metrics(const std::vector<TopicFacts>& topics, std::size_t max_objects,
                       Exposition& page) {
  struct Shown {
    const TopicFacts* topic;
    const core::PartitionInfo* partition;
    std::string number;
  };
  std::vector<Shown> shown;
  std::uint64_t other_bytes = 0;
  bool has_others = false;
  for (const TopicFacts& topic : topics) {
    for (const core::PartitionInfo& partition : topic.info.partitions) {
      if (shown.size() < max_objects) {
        shown.push_back({&topic, &partition, std::to_string(partition.partition)});
      } else {
        other_bytes += partition.bytes;
        has_others = true;
      }
    }
  }
  using Field = double (*)(const core::PartitionInfo&);
  const auto add = [&](std::string_view name, std::string_view help, Field field) {
    page.begin_gauge(name, help);
    for (const Shown& one : shown) {
      page.add(field(*one.partition), {{"namespace", one.topic->name_space},
                                       {"topic", one.topic->info.name},
                                       {"partition", one.number}});
    }
  };
  add("weir_topic_log_start_offset", "First offset that can be read",
      [](const core::PartitionInfo& p) { return static_cast<double>(p.log_start); });
  add("weir_topic_high_watermark_offset", "First offset that can not be read yet",
      [](const core::PartitionInfo& p) { return static_cast<double>(p.high_watermark); });
  add("weir_topic_bytes", "Bytes kept",
      [](const core::PartitionInfo& p) { return static_cast<double>(p.bytes); });
  if (has_others) {
    page.add(other_bytes, {{"namespace", kOther}, {"topic", kOther}, {"partition", kOther}});
  }
}

}  // namespace weir::http
