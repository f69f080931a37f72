#include "broker/cli/line_reader.hpp"

#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace weir::cli {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

}  // namespace

LineReader::LineReader(int fd, std::size_t max_line) : fd_(fd), max_line_(max_line) {}

Result<std::optional<std::string_view>> LineReader::next() {
  while (true) {
    const std::size_t newline = buffer_.find('\n', scanned_);
    if (newline != std::string::npos && newline - begin_ <= max_line_) {
      const std::string_view line(buffer_.data() + begin_, newline - begin_);
      begin_ = newline + 1;
      scanned_ = begin_;
      return std::optional(line);
    }
    scanned_ = buffer_.size();
    if (buffer_.size() - begin_ > max_line_) {
      return Error(ErrorCode::kMessageTooLarge,
                   "a line is longer than " + std::to_string(max_line_) + " bytes");
    }
    Result<bool> filled = fill();
    if (!filled) {
      return std::move(filled).error();
    }
    if (!*filled) {
      if (begin_ == buffer_.size()) {
        return std::optional<std::string_view>();
      }
      const std::string_view line(buffer_.data() + begin_, buffer_.size() - begin_);
      begin_ = buffer_.size();
      return std::optional(line);
    }
  }
}

Result<bool> LineReader::fill() {
  if (at_end_) {
    return false;
  }
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const std::size_t held = buffer_.size();
  buffer_.resize(held + kReadBytes);
  ssize_t count = 0;
  do {
    count = ::read(fd_, buffer_.data() + held, kReadBytes);
  } while (count < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(held + (count > 0 ? static_cast<std::size_t>(count) : 0));
  if (count < 0) {
    return Error(
        ErrorCode::kInternal,
        "cannot read the input: " + std::error_code(error, std::generic_category()).message());
  }
  at_end_ = count == 0;
  return count > 0;
}

}  // namespace weir::cli
