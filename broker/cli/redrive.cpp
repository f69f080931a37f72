#include "broker/cli/caution.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/filter_options.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/counted.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// `weir dlq` and `weir queue unpark`: the way back of messages that nobody could handle.
namespace weir::cli {
namespace {

struct RedriveArguments {
  std::string name;
  RedriveOptions options;
  std::shared_ptr<FilterOptions> filter = std::make_shared<FilterOptions>();
  std::vector<std::string> set_headers;
  bool wait = false;
  OutputForm form;
  Caution caution;  // of what drops
};

struct NamedArguments {
  std::string name;
  OutputForm form;
};

Result<RedriveOptions> options_of(const RedriveArguments& arguments) {
  RedriveOptions options = arguments.options;
  Result<MessageFilter> filter = arguments.filter->filter();
  if (!filter) {
    return std::move(filter).error();
  }
  if (!filter->id().is_nil()) {
    options.set_max_messages(1);  // it need not look for another one
  }
  for (const std::string& header : arguments.set_headers) {
    Result<std::pair<std::string, std::string>> parts = split_header("--set-header", header);
    if (!parts) {
      return std::move(parts).error();
    }
    options.add_header(std::move(parts->first), std::move(parts->second));
  }
  return options.set_filter(*std::move(filter));
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

/// Counts first, unless nobody wants to know.
ExitCode drop(const Connection& connection, const RedriveArguments& arguments) {
  Result<RedriveOptions> options = options_of(arguments);
  if (!options) {
    return report(options.error(), arguments.name);
  }
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const auto run = [&](bool dry_run) {
    options->set_dry_run(dry_run);
    Result<RedriveDescription> redrive = client->start_redrive(arguments.name, *options);
    return redrive ? wait_for_end(*client, *std::move(redrive)) : redrive;
  };
  if (arguments.caution.looks_first()) {
    const Result<RedriveDescription> found = run(true);
    if (!found) {
      return report(found.error(), arguments.name);
    }
    if (found->state != RedriveState::kDone) {
      return report(
          Error(ErrorCode::kCancelled, "what would go was not counted to its end: " + found->why),
          arguments.name);
    }
    const std::string what = "queue " + arguments.name + " loses " +
                             terminal::counted(found->moved, "message") + " for good";
    if (const auto held = hold_back(arguments.caution, what, redrive_json(*found))) {
      return *held;
    }
  }
  const Result<RedriveDescription> dropped = run(false);
  if (!dropped) {
    return report(dropped.error(), arguments.name);
  }
  const ExitCode shown =
      show(arguments.caution.form,
           Look{.table = redrive_text(*dropped), .json = redrive_json(*dropped)}, arguments.name);
  return shown == ExitCode::kDone && dropped->state != RedriveState::kDone ? ExitCode::kRefused
                                                                           : shown;
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

/// The options of which messages it takes, and how fast.
CLI::App& add_taking(CLI::App& parent, const std::string& name, const std::string& description,
                     const Start& arguments, bool of_dead_letters) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.add_option("NAME", arguments->name)->required();
  command.add_option_function<std::uint64_t>(
      "--max,--max-messages",
      [arguments](std::uint64_t messages) { arguments->options.set_max_messages(messages); },
      "At most so many messages");
  command.add_option_function<std::uint64_t>(
      "--rate", [arguments](std::uint64_t rate) { arguments->options.set_rate(rate); },
      "At most so many messages a second");
  add_filter_options(command, arguments->filter, of_dead_letters);
  return command;
}

CLI::App& add_start(CLI::App& parent, CommandLine& line, const std::string& name,
                    const std::string& description, const Start& arguments, bool of_dead_letters) {
  CLI::App& command = add_taking(parent, name, description, arguments, of_dead_letters);
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
  CLI::App& redrive = add_start(parent, line, "redrive",
                                "Move dead letters back to where they died", arguments, true);
  redrive.add_option_function<std::string>(
      "--to,--target",
      [arguments](const std::string& queue) { arguments->options.set_target(queue); },
      "Move them to this queue instead");
  redrive.add_flag_callback(
      "--keep-attempts", [arguments] { arguments->options.set_keep_attempts(true); },
      "What is told of their attempts goes with them");
  redrive
      .add_option("--set-header", arguments->set_headers,
                  "Give each message this header, NAME=VALUE, in place of what it has of the name")
      ->allow_extra_args(false);
  redrive
      .add_option_function<std::vector<std::string>>(
          "--remove-header",
          [arguments](const std::vector<std::string>& names) {
            for (const std::string& removed : names) {
              arguments->options.remove_header(removed);
            }
          },
          "Take headers of this name from each message")
      ->allow_extra_args(false);
  redrive.footer(R"(
The broker goes on with it by itself, also after a crash; `weir dlq redrives` shows how far it has
come, `weir dlq cancel` ends it. What comes into the queue later is not part of it. Each message is
in one of the two queues at any time, with the id that it always had and in its order, and begins
anew: no attempts, no failures. What a consumer holds stays, and so does what died in a queue that
is no longer there; both are counted as skipped.

With several conditions, messages are moved for which all of them hold. Neither bounds of the queue
that they go to hold them back, nor a pause of its sends; --rate does.

--keep-attempts leaves headers weir.past-attempts, weir.past-failures and weir.past-history on each
message, for its handler to see; when it dies again, its attempts go on counting from there. It may
fail as often as a new one all the same.

Example:
  weir dlq redrive mail-failed --dry-run
  weir dlq redrive mail-failed --rate 100
  weir dlq redrive mail-failed --id 00000001-0000-0000-0002-000000000003 --set-header retried=yes
  weir dlq redrive mail-failed --to mail-again --died-after -1h --header tenant=7 --wait)");

  auto dropping = std::make_shared<RedriveArguments>();
  dropping->options.set_drop(true);
  CLI::App& dropped = add_taking(
      parent, "drop", "Delete dead letters, or parked messages, for good", dropping, true);
  dropped.add_flag_callback(
      "--parked", [dropping] { dropping->options.set_parked(true); },
      "The queue's own parked messages");
  add_caution(dropped, dropping->caution);
  dropped.callback([&line, dropping] {
    line.action = [&line, dropping] { return drop(line.connection, *dropping); };
  });
  dropped.footer(R"(
Of messages that are there when it begins. What a consumer holds stays, and is counted as skipped.
With several conditions, messages are dropped for which all of them hold. The broker goes on with it
by itself when this command is interrupted: `weir dlq redrives`, `weir dlq cancel`. To empty a whole
queue at once: weir queue purge.

Example:
  weir dlq drop mail-failed --died-before -168h --dry-run
  weir dlq drop mail-failed --id 00000001-0000-0000-0002-000000000003 --yes)");

  add_look(parent, line, "redrives", "Show how far redrives have come", list_redrives).footer(R"(
The newest one of each queue that had one, those of `weir queue unpark` and `weir dlq drop`, too.
moved of a dry run is what would be; skipped was in somebody's hands, or had no queue to go to.

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
  add_start(parent, line, "unpark", "Make parked messages ready again", arguments, false).footer(R"(
They are handed out again, and what failed before does not count any more: each has as many attempts
as the queue allows. They have been handed out before, so that many of them come within the queue's
redelivery budget (weir queue info). The broker goes on with it by itself, also after a crash; `weir
dlq redrives` shows how far it has come, `weir dlq cancel` ends it.

Example:
  weir queue unpark mail --dry-run
  weir queue unpark mail --rate 100 --wait)");
}

}  // namespace weir::cli
