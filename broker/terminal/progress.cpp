#include "broker/terminal/progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace weir::terminal {
namespace {

constexpr std::string_view kBackToTheEmptyLine = "\r\x1b[K";
constexpr std::size_t kBarLetters = 20;
// What is about right is never said to be all.
constexpr std::uint64_t kMostPercent = 99;

std::string percent_bar(const Progress& progress) {
  const double share =
      static_cast<double>(progress.done_bytes) / static_cast<double>(progress.total_bytes);
  const auto percent =
      std::min(static_cast<std::uint64_t>(std::max(share, 0.0) * 100), kMostPercent);
  const std::size_t full = kBarLetters * percent / 100;
  std::array<char, 16> number{};
  static_cast<void>(
      std::snprintf(number.data(), number.size(), "%3u %%", static_cast<unsigned>(percent)));
  return "[" + std::string(full, '#') + std::string(kBarLetters - full, '-') + "] " + number.data();
}

// "12 s", "3 min 20 s", "2 h 5 min".
std::string time_text(double seconds) {
  constexpr double kMost = 99 * 3600;
  const auto whole = static_cast<std::uint64_t>(std::ceil(std::min(seconds, kMost)));
  if (whole < 60) {
    return std::to_string(whole) + " s";
  }
  return whole < 3600
             ? std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s"
             : std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

bool knows_total(const Progress& progress) {
  return progress.total_bytes > 0 && progress.done_bytes <= progress.total_bytes;
}

void write_to_stderr(std::string_view text) {
  // What cannot be drawn is left out.
  static_cast<void>(!std::fwrite(text.data(), 1, text.size(), stderr));
  std::fflush(stderr);
}

std::size_t columns_of_stderr() {
  constexpr std::size_t kUsual = 80;
  winsize window{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col
                                                                               : kUsual;
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1'024 && unit + 1 < kUnits.size()) {
    value /= 1'024;
    ++unit;
  }
  std::array<char, 32> text{};
  const bool has_fraction = unit > 0 && value < 9.95;
  static_cast<void>(std::snprintf(text.data(), text.size(), has_fraction ? "%.1f %s" : "%.0f %s",
                                  value, kUnits.at(unit)));
  return text.data();
}

std::string bytes_of_total(const Progress& progress) {
  const std::string done = bytes_text(progress.done_bytes);
  return knows_total(progress) ? done + " of about " + bytes_text(progress.total_bytes) : done;
}

std::string progress_line(const Progress& progress, std::size_t columns) {
  std::string line(progress.what);
  if (progress.total_bytes > 0) {
    line += " " + percent_bar(progress);
  }
  line += "  " + bytes_of_total(progress);
  if (const double seconds = progress.elapsed.count(); seconds > 0 && progress.done_bytes > 0) {
    const double rate = static_cast<double>(progress.done_bytes) / seconds;
    line += "  " + bytes_text(static_cast<std::uint64_t>(rate)) + "/s";
    if (knows_total(progress)) {
      const auto left = static_cast<double>(progress.total_bytes - progress.done_bytes);
      line += "  " + time_text(left / rate) + " left";
    }
  }
  return line.substr(0, columns);
}

std::optional<Screen> standard_screen() {
  if (::isatty(STDERR_FILENO) != 1) {
    return std::nullopt;
  }
  return Screen{.write = write_to_stderr, .columns = columns_of_stderr, .now = [] {
                  return std::chrono::steady_clock::now();
                }};
}

void ProgressBar::begin(std::string_view what, std::uint64_t total_bytes) {
  progress_ = {.what = what, .total_bytes = total_bytes};
  if (screen_) {
    begun_ = screen_->now();
    draw(begun_);
  }
}

void ProgressBar::advance(std::uint64_t bytes) {
  progress_.done_bytes += bytes;
  if (!screen_) {
    return;
  }
  if (const TimePoint now = screen_->now(); !drawn_ || now - *drawn_ >= kPause) {
    draw(now);
  }
}

void ProgressBar::draw(TimePoint now) {
  progress_.elapsed = now - begun_;
  drawn_ = now;
  // A letter in the last column would move some terminals on to the next line.
  const std::size_t columns = screen_->columns();
  screen_->write(std::string(kBackToTheEmptyLine) +
                 progress_line(progress_, columns > 0 ? columns - 1 : 0));
}

void ProgressBar::clear() {
  if (drawn_) {
    screen_->write(kBackToTheEmptyLine);
    drawn_.reset();
  }
}

}  // namespace weir::terminal
