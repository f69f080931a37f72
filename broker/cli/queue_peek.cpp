#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/filter_options.hpp"
#include "broker/cli/format.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// `weir queue peek`: looks at messages and leaves them as they are.
namespace weir::cli {
namespace {

const std::map<std::string, MessageState> kStates = {
    {"all", MessageState::kAny},         {"ready", MessageState::kReady},
    {"delayed", MessageState::kDelayed}, {"in_flight", MessageState::kInFlight},
    {"dying", MessageState::kDying},     {"parked", MessageState::kParked}};

struct PeekArguments {
  std::string name;
  std::string state = "all";
  std::int64_t offset = 0;
  std::size_t count = 10;
  std::shared_ptr<FilterOptions> filter = std::make_shared<FilterOptions>();
  std::string format;
  OutputForm form;
};

Result<std::vector<PeekedMessage>> look_at(Client& client, const PeekArguments& arguments) {
  std::vector<PeekedMessage> messages;
  Result<MessageFilter> filter = arguments.filter->filter();
  if (!filter) {
    return std::move(filter).error();
  }
  PeekOptions options;
  options.set_state(kStates.at(arguments.state))
      .set_from_offset(arguments.offset)
      .set_filter(*std::move(filter));
  bool is_end = false;
  while (!is_end && messages.size() < arguments.count) {
    constexpr std::size_t kMaxPage = 1'000;
    const std::size_t left = std::min(arguments.count - messages.size(), kMaxPage);
    options.set_max_messages(static_cast<std::uint32_t>(left));
    Result<PeekPage> page = client.peek_queue(arguments.name, options);
    if (!page) {
      return std::move(page).error();
    }
    std::move(page->messages.begin(), page->messages.end(), std::back_inserter(messages));
    options.set_from_offset(page->next_offset);
    is_end = page->is_end;
  }
  return messages;
}

ExitCode print_formatted(const std::vector<PeekedMessage>& messages, const Format& format,
                         const std::string& queue) {
  std::string out;
  for (const PeekedMessage& message : messages) {
    std::vector<HeaderView> headers;
    headers.reserve(message.headers.size());
    for (const auto& [header, value] : message.headers) {
      headers.emplace_back(header, value);
    }
    const std::string id = format.uses('i') ? message.id.to_string() : std::string();
    format.render({.source = queue,
                   .offset = message.offset,
                   .key = message.key,
                   .value = message.value,
                   .headers = headers,
                   .timestamp_ms = ms_of(message.timestamp),
                   .handle = {},
                   .message_id = id,
                   .attempt = message.attempts},
                  out);
  }
  return print(out);
}

ExitCode peek(const Connection& connection, const PeekArguments& arguments) {
  std::optional<Format> format;
  if (!arguments.format.empty()) {
    Result<Format> parsed = Format::parse(arguments.format);
    if (parsed && parsed->uses('R')) {
      parsed = Error(ErrorCode::kInvalidArgument, "a look takes no message, so there is no %R");
    }
    if (!parsed) {
      return report(parsed.error(), arguments.name);
    }
    format = *std::move(parsed);
  }
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<std::vector<PeekedMessage>> messages = look_at(*client, arguments);
  if (!messages) {
    return report(messages.error(), arguments.name);
  }
  if (format) {
    return print_formatted(*messages, *format, arguments.name);
  }
  return show(arguments.form,
              Look{.table = peeked_table(*messages, wall_now()), .json = peeked_json(*messages)},
              arguments.name);
}

constexpr std::string_view kPeekHelp = R"(
Nothing is leased, counted or changed; whoever works on the queue does not notice. In the order of
offsets. `due` is when a delayed message may be handed out again, or a lease ends, `age` how long
a message has been in this queue. A dead letter has begun anew here, so its attempts count from 0;
the headers that it came with say from which queue it was taken, after how many attempts, and why:
dead_from, dead_attempts, dead_reason, columns that are there when one of the messages has them.
The table cuts values; -f and -o json show them whole. In JSON a key, a value, a header's name or
value that is no UTF-8 is null, and the member behind it, key_base64 or value_base64 or name_base64,
has its bytes. With several conditions, messages are shown for which all of them hold; each one of
the queue is looked at for that, but one that --id names.
)";

CLI::App& add_peek(CLI::App& parent, CommandLine& line, bool of_dead_letters) {
  CLI::App& command = *parent.add_subcommand("peek", "Look at messages and leave them there");
  auto arguments = std::make_shared<PeekArguments>();
  command.add_option("NAME", arguments->name)->required();
  std::vector<std::string> states;
  states.reserve(std::size(kStates));
  for (const auto& [name, state] : kStates) {
    states.push_back(name);
  }
  command.add_option("--from", arguments->state, "all, ready, delayed, in_flight, dying or parked")
      ->check(CLI::IsMember(states))
      ->capture_default_str();
  command.add_option("-n,--count", arguments->count, "At most so many")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
  command.add_option("--offset", arguments->offset, "From this offset on")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI::Option* const format = command.add_option(
      "-f,--format", arguments->format,
      "%v value %k %K key %h headers %i id %o offset %d timestamp %s size %a attempts %t queue %%");
  add_filter_options(command, arguments->filter, of_dead_letters);
  add_output_option(command, arguments->form)->excludes(format);
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return peek(line.connection, *arguments); };
  });
  return command;
}

}  // namespace

void add_queue_peek(CLI::App& parent, CommandLine& line) {
  add_peek(parent, line, false).footer(std::string(kPeekHelp) + kQuotingHelp + R"(
Example:
  weir queue peek mail --from parked
  weir queue peek mail --header tenant=7
  weir queue peek mail --offset 1000 -n 1 -f '%v')");
}

void add_dlq_peek(CLI::App& parent, CommandLine& line) {
  add_peek(parent, line, true).footer(std::string(kPeekHelp) + kQuotingHelp + R"(
Example:
  weir dlq peek mail-failed --reason poison --died-after -1h
  weir dlq peek mail-failed -n 1000 -f '%i %h\n')");
}

}  // namespace weir::cli
