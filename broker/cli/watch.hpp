#pragma once

#include "broker/cli/exit_code.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace weir::cli {

/// Prints `page` again and again until SIGINT, which is its good end, or until it fails or nobody
/// reads any more. On a terminal each page takes the place of the one before, and is cut to what
/// the window holds. Threads that `page` starts, a client's, leave the signal to it.
[[nodiscard]] ExitCode watch(const std::function<Result<std::string>()>& page,
                             std::chrono::duration<double> pause, const std::string& subject);

/// The page as far as a window of that size holds it, for one that has the cursor at its top left:
/// each line clears what stood behind it, the end what stood below.
[[nodiscard]] std::string in_place(std::string_view page, std::size_t rows, std::size_t columns);

}  // namespace weir::cli
