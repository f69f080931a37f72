#pragma once

#include "weir/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::cli {

/// What the process returns. Scripts rely on the numbers.
enum class ExitCode : std::uint8_t {
  kDone = 0,
  kRefused = 1,
  kBadUsage = 2,
  kNotReachable = 3,
  kNotFound = 4,
  kUnknownOutcome = 5,  // or the time was up
};

/// What a shell returns for a process that Ctrl-C ended: of one that does not end in any other way.
inline constexpr int kInterruptedStatus = 130;

[[nodiscard]] ExitCode exit_code_for(ErrorCode code);

/// What the person can do about it, e.g. "create it with: weir queue create work"; empty where
/// there is nothing to say. `subject` is the queue, topic or address that the command was about.
[[nodiscard]] std::string hint_for(ErrorCode code, std::string_view subject);

/// "weir: QUEUE_NOT_FOUND: there is no queue 'work' (create it with: weir queue create work)",
/// one line without its newline whatever the message holds.
[[nodiscard]] std::string error_line(const Error& error, std::string_view subject);

}  // namespace weir::cli
