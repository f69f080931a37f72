#pragma once

#include "weir/message_filter.hpp"
#include "weir/result.hpp"

#include <CLI/App.hpp>

#include <memory>
#include <string>

// Which messages are meant, as commands take it.
namespace weir::cli {

struct FilterOptions {
  std::string id;
  std::string reason;
  std::string header;  // NAME=VALUE
  std::string key;
  std::string died_after;
  std::string died_before;

  /// INVALID_ARGUMENT says which option is wrong.
  [[nodiscard]] Result<MessageFilter> filter() const;
};

/// Adds --id, --header and --key, and for dead letters --reason, --died-after and --died-before.
void add_filter_options(CLI::App& command, const std::shared_ptr<FilterOptions>& options,
                        bool of_dead_letters);

/// The parts of NAME=VALUE. INVALID_ARGUMENT names the option.
[[nodiscard]] Result<std::pair<std::string, std::string>> split_header(const std::string& option,
                                                                       const std::string& text);

/// INVALID_ARGUMENT for what is no id of a message.
[[nodiscard]] Result<MessageId> parse_id(const std::string& text);

}  // namespace weir::cli
