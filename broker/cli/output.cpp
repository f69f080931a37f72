#include "broker/cli/output.hpp"

#include "broker/terminal/plain_text.hpp"

#include <cerrno>
#include <poll.h>
#include <system_error>
#include <unistd.h>

namespace weir::cli {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{64} << 10;

}  // namespace

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Whoever shares this descriptor made it non-blocking.
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      static_cast<void>(::poll(&ready, 1, -1));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

Output::Output(int fd) : fd_(fd) {}

bool Output::commit() {
  return buffer_.size() < kFlushBytes ? error_ == 0 : flush();
}

bool Output::flush() {
  if (error_ == 0) {
    const int error = write_all(fd_, buffer_);
    error_ = error == EPIPE ? kReaderGone : error;
  }
  buffer_.clear();
  return error_ == 0;
}

bool Output::write(std::string_view bytes) {
  buffer_ += bytes;
  return commit();
}

Result<> Output::status() const {
  if (error_ == 0 || closed()) {
    return {};
  }
  return Error(
      ErrorCode::kInternal,
      "cannot write the output: " + std::error_code(error_, std::generic_category()).message());
}

void print_error_line(std::string_view line) {
  std::string text = terminal::plain(line);
  text += '\n';
  // Where the standard error is gone there is nobody left to tell.
  static_cast<void>(write_all(STDERR_FILENO, text));
}

ExitCode report(const Error& error, std::string_view subject) {
  print_error_line(error_line(error, subject));
  return exit_code_for(error.code);
}

ExitCode print(std::string_view text) {
  Output out(STDOUT_FILENO);
  out.write(text);
  return finish(out);
}

ExitCode finish(Output& out) {
  out.flush();
  const Result<> status = out.status();
  return status ? ExitCode::kDone : report(status.error(), "");
}

}  // namespace weir::cli
