#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/facts.hpp"
#include "broker/terminal/time_text.hpp"

#include <cstdint>

// Namespaces and connections, as text.
namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::Facts;

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
               {"since", Table::Align::kLeft},
               {"subscriptions"},
               {"in_flight"}});
  for (const ClientDescription& one : clients) {
    table.add({std::to_string(one.session), one.service.empty() ? "-" : one.service, one.library,
               one.address, one.name_space, terminal::time_text(ms_of(one.since)),
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

}  // namespace weir::cli
