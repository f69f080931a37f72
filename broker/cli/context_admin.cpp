#include "broker/cli/command.hpp"
#include "broker/cli/contexts.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/table.hpp"
#include "broker/terminal/facts.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <utility>

namespace weir::cli {
namespace {

using terminal::array_of;
using terminal::Facts;

// Reads the file, has it changed, and writes it. Says `done` when that went well.
ExitCode change(const std::function<Result<>(Contexts&)>& how, const std::string& done) {
  const std::string path = contexts_path(process_environment);
  Result<Contexts> contexts = read_contexts(path);
  if (!contexts) {
    return report(contexts.error(), path);
  }
  Result<> changed = how(*contexts);
  if (changed) {
    changed = write_contexts(path, *contexts);
  }
  return changed ? print(done + "\n") : report(changed.error(), path);
}

struct AddArguments {
  Context context;
  std::int64_t timeout_ms = 0;
  bool use = false;
};

ExitCode add(const Connection& connection, AddArguments arguments) {
  // The address is checked as a client would; nothing is connected.
  if (const Result<Client> client = Client::create(ClientOptions(arguments.context.url)); !client) {
    return report(client.error(), arguments.context.url);
  }
  arguments.context.timeout_ms = connection.timeout_flag_ms;
  const std::string name = arguments.context.name;
  return change(
      [&](Contexts& contexts) {
        const bool is_first = contexts.all().empty();
        if (Result<> put = contexts.put(std::move(arguments.context)); !put) {
          return put;
        }
        return is_first || arguments.use ? contexts.use(name) : Result<>();
      },
      "context " + name + " is " + arguments.context.url);
}

std::string table_of(const Contexts& contexts) {
  Table table({{"", Table::Align::kLeft},
               {"name", Table::Align::kLeft},
               {"url", Table::Align::kLeft},
               {"timeout_ms"}});
  for (const Context& context : contexts.all()) {
    table.add({&context == contexts.current() ? "*" : "", context.name, context.url,
               context.timeout_ms ? std::to_string(*context.timeout_ms) : "-"});
  }
  return table.text();
}

std::string json_of(const Contexts& contexts) {
  return array_of(contexts.all(), [&](const Context& context) {
    Facts facts;
    facts.add("name", context.name);
    facts.add("url", context.url);
    if (context.timeout_ms) {
      facts.add("timeout_ms", *context.timeout_ms);
    } else {
      facts.add_nothing("timeout_ms");
    }
    facts.add_flag("in_use", &context == contexts.current());
    return facts.json();
  });
}

ExitCode list(const OutputForm& form) {
  const std::string path = contexts_path(process_environment);
  const auto look = [&path]() -> Result<Look> {
    const Result<Contexts> contexts = read_contexts(path);
    if (!contexts) {
      return contexts.error();
    }
    return Look{.table = table_of(*contexts), .json = json_of(*contexts)};
  };
  return show(form, look, path);
}

ExitCode show(const Connection& connection) {
  const Result<Target> target =
      find_target(connection.url_flag, connection.context_flag, process_environment);
  if (!target) {
    return report(target.error(), contexts_path(process_environment));
  }
  return print(target->url + "  (" + target->said_by + ")\n");
}

}  // namespace

void add_context_admin(CLI::App& parent, CommandLine& line) {
  CLI::App& adding =
      *parent.add_subcommand("add", "Give a broker a name, or a name another broker");
  auto arguments = std::make_shared<AddArguments>();
  adding.add_option("NAME", arguments->context.name)->required();
  adding
      .add_option("URL", arguments->context.url, "weir://HOST[:PORT][,HOST[:PORT]...][/NAMESPACE]")
      ->required();
  adding.add_flag("--use", arguments->use, "And use it from now on; the first one is used anyway");
  adding.footer(R"(
With --timeout-ms, commands take that for their requests where they are told no other.

Example:
  weir context add prod weir://10.0.0.7/orders --use
  weir context add slow weir://10.0.0.8 --timeout-ms 60000)");
  adding.callback([&line, arguments] {
    line.is_local = true;
    line.action = [&line, arguments] { return add(line.connection, *arguments); };
  });

  const auto add_by_name = [&](const std::string& verb, const std::string& help,
                               const std::string& example, auto how) {
    CLI::App& command = *parent.add_subcommand(verb, help);
    auto name = std::make_shared<std::string>();
    command.add_option("NAME", *name)->required();
    command.footer("\nExample:\n  " + example);
    command.callback([&line, name, verb, how] {
      line.is_local = true;
      line.action = [name, verb, how] {
        return change([&](Contexts& contexts) { return (contexts.*how)(*name); },
                      (verb == "use" ? "commands go to context " : "removed context ") + *name);
      };
    });
  };
  add_by_name("use", "Send commands to this broker from now on", "weir context use prod",
              &Contexts::use);
  add_by_name("rm", "Forget a name", "weir context rm test", &Contexts::remove);

  CLI::App& listing = *parent.add_subcommand("ls", "List the names; * is in use");
  auto form = std::make_shared<OutputForm>();
  add_output_option(listing, *form);
  listing.footer("\nExample:\n  weir context ls");
  listing.callback([&line, form] {
    line.is_local = true;
    line.action = [form] { return list(*form); };
  });

  CLI::App& showing = *parent.add_subcommand("show", "Say where commands go, and what says so");
  showing.footer(R"(
The first of these that is there: --url, --context, WEIR_URL, WEIR_CONTEXT, the context in use,
weir://127.0.0.1:7340.

Example:
  weir context show)");
  showing.callback([&line] {
    line.is_local = true;
    line.action = [&line] { return show(line.connection); };
  });
}

}  // namespace weir::cli
