#include "broker/cli/describe.hpp"

#include "proto/json_string.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::cli {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    out += out.empty() ? part : ", " + part;
  }
  return out;
}

// Names with values, in the order in which they were added, as a table or as JSON.
class Facts {
 public:
  void add(std::string_view name, std::string_view text) {
    facts_.push_back({std::string(name), std::string(text), proto::json_string(text)});
  }
  void add(std::string_view name, std::integral auto number) {
    facts_.push_back({std::string(name), std::to_string(number), std::to_string(number)});
  }
  // Shown as a dash, in JSON as null.
  void add_nothing(std::string_view name) { facts_.push_back({std::string(name), "-", "null"}); }

  [[nodiscard]] std::string table() const {
    std::size_t width = 0;
    for (const Fact& fact : facts_) {
      width = std::max(width, fact.name.size());
    }
    std::string out;
    for (const Fact& fact : facts_) {
      out += fact.name + std::string(width + 2 - fact.name.size(), ' ') + fact.shown + "\n";
    }
    return out;
  }

  [[nodiscard]] std::vector<std::string> json_members() const {
    std::vector<std::string> members;
    members.reserve(facts_.size());
    for (const Fact& fact : facts_) {
      members.push_back(proto::json_string(fact.name) + ": " + fact.json);
    }
    return members;
  }

 private:
  struct Fact {
    std::string name;
    std::string shown;
    std::string json;
  };

  std::vector<Fact> facts_;
};

Facts facts_of(const QueueDescription& queue) {
  Facts facts;
  facts.add("name", queue.name);
  facts.add("uuid", queue.uuid);
  facts.add("id", queue.id);
  facts.add("lease_ms", queue.settings.lease().count());
  facts.add("max_receive_count", queue.settings.max_receive_count());
  if (queue.settings.dead_letter_queue().empty()) {
    facts.add_nothing("dead_letter_queue");
  } else {
    facts.add("dead_letter_queue", queue.settings.dead_letter_queue());
  }
  facts.add("ready", queue.ready);
  facts.add("in_flight", queue.in_flight);
  facts.add("delayed", queue.delayed);
  facts.add("dying", queue.dying);
  facts.add("parked", queue.parked);
  facts.add("bytes", queue.bytes);
  facts.add("next_offset", queue.next_offset);
  const std::int64_t oldest = queue.oldest_append_time.time_since_epoch().count();
  if (oldest == 0) {
    facts.add_nothing("oldest_append_time_ms");
  } else {
    facts.add("oldest_append_time_ms", oldest);
  }
  facts.add("subscribers", queue.subscribers);
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
  facts.add("commit_time_ms", backup.commit_time.time_since_epoch().count());
  facts.add("rows", backup.rows);
  facts.add("bytes", backup.row_bytes);
  facts.add("digest", backup.digest);
  facts.add("file_bytes", backup.file_bytes);
  return facts;
}

constexpr std::array<std::string_view, 6> kColumns = {
    "partition", "log_start", "high_watermark", "last_stable", "leader_epoch", "bytes"};

std::array<std::string, kColumns.size()> row_of(const PartitionDescription& partition) {
  return {std::to_string(partition.partition),      std::to_string(partition.log_start),
          std::to_string(partition.high_watermark), std::to_string(partition.last_stable),
          std::to_string(partition.leader_epoch),   std::to_string(partition.bytes)};
}

}  // namespace

std::string queue_table(const QueueDescription& queue) {
  return facts_of(queue).table();
}

std::string queue_json(const QueueDescription& queue) {
  return "{" + joined(facts_of(queue).json_members()) + "}\n";
}

std::string topic_table(const TopicDescription& topic) {
  Facts facts = facts_of(topic);
  facts.add("partitions", topic.partitions.size());
  std::string out = facts.table() + "\n";
  std::array<std::size_t, kColumns.size()> widths{};
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    widths[i] = kColumns[i].size();
    for (const PartitionDescription& partition : topic.partitions) {
      widths[i] = std::max(widths[i], row_of(partition)[i].size());
    }
  }
  const auto add_row = [&](const auto& cells) {
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      out += std::string(widths[i] - cells[i].size(), ' ') + std::string(cells[i]);
      out += i + 1 < kColumns.size() ? "  " : "\n";
    }
  };
  add_row(kColumns);
  for (const PartitionDescription& partition : topic.partitions) {
    add_row(row_of(partition));
  }
  return out;
}

std::string topic_json(const TopicDescription& topic) {
  std::vector<std::string> partitions;
  for (const PartitionDescription& partition : topic.partitions) {
    const auto cells = row_of(partition);
    std::vector<std::string> members;
    members.reserve(kColumns.size());
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      members.push_back(proto::json_string(kColumns[i]) + ": " + cells[i]);
    }
    partitions.push_back("{" + joined(members) + "}");
  }
  std::vector<std::string> members = facts_of(topic).json_members();
  members.push_back("\"partitions\": [" + joined(partitions) + "]");
  return "{" + joined(members) + "}\n";
}

std::string backup_table(const BackupDescription& backup) {
  return facts_of(backup).table();
}

std::string backup_json(const BackupDescription& backup) {
  return "{" + joined(facts_of(backup).json_members()) + "}\n";
}

}  // namespace weir::cli
