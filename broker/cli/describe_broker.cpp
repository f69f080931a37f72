#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/plain_text.hpp"

#include <cstddef>
#include <cstdint>

// Namespaces, connections and messages that are looked at, as text.
namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::Facts;
using terminal::joined;
using terminal::json_object;

constexpr std::size_t kMaxPreviewColumns = 60;

std::int64_t ms_of(Timestamp time) {
  return time.time_since_epoch().count();
}

Facts facts_of(const NamespaceDescription& name_space) {
  Facts facts;
  facts.add("name", name_space.name);
  facts.add("id", name_space.id);
  facts.add("queues", name_space.queues);
  facts.add("topics", name_space.topics);
  return facts;
}

std::string object_of(const NamespaceDescription& name_space) {
  return facts_of(name_space).json();
}

Facts facts_of(const ClientDescription& client) {
  Facts facts;
  facts.add("session", client.session);
  facts.add("service", client.service);
  facts.add("library", client.library);
  facts.add("address", client.address);
  facts.add("namespace", client.name_space);
  facts.add("since_ms", ms_of(client.since));
  facts.add("subscriptions", client.subscriptions);
  facts.add("in_flight", client.in_flight);
  return facts;
}

std::string object_of(const ClientDescription& client) {
  return facts_of(client).json();
}

void add_text(Facts& facts, std::string_view name, const std::optional<std::string>& text) {
  if (text) {
    facts.add(name, *text);
  } else {
    facts.add_nothing(name);
  }
}

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
  add_text(facts, "key", message.key);
  add_text(facts, "value", message.value);
  std::vector<std::string> headers;
  for (const auto& [header, value] : message.headers) {
    Facts one;
    one.add("name", header);
    add_text(one, "value", value);
    headers.push_back(one.json());
  }
  std::vector<std::string> members = facts.json_members();
  members.push_back("\"headers\": [" + joined(headers) + "]");
  return json_object(members);
}

}  // namespace

std::string namespace_table(const NamespaceDescription& name_space) {
  return facts_of(name_space).table();
}

std::string namespace_json(const NamespaceDescription& name_space) {
  return object_of(name_space) + "\n";
}

std::string namespaces_table(const std::vector<NamespaceDescription>& namespaces) {
  Table table({{"name", Table::Align::kLeft}, {"queues"}, {"topics"}});
  for (const NamespaceDescription& one : namespaces) {
    table.add({one.name, std::to_string(one.queues), std::to_string(one.topics)});
  }
  return table.text();
}

std::string namespaces_json(const std::vector<NamespaceDescription>& namespaces) {
  return array_of(namespaces, [](const NamespaceDescription& one) { return object_of(one); });
}

std::string clients_table(const std::vector<ClientDescription>& clients) {
  Table table({{"session"},
               {"service", Table::Align::kLeft},
               {"library", Table::Align::kLeft},
               {"address", Table::Align::kLeft},
               {"namespace", Table::Align::kLeft},
               {"since_ms"},
               {"subscriptions"},
               {"in_flight"}});
  for (const ClientDescription& one : clients) {
    table.add({std::to_string(one.session), one.service.empty() ? "-" : one.service, one.library,
               one.address, one.name_space, std::to_string(ms_of(one.since)),
               std::to_string(one.subscriptions), std::to_string(one.in_flight)});
  }
  return table.text();
}

std::string clients_json(const std::vector<ClientDescription>& clients) {
  return array_of(clients, [](const ClientDescription& one) { return object_of(one); });
}

std::string removed_json(const NamespaceDescription& name_space, bool dry_run) {
  Facts facts = facts_of(name_space);
  facts.add_flag("dry_run", dry_run);
  return facts.json() + "\n";
}

std::string removed_json(const std::vector<ClientDescription>& clients, bool dry_run) {
  return array_of(clients, [dry_run](const ClientDescription& one) {
    Facts facts = facts_of(one);
    facts.add_flag("dry_run", dry_run);
    return facts.json();
  });
}

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
