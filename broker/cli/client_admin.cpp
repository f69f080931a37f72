#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/terminal/counted.hpp"
#include "broker/terminal/plain_text.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// `weir client ls` and `kick`: who is connected.
namespace weir::cli {
namespace {

struct ClientArguments {
  std::string service;
  std::vector<std::uint64_t> sessions;
  OutputForm form;
  Caution caution;
};

Result<std::vector<ClientDescription>> list_connections(Client& client,
                                                        const std::string& service) {
  return list_all<ClientDescription>(
      service, [&](const ListOptions& options) { return client.list_clients(options); },
      &ClientPage::clients);
}

ExitCode list_clients(const Connection& connection, const ClientArguments& arguments) {
  return show_answer(
      connection, arguments.form, arguments.service,
      [&](Client& client) { return list_connections(client, arguments.service); }, clients_table,
      clients_json);
}

/// The connections of those sessions, in that order; INVALID_ARGUMENT names one that there is not.
Result<std::vector<ClientDescription>> find_sessions(Client& client,
                                                     const std::vector<std::uint64_t>& sessions) {
  const Result<std::vector<ClientDescription>> all = list_connections(client, "");
  if (!all) {
    return all.error();
  }
  std::vector<ClientDescription> found;
  for (const std::uint64_t session : sessions) {
    const auto one = std::ranges::find(*all, session, &ClientDescription::session);
    if (one == all->end()) {
      return Error(ErrorCode::kInvalidArgument, "there is no session " + std::to_string(session));
    }
    found.push_back(*one);
  }
  return found;
}

Look kicked_look(const std::vector<ClientDescription>& clients) {
  std::string lines;
  for (const ClientDescription& client : clients) {
    lines += "kicked session " + std::to_string(client.session) + " of " +
             (client.service.empty() ? "-" : terminal::plain(client.service)) + " at " +
             client.address + "\n";
  }
  return Look{.table = std::move(lines), .json = removed_json(clients, false)};
}

ExitCode kick(const Connection& connection, const ClientArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Caution& caution = arguments.caution;
  if (caution.looks_first()) {
    const auto found = find_sessions(*client, arguments.sessions);
    if (!found) {
      return report(found.error(), "");
    }
    const std::string what = terminal::counted(found->size(), "connection") + " will be ended";
    if (const auto held = hold_back(caution, what, removed_json(*found, true))) {
      return *held;
    }
  }
  std::vector<ClientDescription> done;
  for (const std::uint64_t session : arguments.sessions) {
    Result<ClientDescription> kicked = client->kick_client(session);
    if (!kicked) {
      const ExitCode printed = show(caution.form, kicked_look(done), "");
      return printed == ExitCode::kDone ? report(kicked.error(), std::to_string(session)) : printed;
    }
    done.push_back(*std::move(kicked));
  }
  return show(caution.form, kicked_look(done), "");
}

}  // namespace

void add_client_admin(CLI::App& parent, CommandLine& line) {
  CLI::App& list_command = *parent.add_subcommand("ls", "List connections");
  auto query = std::make_shared<ClientArguments>();
  list_command.add_option("SERVICE", query->service,
                          "Services that match: * is any text, ? any character (default: all)");
  add_output_options(list_command, query->form);
  list_command.footer(R"(
Of all namespaces, in the order in which they began; this command's own is among them. in_flight is
what was pushed to a connection and is not settled.

Example:
  weir client ls 'check*')");
  list_command.callback([&line, query] {
    line.action = [&line, query] { return list_clients(line.connection, *query); };
  });

  CLI::App& kick_command = *parent.add_subcommand("kick", "End connections");
  auto kicking = std::make_shared<ClientArguments>();
  kick_command.add_option("SESSION", kicking->sessions, "As `weir client ls` shows it")->required();
  add_caution(kick_command, kicking->caution);
  kick_command.footer(R"(
The client hears KICKED, and its connection ends: what it held and had not begun goes to others. A
client of ours connects again by itself, as those of other brokers do, so this moves it, or frees
what it held, but does not keep it out.

Example:
  weir client kick 17 --yes)");
  kick_command.callback([&line, kicking] {
    line.action = [&line, kicking] { return kick(line.connection, *kicking); };
  });
}

}  // namespace weir::cli
