#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/plain_text.hpp"
#include "broker/terminal/time_text.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What became of one message, as text: from its headers and from what is remembered of it.
namespace weir::cli {
namespace {

using terminal::Facts;

/// What happened to it, by when that was; one behind the other where that is the same.
using Events = std::multimap<std::int64_t, std::string>;

std::string number_text(const boost::json::value* value) {
  return value != nullptr && value->is_number() ? boost::json::serialize(*value) : "?";
}

std::string_view text_of(const boost::json::value* value) {
  return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                : std::string_view();
}

std::string by(std::string_view consumer) {
  return consumer.empty() ? std::string() : " by " + terminal::plain(consumer);
}

/// What a header tells of attempts in another queue (weir.dead-history, weir.past-history).
void add_history(Events& events, std::string_view json) {
  boost::system::error_code malformed;
  const boost::json::value parsed = boost::json::parse(json, malformed);
  if (malformed || !parsed.is_array()) {
    return;
  }
  for (const boost::json::value& one : parsed.get_array()) {
    if (const boost::json::object* attempt = one.if_object()) {
      const boost::json::value* time = attempt->if_contains("time");
      events.insert({time != nullptr && time->is_int64() ? time->get_int64() : 0,
                     "attempt " + number_text(attempt->if_contains("attempt")) + ": " +
                         terminal::plain(text_of(attempt->if_contains("outcome"))) +
                         by(text_of(attempt->if_contains("consumer")))});
    }
  }
}

std::string death_of(const PeekedMessage& message) {
  const auto told = [&](std::string_view name) {
    return terminal::plain(header_of(message, name).value_or("?"));
  };
  std::string text = "died in " + told("weir.dead-from") + " of " + told("weir.dead-reason") +
                     ", attempts " + told("weir.dead-attempts") + ", failures " +
                     told("weir.dead-failures");
  if (header_of(message, "weir.dead-error")) {
    text += ": " + told("weir.dead-error");
  }
  return text;
}

Events life_of(const std::string& queue, const PeekedMessage& message) {
  Events events;
  add_history(events, header_of(message, "weir.past-history").value_or(std::string_view()));
  add_history(events, header_of(message, "weir.dead-history").value_or(std::string_view()));
  if (header_of(message, "weir.dead-from")) {
    events.insert({ms_of(message.append_time), death_of(message)});
  }
  // It brings its id along where it is not in its first place.
  const bool came = header_of(message, "weir.id").has_value();
  events.insert({ms_of(message.append_time),
                 std::string(came ? "came to queue " : "taken into queue ") + queue});
  for (const AttemptDescription& attempt : message.history) {
    events.insert({ms_of(attempt.time),
                   "attempt " + std::to_string(attempt.number) + ": " + attempt.outcome +
                       by(attempt.consumer) +
                       (attempt.reason.empty() ? "" : ": " + terminal::plain(attempt.reason))});
  }
  if (message.state == MessageState::kInFlight) {
    events.insert({ms_of(message.leased), "handed out" + by(message.consumer)});
  }
  return events;
}

std::string object_of(const AttemptDescription& attempt) {
  Facts facts;
  facts.add("attempt", attempt.number);
  facts.add_time("time", told_ms(attempt.time));
  facts.add("outcome", attempt.outcome);
  facts.add("consumer", attempt.consumer);
  facts.add("reason", attempt.reason);
  return facts.json();
}

}  // namespace

std::string life_text(const std::string& queue, const PeekedMessage& message, Timestamp now) {
  Facts facts;
  facts.add("id", message.id.to_string());
  facts.add("queue", queue);
  facts.add("offset", message.offset);
  std::string state(name(message.state));
  if (message.state == MessageState::kInFlight) {
    state += by(message.consumer);
  }
  if (told_ms(message.due)) {
    state += (message.state == MessageState::kInFlight ? ", until in " : ", due in ") +
             terminal::age_text(message.due - now);
  }
  facts.add("state", state);
  facts.add("attempts", message.attempts);
  facts.add("failures", message.failures);
  Table table({{"time", Table::Align::kLeft}, {"ago"}, {"what", Table::Align::kLeft}});
  const auto add = [&](std::int64_t time_ms, const std::string& what) {
    const Timestamp time{std::chrono::milliseconds(time_ms)};
    table.add({time_ms != 0 ? terminal::time_text(time_ms) : "-",
               time_ms != 0 ? terminal::age_text(now - time) : "-", what});
  };
  add(ms_of(message.timestamp), "sent, by the clock of who sent it");  // whatever that says
  for (const auto& [time_ms, what] : life_of(queue, message)) {
    add(time_ms, what);
  }
  return facts.table() + "\n" + table.text();
}

std::string message_text(const std::string& queue, const PeekedMessage& message, Timestamp now) {
  std::string text = life_text(queue, message, now) + "\n";
  Facts facts;
  facts.add_bytes("key", message.key);
  for (const auto& [header, value] : message.headers) {
    facts.add_bytes(terminal::plain(header), value);
  }
  facts.add_bytes("value", message.value);
  return text + facts.table();
}

std::string life_json(const std::string& queue, const PeekedMessage& message) {
  std::vector<std::string> attempts;
  attempts.reserve(message.history.size());
  for (const AttemptDescription& attempt : message.history) {
    attempts.push_back(object_of(attempt));
  }
  Facts facts;
  facts.add("queue", queue);
  std::vector<std::string> members = facts.json_members();
  for (std::string& member : peeked_members(message)) {
    members.push_back(std::move(member));
  }
  members.push_back("\"history\": [" + terminal::joined(attempts) + "]");
  return terminal::json_object(members) + "\n";
}

}  // namespace weir::cli
