#pragma once

#include "weir/admin.hpp"
#include "weir/delay.hpp"
#include "weir/redrive.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What `info` and `ls` print. Pure text, each ending with a newline. The names in the JSON form
// are what scripts read; they are the words of the table too, but that times are numbers there and
// end in _ms. `now` is when people read it.
namespace weir::cli {

/// Of all states.
[[nodiscard]] std::uint64_t messages_in(const QueueDescription& queue);

/// What is paused: "receives", "sends", "both", or a dash.
[[nodiscard]] std::string paused_text(const QueueDescription& queue);

/// How long its oldest message has been there, or a dash.
[[nodiscard]] std::string oldest_age(const QueueDescription& queue, Timestamp now);

[[nodiscard]] std::string queue_table(const QueueDescription& queue, Timestamp now);
/// What queue_json() has between its braces.
[[nodiscard]] std::vector<std::string> queue_members(const QueueDescription& queue);
[[nodiscard]] std::string queue_json(const QueueDescription& queue);
[[nodiscard]] std::string topic_table(const TopicDescription& topic);
[[nodiscard]] std::string topic_json(const TopicDescription& topic);
// Of `ls`: a line each, as JSON an array with an object a line.
[[nodiscard]] std::string queues_table(const std::vector<QueueDescription>& queues, Timestamp now);
[[nodiscard]] std::string queues_json(const std::vector<QueueDescription>& queues);
[[nodiscard]] std::string topics_table(const std::vector<TopicDescription>& topics);
[[nodiscard]] std::string topics_json(const std::vector<TopicDescription>& topics);
[[nodiscard]] std::string namespace_table(const NamespaceDescription& name_space);
[[nodiscard]] std::string namespace_json(const NamespaceDescription& name_space);
[[nodiscard]] std::string namespaces_table(const std::vector<NamespaceDescription>& namespaces);
[[nodiscard]] std::string namespaces_json(const std::vector<NamespaceDescription>& namespaces);
[[nodiscard]] std::string clients_table(const std::vector<ClientDescription>& clients);
[[nodiscard]] std::string clients_json(const std::vector<ClientDescription>& clients);
// Of `dlq`: a redrive in a sentence, all of them, and the dead-letter queues among queues.
[[nodiscard]] std::string redrive_text(const RedriveDescription& redrive);
[[nodiscard]] std::string redrive_json(const RedriveDescription& redrive);
[[nodiscard]] std::string redrives_table(const std::vector<RedriveDescription>& redrives);
[[nodiscard]] std::string redrives_json(const std::vector<RedriveDescription>& redrives);
[[nodiscard]] std::string dead_letter_queues_table(const std::vector<QueueDescription>& queues,
                                                   Timestamp now);
[[nodiscard]] std::string dead_letter_queues_json(const std::vector<QueueDescription>& queues);
/// Of `queue peek`: values are cut; of dead letters it says where they come from, how often they
/// were tried there, and why they are here.
[[nodiscard]] std::string peeked_table(const std::vector<PeekedMessage>& messages, Timestamp now);
[[nodiscard]] std::string peeked_json(const std::vector<PeekedMessage>& messages);
/// What peeked_json() has of one between its braces.
[[nodiscard]] std::vector<std::string> peeked_members(const PeekedMessage& message);
/// The value of the message's first header of that name, if it has one.
[[nodiscard]] std::optional<std::string_view> header_of(const PeekedMessage& message,
                                                        std::string_view name);
// Of `message where` and `dlq show`: what is known of a message's life, and the whole of it.
[[nodiscard]] std::string life_text(const std::string& queue, const PeekedMessage& message,
                                    Timestamp now);
[[nodiscard]] std::string message_text(const std::string& queue, const PeekedMessage& message,
                                       Timestamp now);
[[nodiscard]] std::string life_json(const std::string& queue, const PeekedMessage& message);
/// Of `delayed ls`.
[[nodiscard]] std::string delayed_table(const std::vector<DelayedMessage>& messages, Timestamp now);
[[nodiscard]] std::string delayed_json(const std::vector<DelayedMessage>& messages);
// Of what destroys: the objects of `info` and `ls` as they were, and whether nothing was done.
[[nodiscard]] std::string removed_json(const QueueDescription& queue, bool dry_run);
[[nodiscard]] std::string removed_json(const TopicDescription& topic, bool dry_run);
[[nodiscard]] std::string removed_json(const NamespaceDescription& name_space, bool dry_run);
[[nodiscard]] std::string removed_json(const std::vector<ClientDescription>& clients, bool dry_run);
/// The beginning of a value, on one line, as terminal::plain().
[[nodiscard]] std::string preview(const std::optional<std::string_view>& value);
// Of `queue update`: a line for each setting that was changed, or would be.
[[nodiscard]] std::string update_text(const QueueUpdate& update, bool dry_run);
[[nodiscard]] std::string update_json(const QueueUpdate& update, bool dry_run);
// Of `config reload`: a line for each setting that has changed in the file, and how many have not.
[[nodiscard]] std::string reload_text(const ConfigReload& reload);
[[nodiscard]] std::string reload_json(const ConfigReload& reload);
[[nodiscard]] std::string backup_table(const BackupDescription& backup);
[[nodiscard]] std::string backup_json(const BackupDescription& backup);

}  // namespace weir::cli
