#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
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

ExitCode kick(const Connection& connection, const ClientArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const std::string what = counted(arguments.sessions.size(), "connection") + " will be ended";
  if (const auto held = hold_back(arguments.caution, what)) {
    return *held;
  }
  std::string done;
  for (const std::uint64_t session : arguments.sessions) {
    const Result<ClientDescription> kicked = client->kick_client(session);
    if (!kicked) {
      const ExitCode printed = print(done);
      return printed == ExitCode::kDone ? report(kicked.error(), std::to_string(session)) : printed;
    }
    done += "kicked session " + std::to_string(session) + " of " +
            (kicked->service.empty() ? "-" : kicked->service) + " at " + kicked->address + "\n";
  }
  return print(done);
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
