#pragma once

#include "weir/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::cli {

/// Cuts what comes from a file descriptor into lines: bytes up to a newline, which is dropped; an
/// empty line is a line, and a last one without a newline counts. Bytes are not interpreted.
/// Thread-safety: one thread.
class LineReader {
 public:
  /// Does not own `fd`. A line longer than `max_line` is an error, so that memory stays bounded.
  LineReader(int fd, std::size_t max_line);

  /// The next line, valid until the next call; nullopt at the end. MESSAGE_TOO_LARGE for a line
  /// over the limit, INTERNAL when reading fails.
  [[nodiscard]] Result<std::optional<std::string_view>> next();

 private:
  // False at the end of the input.
  Result<bool> fill();

  int fd_;
  std::size_t max_line_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the line that is being looked for
  std::size_t scanned_ = 0;  // no newline between begin_ and here
  bool at_end_ = false;
};

}  // namespace weir::cli
