#include "broker/cli/filter_options.hpp"

#include "broker/cli/time_spec.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <utility>

namespace weir::cli {
namespace {

/// `@` may stand in front, as where a topic is read from a time on.
Result<Timestamp> moment_of(const std::string& text) {
  return text.empty() ? Result<Timestamp>(Timestamp())
                      : parse_time(text.starts_with('@') ? text.substr(1) : text, wall_now());
}

/// What is asked for is something: an empty variable of a script must not mean "all".
void add_text(CLI::App& command, const std::string& name, std::string& text,
              const std::string& description) {
  command.add_option(name, text, description)
      ->check(CLI::Validator(
          [](const std::string& given) {
            return given.empty() ? std::string("must not be empty") : std::string();
          },
          ""));
}

}  // namespace

Result<MessageId> parse_id(const std::string& text) {
  const std::optional<MessageId> id = MessageId::parse(text);
  return id && !id->is_nil()
             ? Result<MessageId>(*id)
             : Error(ErrorCode::kInvalidArgument, "'" + text +
                                                      "' is no id of a message; they look like "
                                                      "00000001-0000-0000-0002-000000000003");
}

Result<std::pair<std::string, std::string>> split_header(const std::string& option,
                                                         const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    return Error(ErrorCode::kInvalidArgument, option + " takes NAME=VALUE, not '" + text + "'");
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<MessageFilter> FilterOptions::filter() const {
  MessageFilter filter;
  if (!id.empty()) {
    const Result<MessageId> parsed = parse_id(id);
    if (!parsed) {
      return parsed.error();
    }
    filter.set_id(*parsed);
  }
  if (!header.empty()) {
    Result<std::pair<std::string, std::string>> parts = split_header("--header", header);
    if (!parts) {
      return std::move(parts).error();
    }
    filter.set_header(std::move(parts->first), std::move(parts->second));
  }
  Result<Timestamp> after = moment_of(died_after);
  Result<Timestamp> before = moment_of(died_before);
  if (!after || !before) {
    return after ? std::move(before).error() : std::move(after).error();
  }
  filter.set_reason(reason).set_key(key).set_died_after(*after).set_died_before(*before);
  return filter;
}

void add_filter_options(CLI::App& command, const std::shared_ptr<FilterOptions>& options,
                        bool of_dead_letters) {
  add_text(command, "--id", options->id, "The message with this id");
  add_text(command, "--header", options->header, "Messages with this header, NAME=VALUE");
  add_text(command, "--key", options->key, "Messages with this key");
  if (!of_dead_letters) {
    return;
  }
  add_text(command, "--reason", options->reason,
           "Messages that died of this: max_receive_count, poison or expired");
  add_text(command, "--died-after", options->died_after,
           "Messages that died then or later: RFC 3339, ms since 1970, or -1h");
  add_text(command, "--died-before", options->died_before, "Messages that died before");
}

}  // namespace weir::cli
