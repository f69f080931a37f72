#pragma once

#include "proto/result.hpp"

#include <string>
#include <string_view>

// Rules of names. A name never becomes a path, and what these accept is safe to print anywhere.
namespace weir::proto {

inline constexpr std::string_view kDefaultNamespace = "default";

/// The rules for people, in errors and in help.
inline constexpr std::string_view kQueueNameRule =
    "1 to 80 letters, digits, '_' and '-', with '.fifo' at the end for a FIFO queue";
inline constexpr std::string_view kTopicNameRule =
    "1 to 249 letters, digits, '.', '_' and '-', but not '.' and '..'";
inline constexpr std::string_view kNamespaceNameRule = "1 to 63 lower-case letters, digits and '-'";

/// `[A-Za-z0-9_-]{1,80}`, optionally followed by `.fifo` within the 80. INVALID_NAME otherwise, and
/// for names that begin with `__` or `weir.`.
Result<> check_queue_name(std::string_view name);
/// Whether a queue's name asks for order within groups, as in SQS: it ends in `.fifo`.
bool is_fifo_name(std::string_view queue);
/// `[A-Za-z0-9._-]{1,249}`, not `.` nor `..`; reserved beginnings as for queues.
Result<> check_topic_name(std::string_view name);
/// `[a-z0-9-]{1,63}`.
Result<> check_namespace_name(std::string_view name);

/// `name` for an error message: cut to 100 characters, whatever is not printable ASCII as \xNN.
std::string printable(std::string_view name);

}  // namespace weir::proto
