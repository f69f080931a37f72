#include "broker/cli/describe.hpp"

#include "broker/cli/queue_options.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/counted.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/time_text.hpp"
#include "proto/json_string.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::Facts;
using terminal::joined;
using terminal::json_object;

// `now` is told where people read it.
Facts facts_of(const QueueDescription& queue, std::optional<Timestamp> now = {}) {
  Facts facts;
  facts.add("name", queue.name);
  facts.add("uuid", queue.uuid);
  facts.add("id", queue.id);
  for (const QueueNumber& number : queue_numbers()) {
    const std::int64_t value = number.of(queue.settings);
    if (value == 0) {
      facts.add_nothing(number.name);  // no bound
    } else {
      facts.add(number.name, value);
    }
  }
  if (queue.settings.dead_letter_queue().empty()) {
    facts.add_nothing("dead_letter_queue");
  } else {
    facts.add("dead_letter_queue", queue.settings.dead_letter_queue());
  }
  if (queue.settings.dead_letter_sources().empty()) {
    facts.add_nothing("dead_letter_sources");
  } else {
    facts.add("dead_letter_sources", queue.settings.dead_letter_sources());
  }
  facts.add("ready", queue.ready);
  facts.add("in_flight", queue.in_flight);
  facts.add("delayed", queue.delayed);
  facts.add("dying", queue.dying);
  facts.add("parked", queue.parked);
  facts.add("bytes", queue.bytes);
  facts.add("next_offset", queue.next_offset);
  facts.add_time("oldest_append_time", told_ms(queue.oldest_append_time),
                 now ? std::optional(ms_of(*now)) : std::nullopt);
  facts.add("subscribers", queue.subscribers);
  facts.add_flag("receives_paused", queue.receives_paused);
  facts.add_flag("sends_paused", queue.sends_paused);
  return facts;
}

Facts facts_of(const TopicDescription& topic) {
  Facts facts;
  facts.add("name", topic.name);
  facts.add("uuid", topic.uuid);
  facts.add("id", topic.id);
  return facts;
}

// The words of `weir verify` and `weir restore` (broker/server/stored_facts.cpp).
Facts facts_of(const BackupDescription& backup) {
  Facts facts;
  facts.add("kind", "backup");
  facts.add("broker", backup.broker);
  facts.add("incarnation", backup.incarnation);
  facts.add("commit", backup.commit);
  facts.add_time("commit_time", ms_of(backup.commit_time));
  facts.add("rows", backup.rows);
  facts.add("bytes", backup.row_bytes);
  facts.add("digest", backup.digest);
  facts.add("file_bytes", backup.file_bytes);
  return facts;
}

constexpr std::array<Table::Column, 6> kColumns = {{{"partition"},
                                                    {"log_start"},
                                                    {"high_watermark"},
                                                    {"last_stable"},
                                                    {"leader_epoch"},
                                                    {"bytes"}}};

std::array<std::string, kColumns.size()> row_of(const PartitionDescription& partition) {
  return {std::to_string(partition.partition),      std::to_string(partition.log_start),
          std::to_string(partition.high_watermark), std::to_string(partition.last_stable),
          std::to_string(partition.leader_epoch),   std::to_string(partition.bytes)};
}

std::string object_of(const QueueDescription& queue) {
  return facts_of(queue).json();
}

// `facts` are those of the topic, and what else there is to say.
std::string object_of(const TopicDescription& topic, const Facts& facts) {
  std::vector<std::string> partitions;
  for (const PartitionDescription& partition : topic.partitions) {
    const auto cells = row_of(partition);
    std::vector<std::string> members;
    members.reserve(kColumns.size());
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      members.push_back(proto::json_string(kColumns[i].name) + ": " + cells[i]);
    }
    partitions.push_back(json_object(members));
  }
  std::vector<std::string> members = facts.json_members();
  members.push_back("\"partitions\": [" + joined(partitions) + "]");
  return json_object(members);
}

std::string object_of(const TopicDescription& topic) {
  return object_of(topic, facts_of(topic));
}

// A line each.
std::string changes_text(std::string_view begin, const std::vector<SettingChange>& changes,
                         std::string_view end) {
  const auto shown = [](const std::string& value) { return value.empty() ? "-" : value; };
  std::string out;
  for (const SettingChange& change : changes) {
    out += std::string(begin) + change.setting + " from " + shown(change.before) + " to " +
           shown(change.after) + std::string(end) + "\n";
  }
  return out;
}

std::string changes_member(std::string_view name, const std::vector<SettingChange>& changes) {
  std::vector<std::string> objects;
  for (const SettingChange& change : changes) {
    Facts facts;
    facts.add("setting", change.setting);
    facts.add("before", change.before);
    facts.add("after", change.after);
    objects.push_back(facts.json());
  }
  return proto::json_string(name) + ": [" + joined(objects) + "]";
}

}  // namespace

std::uint64_t messages_in(const QueueDescription& queue) {
  return queue.ready + queue.in_flight + queue.delayed + queue.dying + queue.parked;
}

std::string paused_text(const QueueDescription& queue) {
  if (queue.receives_paused && queue.sends_paused) {
    return "both";
  }
  return queue.receives_paused ? "receives" : queue.sends_paused ? "sends" : "-";
}

