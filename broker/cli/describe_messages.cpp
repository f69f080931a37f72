#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/plain_text.hpp"
#include "broker/terminal/time_text.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Messages that are looked at, as text.
namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::Facts;
using terminal::joined;
using terminal::json_object;

constexpr std::size_t kMaxPreviewColumns = 60;
const std::string kMissing = "-";

// Headers of dead letters (proto/README.md).
constexpr std::string_view kDeadFrom = "weir.dead-from";
constexpr std::string_view kDeadAttempts = "weir.dead-attempts";
constexpr std::string_view kDeadReason = "weir.dead-reason";
constexpr std::string_view kDeadError = "weir.dead-error";

/// What a message that was looked at has in common with any other, behind `facts` of its own.
template <class Message>
std::vector<std::string> members_with(Facts facts, const Message& message) {
  facts.add_time("due", told_ms(message.due));
  facts.add_time("append_time", ms_of(message.append_time));
  facts.add_time("timestamp", ms_of(message.timestamp));
  facts.add_bytes("key", message.key);
  facts.add_bytes("value", message.value);
  std::vector<std::string> headers;
  for (const auto& [header, value] : message.headers) {
    Facts one;
    one.add_bytes("name", header);
    one.add_bytes("value", value);
    headers.push_back(one.json());
  }
  std::vector<std::string> members = facts.json_members();
  members.push_back("\"headers\": [" + joined(headers) + "]");
  return members;
}

std::string object_of(const DelayedMessage& message) {
  Facts facts;
  facts.add("id", message.id.to_string());
  return json_object(members_with(std::move(facts), message));
}

std::string shown_header(const PeekedMessage& message, std::string_view name) {
  return std::string(header_of(message, name).value_or(kMissing));
}

}  // namespace

std::optional<std::string_view> header_of(const PeekedMessage& message, std::string_view name) {
  for (const auto& [header, value] : message.headers) {
    if (header == name && value) {
      return *value;
    }
  }
  return std::nullopt;
}

std::vector<std::string> peeked_members(const PeekedMessage& message) {
  Facts facts;
  facts.add("id", message.id.to_string());
  facts.add("offset", message.offset);
  facts.add("state", name(message.state));
  facts.add("attempts", message.attempts);
  facts.add("failures", message.failures);
  facts.add_bytes("consumer", message.consumer.empty()
                                  ? std::nullopt
                                  : std::optional<std::string_view>(message.consumer));
  facts.add_time("leased", told_ms(message.leased));
  return members_with(std::move(facts), message);
}

std::string preview(const std::optional<std::string_view>& value) {
  if (!value) {
    return kMissing;
  }
  // A character has at most four bytes, so this holds as many as are shown.
  const std::string_view begin = value->substr(0, 4 * kMaxPreviewColumns);
  const std::string shown = terminal::plain(begin);
  const std::string_view cut = terminal::first_columns(shown, kMaxPreviewColumns);
  const bool is_whole = cut.size() == shown.size() && begin.size() == value->size();
  return std::string(cut) + (is_whole ? "" : "...");
}

std::string peeked_table(const std::vector<PeekedMessage>& messages, Timestamp now) {
  using Align = Table::Align;
  const bool has_dead_letters = std::ranges::any_of(messages, [](const PeekedMessage& message) {
    return header_of(message, kDeadFrom).has_value();
  });
  std::vector<Table::Column> columns = {
      {"offset"}, {"state", Align::kLeft}, {"attempts"}, {"failures"}, {"due"}, {"age"}};
  if (has_dead_letters) {
    columns.insert(columns.begin(), {"id", Align::kLeft});  // for `dlq show`
    columns.insert(columns.end(), {{"dead_from", Align::kLeft},
                                   {"dead_attempts"},
                                   {"dead_reason", Align::kLeft},
                                   {"dead_error", Align::kLeft}});
  }
  columns.insert(columns.end(), {{"size"}, {"value", Align::kLeft}});
  Table table(std::move(columns));
  for (const PeekedMessage& one : messages) {
    std::vector<std::string> cells = {
        std::to_string(one.offset),
        std::string(name(one.state)),
        std::to_string(one.attempts),
        std::to_string(one.failures),
        told_ms(one.due) ? "in " + terminal::age_text(one.due - now) : kMissing,
        terminal::age_text(now - one.append_time)};
    if (has_dead_letters) {
      cells.insert(cells.begin(), one.id.to_string());
      for (const std::string_view header : {kDeadFrom, kDeadAttempts, kDeadReason}) {
        cells.push_back(shown_header(one, header));
      }
      cells.push_back(preview(shown_header(one, kDeadError)));
    }
    cells.push_back(one.value ? std::to_string(one.value->size()) : kMissing);
    cells.push_back(preview(one.value));
    table.add(std::move(cells));
  }
  return table.text();
}

std::string peeked_json(const std::vector<PeekedMessage>& messages) {
  return array_of(messages,
                  [](const PeekedMessage& one) { return json_object(peeked_members(one)); });
}

std::string delayed_table(const std::vector<DelayedMessage>& messages, Timestamp now) {
  using Align = Table::Align;
  Table table({{"id", Align::kLeft}, {"due"}, {"age"}, {"size"}, {"value", Align::kLeft}});
  for (const DelayedMessage& one : messages) {
    table.add({one.id.to_string(),
               one.due > now ? "in " + terminal::age_text(one.due - now) : "now",
               terminal::age_text(now - one.append_time),
               one.value ? std::to_string(one.value->size()) : kMissing, preview(one.value)});
  }
  return table.text();
}

std::string delayed_json(const std::vector<DelayedMessage>& messages) {
  return array_of(messages, [](const DelayedMessage& one) { return object_of(one); });
}

}  // namespace weir::cli
