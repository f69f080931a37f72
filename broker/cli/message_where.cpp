#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/filter_options.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/pages.hpp"
#include "broker/cli/wall_clock.hpp"
#include "proto/handle.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// `weir message where` and `weir dlq show`: what became of one message, by its id.
namespace weir::cli {
namespace {

struct WhereArguments {
  std::string queue;  // of `dlq show`
  std::string id;
  OutputForm form;
};

/// Where a message is.
struct Whereabouts {
  std::string queue;
  PeekedMessage message;
};
using Found = Result<std::optional<Whereabouts>>;

Error older_id() {
  return {ErrorCode::kMessageNotFound,
          "this id was given before the broker's data was restored from a backup; a message that "
          "has not moved since has another one, and nothing tells which"};
}

/// In that queue.
Found find_in(Client& client, const std::string& queue, const MessageId& id) {
  PeekOptions options;
  options.set_filter(MessageFilter().set_id(id)).set_max_messages(1).set_with_attempts(true);
  bool is_end = false;
  bool is_older = false;
  while (!is_end) {
    Result<PeekPage> page = client.peek_queue(queue, options);
    if (!page) {
      return std::move(page).error();
    }
    if (!page->messages.empty()) {
      return std::optional(Whereabouts{queue, std::move(page->messages.front())});
    }
    options.set_from_offset(page->next_offset);
    is_end = page->is_end;
    is_older = page->is_older_id;
  }
  return is_older ? Found(older_id()) : std::optional<Whereabouts>();
}

const QueueDescription* find_queue(const std::vector<QueueDescription>& queues,
                                   const std::string& name) {
  const auto at = std::ranges::find(queues, name, &QueueDescription::name);
  return at != queues.end() ? &*at : nullptr;
}

/// The queues in the order in which it is likely there: where it was sent to, where dead letters go
/// from there, all others.
std::vector<std::string> in_order_of_chance(const std::vector<QueueDescription>& queues,
                                            const QueueDescription* home) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const QueueDescription* at = home; at != nullptr && seen.insert(at->name).second;
       at = find_queue(queues, at->settings.dead_letter_queue())) {
    names.push_back(at->name);
  }
  for (const QueueDescription& queue : queues) {
    if (seen.insert(queue.name).second) {
      names.push_back(queue.name);
    }
  }
  return names;
}

Result<Whereabouts> find_anywhere(Client& client, const MessageId& id) {
  const Result<std::vector<QueueDescription>> queues = list_all<QueueDescription>(
      "", [&](const ListOptions& options) { return client.list_queues(options); },
      &QueuePage::queues);
  if (!queues) {
    return queues.error();
  }
  const std::optional<proto::MessagePlace> place = proto::parse_message_id(id.to_string());
  const auto at = std::ranges::find_if(
      *queues, [&](const QueueDescription& queue) { return place && queue.id == place->object; });
  const QueueDescription* const home = at != queues->end() ? &*at : nullptr;
  const std::vector<std::string> names = in_order_of_chance(*queues, home);
  // Once more: it may have gone from a queue that was not looked at yet to one that was.
  constexpr int kLooks = 2;
  std::optional<Error> why;  // it cannot be said that it is gone
  for (int look = 0; look < kLooks; ++look) {
    for (const std::string& name : names) {
      Found found = find_in(client, name, id);
      if (found && *found) {
        return **std::move(found);
      }
      // It may be in another one all the same; of one that was deleted meanwhile nothing is said.
      if (!found && found.error().code != ErrorCode::kQueueNotFound && !why) {
        why = std::move(found).error();
      }
    }
  }
  if (why) {
    return *std::move(why);
  }
  return Error(ErrorCode::kMessageNotFound,
               home != nullptr
                   ? "the message was sent to queue '" + home->name +
                         "' and is gone: acked, expired, cancelled, dropped or purged; nothing is "
                         "remembered of messages that are gone"
                   : "no queue of this namespace has the message, and the one that it was sent to "
                     "is not here: it was deleted, or is in another namespace");
}

Result<Whereabouts> find_dead_letter(Client& client, const std::string& queue,
                                     const MessageId& id) {
  Found found = find_in(client, queue, id);
  if (!found) {
    return std::move(found).error();
  }
  if (!*found) {
    return Error(
        ErrorCode::kMessageNotFound,
        "queue '" + queue + "' has no message of that id; weir message where looks everywhere");
  }
  return **std::move(found);
}

/// `text` makes the form for people.
template <class Find, class Text>
ExitCode show_message(const Connection& connection, const WhereArguments& arguments, Find find,
                      Text text) {
  const Result<MessageId> id = parse_id(arguments.id);
  if (!id) {
    return report(id.error(), arguments.id);
  }
  return show_answer(
      connection, arguments.form, arguments.queue,
      [&](Client& client) { return find(client, *id); },
      [&](const Whereabouts& where) { return text(where.queue, where.message, wall_now()); },
      [](const Whereabouts& where) { return life_json(where.queue, where.message); });
}

}  // namespace

void add_message_where(CLI::App& parent, CommandLine& line) {
  CLI::App& command =
      *parent.add_subcommand("where", "Say where a message is, and its life so far");
  auto arguments = std::make_shared<WhereArguments>();
  command.add_option("ID", arguments->id, "As a send, a receive, a look or a log line tells it")
      ->required();
  add_output_option(command, arguments->form);
  command.footer(R"(
Looks where it was sent to, at what is put off there, where dead letters go from there, and then in
all other queues of the namespace; nothing is leased or changed. Its life is told from what the
broker keeps with a message anyway: its headers, its lease, and of its attempts the first and the
last 31. Of a message that is gone nothing is kept: exit code 4.

Example:
  weir message where 00000001-0000-0000-0002-000000000003)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      return show_message(line.connection, *arguments, find_anywhere, life_text);
    };
  });
}

void add_dlq_show(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("show", "Show a dead letter whole, and how it died");
  auto arguments = std::make_shared<WhereArguments>();
  command.add_option("NAME", arguments->queue)->required();
  command.add_option("ID", arguments->id, "As weir dlq peek tells it")->required();
  add_output_option(command, arguments->form);
  command.footer(R"(
Its life so far, key, headers and value, as they are, but for what a terminal would obey. Nothing is
leased or changed.

Example:
  weir dlq show mail-failed 00000001-0000-0000-0002-000000000003)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] {
      return show_message(
          line.connection, *arguments,
          [arguments](Client& client, const MessageId& id) {
            return find_dead_letter(client, arguments->queue, id);
          },
          message_text);
    };
  });
}

}  // namespace weir::cli
