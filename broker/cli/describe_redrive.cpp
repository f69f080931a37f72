#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/counted.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/time_text.hpp"
#include "proto/json_string.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Dead-letter queues, and the way back from them, as text.
namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::counted;
using terminal::Facts;

/// What was not asked for is nothing.
void add_text(Facts& facts, std::string_view name, const std::string& text) {
  facts.add_bytes(name, text.empty() ? std::nullopt : std::optional<std::string_view>(text));
}

std::string object_of(const RedriveDescription& redrive) {
  const RedriveOptions& options = redrive.options;
  Facts facts;
  facts.add("name", redrive.name);
  add_text(facts, "target", options.target());
  facts.add_flag("parked", options.parked());
  facts.add_flag("dry_run", options.dry_run());
  facts.add("max_messages", options.max_messages());
  facts.add("rate", options.rate());
  facts.add_flag("drop", options.drop());
  facts.add_flag("keep_attempts", options.keep_attempts());
  const MessageFilter& filter = options.filter();
  add_text(facts, "id", filter.id().is_nil() ? std::string() : filter.id().to_string());
  add_text(facts, "reason", filter.reason());
  add_text(facts, "header", filter.header());
  add_text(facts, "header_value", filter.header_value());
  add_text(facts, "key", filter.key());
  facts.add_time("died_after", told_ms(filter.died_after()));
  facts.add_time("died_before", told_ms(filter.died_before()));
  facts.add("state", name(redrive.state));
  add_text(facts, "why", redrive.why);
  facts.add("moved", redrive.moved);
  facts.add("skipped", redrive.skipped);
  facts.add("position", redrive.position);
  facts.add("end", redrive.end);
  facts.add_time("begun_time", told_ms(redrive.begun_time));
  facts.add_time("ended_time", told_ms(redrive.ended_time));
  std::vector<std::string> set;
  for (const auto& [header, value] : options.added_headers()) {
    Facts one;
    one.add_bytes("name", header);
    one.add_bytes("value", value);
    set.push_back(one.json());
  }
  std::vector<std::string> removed;
  for (const std::string& header : options.removed_headers()) {
    removed.push_back(proto::json_string(header));
  }
  std::vector<std::string> members = facts.json_members();
  members.push_back("\"set_headers\": [" + terminal::joined(set) + "]");
  members.push_back("\"remove_headers\": [" + terminal::joined(removed) + "]");
  return terminal::json_object(members);
}

/// How much of what it is about was looked at.
std::string progress_of(const RedriveDescription& redrive) {
  const std::int64_t percent = redrive.end > 0 ? redrive.position * 100 / redrive.end : 100;
  return std::to_string(percent) + "%";
}

std::string goal_of(const RedriveDescription& redrive) {
  if (redrive.options.drop()) {
    return redrive.options.parked() ? "(drop parked)" : "(drop)";
  }
  if (redrive.options.parked()) {
    return "(unpark)";
  }
  return redrive.options.target().empty() ? "(where they died)" : redrive.options.target();
}

/// The dead-letter queues among them, with the names of the queues whose they are.
std::map<std::string, std::vector<std::string>> sources_of(
    const std::vector<QueueDescription>& queues) {
  std::map<std::string, std::vector<std::string>> sources;
  for (const QueueDescription& queue : queues) {
    if (const std::string& target = queue.settings.dead_letter_queue(); !target.empty()) {
      sources[target].push_back(queue.name);
    }
  }
  return sources;
}

}  // namespace

std::string redrive_text(const RedriveDescription& redrive) {
  const bool is_dry = redrive.options.dry_run();
  const std::string of_queue = " of queue " + redrive.name;
  const RedriveOptions& options = redrive.options;
  const std::string done = (options.drop()     ? "dropped "
                            : options.parked() ? "made ready "
                                               : "moved ") +
                           counted(redrive.moved, "message");
  const std::string would = (options.drop()     ? "would drop "
                             : options.parked() ? "would make ready "
                                                : "would move ") +
                            counted(redrive.moved, "message");
  const std::string skipped =
      redrive.skipped > 0 ? ", skipped " + std::to_string(redrive.skipped) : std::string();
  switch (redrive.state) {
    case RedriveState::kRunning:
      return "began with queue " + redrive.name + "; weir dlq redrives shows how far it has come\n";
    case RedriveState::kDone:
      return (is_dry ? would : done) + of_queue + skipped + "\n";
    case RedriveState::kUnknown:
    case RedriveState::kCancelled:
    case RedriveState::kFailed:
      break;
  }
  return std::string(name(redrive.state)) + " (" + redrive.why + "): " + (is_dry ? would : done) +
         of_queue + skipped + "\n";
}

std::string redrive_json(const RedriveDescription& redrive) {
  return object_of(redrive) + "\n";
}

std::string redrives_table(const std::vector<RedriveDescription>& redrives) {
  Table table({{"name", Table::Align::kLeft},
               {"target", Table::Align::kLeft},
               {"state", Table::Align::kLeft},
               {"done"},
               {"moved"},
               {"skipped"},
               {"rate"},
               {"begun", Table::Align::kLeft},
               {"why", Table::Align::kLeft}});
  for (const RedriveDescription& one : redrives) {
    std::string state(name(one.state));
    table.add({one.name, goal_of(one), state + (one.options.dry_run() ? " (dry run)" : ""),
               progress_of(one), std::to_string(one.moved), std::to_string(one.skipped),
               one.options.rate() == 0 ? "-" : std::to_string(one.options.rate()),
               terminal::time_text(ms_of(one.begun_time)), one.why.empty() ? "-" : one.why});
  }
  return table.text();
}

std::string redrives_json(const std::vector<RedriveDescription>& redrives) {
  return array_of(redrives, [](const RedriveDescription& one) { return object_of(one); });
}

std::string dead_letter_queues_table(const std::vector<QueueDescription>& queues, Timestamp now) {
  const auto sources = sources_of(queues);
  Table table({{"name", Table::Align::kLeft},
               {"messages"},
               {"ready"},
               {"in_flight"},
               {"parked"},
               {"oldest"},
               {"of", Table::Align::kLeft}});
  for (const QueueDescription& queue : queues) {
    if (const auto found = sources.find(queue.name); found != sources.end()) {
      table.add({queue.name, std::to_string(messages_in(queue)), std::to_string(queue.ready),
                 std::to_string(queue.in_flight), std::to_string(queue.parked),
                 oldest_age(queue, now), terminal::joined(found->second)});
    }
  }
  return table.text();
}

std::string dead_letter_queues_json(const std::vector<QueueDescription>& queues) {
  const auto sources = sources_of(queues);
  std::vector<QueueDescription> found;
  std::ranges::copy_if(queues, std::back_inserter(found),
                       [&](const QueueDescription& queue) { return sources.contains(queue.name); });
  return array_of(found, [&](const QueueDescription& queue) {
    std::vector<std::string> members = queue_members(queue);
    std::vector<std::string> names;
    for (const std::string& source : sources.at(queue.name)) {
      names.push_back(proto::json_string(source));
    }
    members.push_back("\"of\": [" + terminal::joined(names) + "]");
    return terminal::json_object(members);
  });
}

}  // namespace weir::cli