std::string oldest_age(const QueueDescription& queue, Timestamp now) {
  return told_ms(queue.oldest_append_time) ? terminal::age_text(now - queue.oldest_append_time)
                                           : "-";
}

std::string queue_table(const QueueDescription& queue, Timestamp now) {
  std::string out = facts_of(queue, now).table();
  if (queue.parked > 0) {
    out += "\n" + terminal::counted(queue.parked, "message") +
           " parked: nobody is given them any more (see: weir queue info --help)\n";
  }
  return out;
}

std::vector<std::string> queue_members(const QueueDescription& queue) {
  return facts_of(queue).json_members();
}

std::string queue_json(const QueueDescription& queue) {
  return object_of(queue) + "\n";
}

std::string queues_table(const std::vector<QueueDescription>& queues, Timestamp now) {
  Table table({{"name", Table::Align::kLeft},
               {"ready"},
               {"in_flight"},
               {"delayed"},
               {"dying"},
               {"parked"},
               {"oldest"},
               {"bytes"},
               {"subscribers"},
               {"paused", Table::Align::kLeft}});
  for (const QueueDescription& queue : queues) {
    table.add({queue.name, std::to_string(queue.ready), std::to_string(queue.in_flight),
               std::to_string(queue.delayed), std::to_string(queue.dying),
               std::to_string(queue.parked), oldest_age(queue, now), std::to_string(queue.bytes),
               std::to_string(queue.subscribers), paused_text(queue)});
  }
  return table.text();
}

std::string queues_json(const std::vector<QueueDescription>& queues) {
  return array_of(queues, [](const QueueDescription& one) { return object_of(one); });
}

std::string topic_table(const TopicDescription& topic) {
  Facts facts = facts_of(topic);
  facts.add("partitions", topic.partitions.size());
  std::string out = facts.table() + "\n";
  Table table({kColumns.begin(), kColumns.end()});
  for (const PartitionDescription& partition : topic.partitions) {
    const auto cells = row_of(partition);
    table.add({cells.begin(), cells.end()});
  }
  return out + table.text();
}

std::string topic_json(const TopicDescription& topic) {
  return object_of(topic) + "\n";
}

std::string topics_table(const std::vector<TopicDescription>& topics) {
  Table table({{"name", Table::Align::kLeft}, {"partitions"}, {"records"}, {"bytes"}});
  for (const TopicDescription& topic : topics) {
    std::int64_t records = 0;
    std::uint64_t bytes = 0;
    for (const PartitionDescription& partition : topic.partitions) {
      records += partition.high_watermark - partition.log_start;
      bytes += partition.bytes;
    }
    table.add({topic.name, std::to_string(topic.partitions.size()), std::to_string(records),
               std::to_string(bytes)});
  }
  return table.text();
}

std::string update_text(const QueueUpdate& update, bool dry_run) {
  if (update.changes.empty()) {
    return "queue " + update.queue.name + " is like that already\n";
  }
  return changes_text(dry_run ? "would change " : "changed ", update.changes, "");
}

std::string update_json(const QueueUpdate& update, bool dry_run) {
  Facts facts;
  facts.add("name", update.queue.name);
  facts.add_flag("dry_run", dry_run);
  std::vector<std::string> members = facts.json_members();
  members.push_back(changes_member("changes", update.changes));
  return json_object(members) + "\n";
}

std::string reload_text(const ConfigReload& reload) {
  std::string out = "read " + reload.file + "\n";
  out += changes_text("changed ", reload.taken, "");
  out += changes_text("not changed: ", reload.left, ", which takes a new start");
  return out + terminal::counted(reload.unchanged.size(), "setting") +
         (reload.unchanged.size() == 1 ? " is" : " are") + " as before\n";
}

std::string reload_json(const ConfigReload& reload) {
  std::vector<std::string> unchanged;
  unchanged.reserve(reload.unchanged.size());
  for (const std::string& setting : reload.unchanged) {
    unchanged.push_back(proto::json_string(setting));
  }
  Facts facts;
  facts.add("file", reload.file);
  std::vector<std::string> members = facts.json_members();
  members.push_back(changes_member("taken", reload.taken));
  members.push_back(changes_member("left", reload.left));
  members.push_back("\"unchanged\": [" + joined(unchanged) + "]");
  return json_object(members) + "\n";
}

std::string topics_json(const std::vector<TopicDescription>& topics) {
  return array_of(topics, [](const TopicDescription& one) { return object_of(one); });
}

std::string removed_json(const QueueDescription& queue, bool dry_run) {
  Facts facts = facts_of(queue);
  facts.add_flag("dry_run", dry_run);
  return facts.json() + "\n";
}

std::string removed_json(const TopicDescription& topic, bool dry_run) {
  Facts facts = facts_of(topic);
  facts.add_flag("dry_run", dry_run);
  return object_of(topic, facts) + "\n";
}

std::string backup_table(const BackupDescription& backup) {
  return facts_of(backup).table();
}

std::string backup_json(const BackupDescription& backup) {
  return facts_of(backup).json() + "\n";
}

}  // namespace weir::cli
