#include "broker/cli/command.hpp"
#include "broker/cli/delay_option.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/gathered_calls.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// `weir delayed`: messages that are put off until later.
namespace weir::cli {
namespace {

constexpr std::size_t kMaxPage = 1'000;  // messages in one request

struct ListArguments {
  std::string queue;
  std::size_t count = 10;
  OutputForm form;
};

Result<std::vector<DelayedMessage>> look_at(Client& client, const ListArguments& arguments) {
  std::vector<DelayedMessage> messages;
  DelayedOptions options;
  do {
    const std::size_t left = std::min(arguments.count - messages.size(), kMaxPage);
    options.set_max_messages(static_cast<std::uint32_t>(left));
    Result<DelayedPage> page = client.list_delayed(arguments.queue, options);
    if (!page) {
      return std::move(page).error();
    }
    std::move(page->messages.begin(), page->messages.end(), std::back_inserter(messages));
    options.set_page_token(page->next_page_token);
  } while (!options.page_token().empty() && messages.size() < arguments.count);
  return messages;
}

struct ChangeArguments {
  std::string queue;
  std::vector<std::string> ids;
  DelayOption until;
};

Result<MessageId> id_of(std::string_view text) {
  const std::optional<MessageId> id = MessageId::parse(text);
  return id ? Result<MessageId>(*id)
            : Error(
                  ErrorCode::kInvalidArgument,
                  "'" + std::string(text) + "' is no id of a message; weir delayed ls shows them");
}

using Change =
    std::function<Result<std::vector<Result<>>>(Client& client, const std::vector<MessageId>& ids)>;

/// `what` has become of the messages, e.g. "cancelled".
ExitCode change(const Connection& connection, const ChangeArguments& arguments,
                const Change& change_them, const std::string& what) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  GatheredCalls<MessageId> calls(
      kMaxPage, [&](const std::vector<MessageId>& ids) { return change_them(*client, ids); },
      [](const MessageId& id) { return id.to_string(); });
  calls.add_all(arguments.ids, id_of);
  const ExitCode code = calls.finish();
  const ExitCode printed = print(what + " " + std::to_string(calls.done()) +
                                 (calls.done() == 1 ? " message\n" : " messages\n"));
  return code != ExitCode::kDone ? code : printed;
}

CLI::App& add_change(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::shared_ptr<ChangeArguments>& arguments) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.add_option("QUEUE", arguments->queue)->required();
  command
      .add_option("ID", arguments->ids,
                  "As `weir delayed ls` prints it; `-`: one a line from standard input")
      ->required();
  return command;
}

void add_list(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("ls", "List messages that are put off");
  auto arguments = std::make_shared<ListArguments>();
  command.add_option("QUEUE", arguments->queue)->required();
  command.add_option("-n,--count", arguments->count, "At most so many")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
  add_output_options(command, arguments->form);
  command.footer(R"(
The next one that is due first. These are messages that were sent with a delay, their own or the
queue's (weir queue info). What a handler gave back with a delay is shown by
`weir queue peek --from delayed`.

Example:
  weir delayed ls mail
  weir delayed ls mail -n 1000 -o 'template={id}\n')");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      return show_answer(
          line.connection, arguments->form, arguments->queue,
          [arguments](Client& client) { return look_at(client, *arguments); },
          [](const std::vector<DelayedMessage>& messages) {
            return delayed_table(messages, wall_now());
          },
          delayed_json);
    };
  });
}

void add_cancel(CLI::App& parent, CommandLine& line) {
  auto arguments = std::make_shared<ChangeArguments>();
  CLI::App& command =
      add_change(parent, "cancel", "Forget messages before they are due", arguments);
  command.footer(R"(
Nobody will get them. Each by itself: one that is ready, or was handed out, already is told on the
standard error, and the others are cancelled all the same.

Example:
  weir delayed cancel mail 00000001-0000-0000-0002-800000000003
  weir delayed ls mail -n 1000 -o 'template={id}\n' | weir delayed cancel mail -)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      return change(
          line.connection, *arguments,
          [arguments](Client& client, const std::vector<MessageId>& ids) {
            return client.cancel_delayed(arguments->queue, ids);
          },
          "cancelled");
    };
  });
}

void add_reschedule(CLI::App& parent, CommandLine& line) {
  auto arguments = std::make_shared<ChangeArguments>();
  CLI::App& command =
      add_change(parent, "reschedule", "Put messages off until another time", arguments);
  add_delay_options(command, arguments->until);
  command.footer(R"(
Sooner or later than before; with --delay-ms 0 at once. Their ids stay.

Example:
  weir delayed reschedule mail 00000001-0000-0000-0002-800000000003 --delay-ms 60000
  weir delayed reschedule mail - --until 2026-12-24T18:00:00Z < ids)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      const Result<std::chrono::milliseconds> delay = arguments->until.delay();
      if (!arguments->until.is_set() || !delay) {
        return report(delay ? Error(ErrorCode::kInvalidArgument, "--delay-ms or --until says when")
                            : delay.error(),
                      arguments->queue);
      }
      return change(
          line.connection, *arguments,
          [arguments, delay](Client& client, const std::vector<MessageId>& ids) {
            return client.reschedule_delayed(arguments->queue, ids, *delay);
          },
          "rescheduled");
    };
  });
}

}  // namespace

void add_delayed(CLI::App& parent, CommandLine& line) {
  add_list(parent, line);
  add_cancel(parent, line);
  add_reschedule(parent, line);
}

}  // namespace weir::cli
