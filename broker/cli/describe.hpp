#pragma once

#include "weir/admin.hpp"

#include <string>
#include <vector>

// What `info` and `ls` print. Pure text, each ending with a newline. The names in the JSON form
// are what scripts read; they are the words of the table too.
namespace weir::cli {

[[nodiscard]] std::string queue_table(const QueueDescription& queue);
[[nodiscard]] std::string queue_json(const QueueDescription& queue);
[[nodiscard]] std::string topic_table(const TopicDescription& topic);
[[nodiscard]] std::string topic_json(const TopicDescription& topic);
// Of `ls`: a line each, as JSON an array with an object a line.
[[nodiscard]] std::string queues_table(const std::vector<QueueDescription>& queues);
[[nodiscard]] std::string queues_json(const std::vector<QueueDescription>& queues);
[[nodiscard]] std::string topics_table(const std::vector<TopicDescription>& topics);
[[nodiscard]] std::string topics_json(const std::vector<TopicDescription>& topics);
// Of `queue update`: a line for each setting that was changed, or would be.
[[nodiscard]] std::string update_text(const QueueUpdate& update, bool dry_run);
[[nodiscard]] std::string update_json(const QueueUpdate& update, bool dry_run);
[[nodiscard]] std::string backup_table(const BackupDescription& backup);
[[nodiscard]] std::string backup_json(const BackupDescription& backup);

}  // namespace weir::cli
