#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/plain_text.hpp"

#include <cstddef>
#include <cstdint>

// Messages that are looked at, as text.
namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::Facts;
using terminal::joined;
using terminal::json_object;

constexpr std::size_t kMaxPreviewColumns = 60;

std::string object_of(const PeekedMessage& message) {
  Facts facts;
  facts.add("offset", message.offset);
  facts.add("state", name(message.state));
  facts.add("attempts", message.attempts);
  if (ms_of(message.due) != 0) {
    facts.add("due_ms", ms_of(message.due));
  } else {
    facts.add_nothing("due_ms");
  }
  facts.add("append_time_ms", ms_of(message.append_time));
  facts.add("timestamp_ms", ms_of(message.timestamp));
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
  return json_object(members);
}

}  // namespace

std::string preview(const std::optional<std::string_view>& value) {
  if (!value) {
    return "-";
  }
  // A character has at most four bytes, so this holds as many as are shown.
  const std::string_view begin = value->substr(0, 4 * kMaxPreviewColumns);
  const std::string shown = terminal::plain(begin);
  const std::string_view cut = terminal::first_columns(shown, kMaxPreviewColumns);
  const bool is_whole = cut.size() == shown.size() && begin.size() == value->size();
  return std::string(cut) + (is_whole ? "" : "...");
}

std::string peeked_table(const std::vector<PeekedMessage>& messages) {
  Table table({{"offset"},
               {"state", Table::Align::kLeft},
               {"attempts"},
               {"due_ms"},
               {"size"},
               {"value", Table::Align::kLeft}});
  for (const PeekedMessage& one : messages) {
    table.add({std::to_string(one.offset), std::string(name(one.state)),
               std::to_string(one.attempts),
               ms_of(one.due) != 0 ? std::to_string(ms_of(one.due)) : "-",
               one.value ? std::to_string(one.value->size()) : "-", preview(one.value)});
  }
  return table.text();
}

std::string peeked_json(const std::vector<PeekedMessage>& messages) {
  return array_of(messages, [](const PeekedMessage& one) { return object_of(one); });
}

}  // namespace weir::cli
