#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/cli/time_spec.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

// `weir dlq` and `weir queue unpark`: the way back of messages that nobody could handle.
namespace weir::cli {
namespace {

struct RedriveArguments {
  std::string name;
  RedriveOptions options;
  std::string header;
  std::string died_after;
  std::string died_before;
  bool wait = false;
  OutputForm form;
};

struct NamedArguments {
  std::string name;
  OutputForm form;
};

/// `@` may stand in front, as where a topic is read from a time on.
Result<Timestamp> moment_of(const std::string& text) {
  return text.empty() ? Result<Timestamp>(Timestamp())
                      : parse_time(text.starts_with('@') ? text.substr(1) : text, wall_now());
}

Result<RedriveOptions> options_of(const RedriveArguments& arguments) {
  RedriveOptions options = arguments.options;
  if (!arguments.header.empty()) {
    const std::size_t equals = arguments.header.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Error(ErrorCode::kInvalidArgument,
                   "--header takes NAME=VALUE, not '" + arguments.header + "'");
    }
    options.set_header(arguments.header.substr(0, equals), arguments.header.substr(equals + 1));
  }
  Result<Timestamp> after = moment_of(arguments.died_after);
  Result<Timestamp> before = moment_of(arguments.died_before);
  if (!after || !before) {
    return after ? std::move(before).error() : std::move(after).error();
  }
  return options.set_died_after(*after).set_died_before(*before);
}

Result<std::vector<RedriveDescription>> list_at(Client& client, const std::string& pattern) {
  return list_all<RedriveDescription>(
      pattern, [&](const ListOptions& options) { return client.list_redrives(options); },
      &RedrivePage::redrives);
}

/// What became of a redrive that was begun.
Result<RedriveDescription> wait_for_end(Client& client, RedriveDescription redrive) {
  constexpr std::chrono::milliseconds kPause{50};
  const std::string name = redrive.name;
  while (redrive.state == RedriveState::kRunning) {
    std::this_thread::sleep_for(kPause);
    Result<std::vector<RedriveDescription>> found = list_at(client, name);
    if (!found) {
      return std::move(found).error();
    }
    if (found->empty()) {
      return Error(ErrorCode::kQueueNotFound, "queue '" + name + "' was deleted");
    }
    redrive = std::move(found->front());
  }
  return redrive;
}

ExitCode start(const Connection& connection, const RedriveArguments& arguments) {
  const Result<RedriveOptions> options = options_of(arguments);
  if (!options) {
    return report(options.error(), arguments.name);
  }
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  Result<RedriveDescription> redrive = client->start_redrive(arguments.name, *options);
  if (redrive && (arguments.wait || options->dry_run())) {
    redrive = wait_for_end(*client, *std::move(redrive));
  }
  if (!redrive) {
    return report(redrive.error(), arguments.name);
  }
  const ExitCode shown =
      show(arguments.form, Look{.table = redrive_text(*redrive), .json = redrive_json(*redrive)},
           arguments.name);
  const bool went_well =
      redrive->state == RedriveState::kRunning || redrive->state == RedriveState::kDone;
  return shown == ExitCode::kDone && !went_well ? ExitCode::kRefused : shown;
}

ExitCode cancel(const Connection& connection, const NamedArguments& arguments) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<RedriveDescription> redrive = client->cancel_redrive(arguments.name);
  return redrive ? show(arguments.form,
                        Look{.table = redrive_text(*redrive), .json = redrive_json(*redrive)},
                        arguments.name)
                 : report(redrive.error(), arguments.name);
}

ExitCode list_redrives(const Connection& connection, const NamedArguments& arguments) {
  return show_answer(
      connection, arguments.form, "", [](Client& client) { return list_at(client, ""); },
      redrives_table, redrives_json);
}

ExitCode list_dead_letter_queues(const Connection& connection, const NamedArguments& arguments) {
  return show_answer(
      connection, arguments.form, "",
      [](Client& client) {
        return list_all<QueueDescription>(
            "", [&](const ListOptions& options) { return client.list_queues(options); },
            &QueuePage::queues);
      },
      [](const std::vector<QueueDescription>& queues) {
        return dead_letter_queues_table(queues, wall_now());
      },
      dead_letter_queues_json);
}

using Start = std::shared_ptr<RedriveArguments>;

