#pragma once

#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// What is wrong with the first word of a command line that names no command and no option, and
/// what may have been meant: "weir queue: there is no verb 'list'; did you mean 'ls'?". Nothing
/// when each word names what there is.
[[nodiscard]] std::optional<std::string> find_misspelling(const CLI::App& app,
                                                          const std::vector<std::string>& args);

/// Which of the names `word` was meant to be: one that means the same, or the one that is most like
/// it. Empty when none is close.
[[nodiscard]] std::string closest(std::string_view word, const std::vector<std::string>& names);

}  // namespace weir::cli
