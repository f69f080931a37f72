#pragma once

#include "broker/cli/exit_code.hpp"
#include "weir/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::cli {

/// Bytes on their way to a file descriptor, gathered so that a replay costs few system calls.
/// SIGPIPE must be ignored. Thread-safety: one thread.
class Output {
 public:
  /// Does not own `fd`.
  explicit Output(int fd);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// To append to; commit() afterwards.
  [[nodiscard]] std::string& buffer() { return buffer_; }
  /// Writes what has gathered once it is much. False: nobody reads any more, or writing failed.
  bool commit();
  /// Writes everything. As commit().
  bool flush();
  /// Appends and commits.
  bool write(std::string_view bytes);

  /// The reader has gone: no error, and no reason to go on.
  [[nodiscard]] bool closed() const { return error_ == kReaderGone; }
  /// Success also when closed(); else why writing failed (a full disk, say).
  [[nodiscard]] Result<> status() const;

 private:
  static constexpr int kReaderGone = -1;

  int fd_;
  int error_ = 0;
  std::string buffer_;
};

/// Writes all of it, however often that takes; 0, or the error's number.
[[nodiscard]] int write_all(int fd, std::string_view bytes);

/// One line on the standard error, in one write, so that lines of threads and children do not mix,
/// and without what a terminal would obey.
void print_error_line(std::string_view line);

/// Prints error_line() and returns the exit code.
ExitCode report(const Error& error, std::string_view subject);

/// Prints to the standard output and flushes: kDone, or the reported failure to write.
ExitCode print(std::string_view text);

/// Flushes and says how that went: kDone also when the reader has gone.
ExitCode finish(Output& out);

}  // namespace weir::cli