CLI::App& add_start(CLI::App& parent, CommandLine& line, const std::string& name,
                    const std::string& description, const Start& arguments) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.add_option("NAME", arguments->name)->required();
  command.add_option_function<std::uint64_t>(
      "--max,--max-messages",
      [arguments](std::uint64_t messages) { arguments->options.set_max_messages(messages); },
      "At most so many messages");
  command.add_option_function<std::uint64_t>(
      "--rate", [arguments](std::uint64_t rate) { arguments->options.set_rate(rate); },
      "At most so many messages a second");
  command.add_option("--header", arguments->header, "Messages with this header, NAME=VALUE");
  command.add_option_function<std::string>(
      "--key", [arguments](const std::string& key) { arguments->options.set_key(key); },
      "Messages with this key");
  command.add_flag_callback(
      "--dry-run", [arguments] { arguments->options.set_dry_run(true); },
      "Count the messages, and change nothing");
  command.add_flag("--wait", arguments->wait, "Come back when it has ended");
  add_output_option(command, arguments->form);
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return start(line.connection, *arguments); };
  });
  return command;
}

using LookAt = ExitCode (*)(const Connection&, const NamedArguments&);

CLI::App& add_look(CLI::App& parent, CommandLine& line, const std::string& name,
                   const std::string& description, LookAt look) {
  CLI::App& command = *parent.add_subcommand(name, description);
  auto arguments = std::make_shared<NamedArguments>();
  add_output_options(command, arguments->form);
  command.callback([&line, arguments, look] {
    line.action = [&line, arguments, look] { return look(line.connection, *arguments); };
  });
  return command;
}

}  // namespace

void add_dlq_admin(CLI::App& parent, CommandLine& line) {
  add_look(parent, line, "ls", "List dead-letter queues, and whose they are",
           list_dead_letter_queues)
      .footer(R"(
A queue is one when the dead letters of another go to it. Messages that came there before, and whose
queue has another dead-letter queue now, can be moved back all the same: weir dlq redrive.

Example:
  weir dlq ls)");

  auto arguments = std::make_shared<RedriveArguments>();
  CLI::App& redrive =
      add_start(parent, line, "redrive", "Move dead letters back to where they died", arguments);
  redrive.add_option_function<std::string>(
      "--to,--target",
      [arguments](const std::string& queue) { arguments->options.set_target(queue); },
      "Move them to this queue instead");
  redrive.add_option_function<std::string>(
      "--reason", [arguments](const std::string& reason) { arguments->options.set_reason(reason); },
      "Messages that died of this: max_receive_count, poison or expired");
  redrive.add_option("--died-after", arguments->died_after,
                     "Messages that died then or later: RFC 3339, ms since 1970, or -1h");
  redrive.add_option("--died-before", arguments->died_before, "Messages that died before");
  redrive.footer(R"(
The broker goes on with it by itself, also after a crash; `weir dlq redrives` shows how far it has
come, `weir dlq cancel` ends it. What comes into the queue later is not part of it. Each message is
in one of the two queues at any time, with the id that it always had and in its order, and begins
anew: no attempts, no failures. What a consumer holds stays, and so does what died in a queue that
is no longer there; both are counted as skipped.

With several conditions, messages are moved for which all of them hold. Neither bounds of the queue
that they go to hold them back, nor a pause of its sends; --rate does.

Example:
  weir dlq redrive mail-failed --dry-run
  weir dlq redrive mail-failed --rate 100
  weir dlq redrive mail-failed --to mail-again --died-after -1h --header tenant=7 --wait)");

  add_look(parent, line, "redrives", "Show how far redrives have come", list_redrives).footer(R"(
The newest one of each queue that had one, those of `weir queue unpark` included. moved of a dry run
is what would be moved; skipped was in somebody's hands, or had no queue to go to.

Example:
  weir dlq redrives --watch)");

  CLI::App& command = *parent.add_subcommand("cancel", "End a redrive");
  auto ended = std::make_shared<NamedArguments>();
  command.add_option("NAME", ended->name, "The queue whose messages it moves")->required();
  add_output_option(command, ended->form);
  command.footer(R"(
What was moved stays moved, the rest stays where it is.

Example:
  weir dlq cancel mail-failed)");
  command.callback(
      [&line, ended] { line.action = [&line, ended] { return cancel(line.connection, *ended); }; });
}

void add_queue_unpark(CLI::App& parent, CommandLine& line) {
  auto arguments = std::make_shared<RedriveArguments>();
  arguments->options.set_parked(true);
  add_start(parent, line, "unpark", "Make parked messages ready again", arguments).footer(R"(
They are handed out again, and what failed before does not count any more: each has as many attempts
as the queue allows. They have been handed out before, so that many of them come within the queue's
redelivery budget (weir queue info). The broker goes on with it by itself, also after a crash; `weir
dlq redrives` shows how far it has come, `weir dlq cancel` ends it.

Example:
  weir queue unpark mail --dry-run
  weir queue unpark mail --rate 100 --wait)");
}

}  // namespace weir::cli
