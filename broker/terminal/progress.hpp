#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weir::terminal {

/// How far a piece of long work has come.
struct Progress {
  std::string_view what;  // "restoring"
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;  // about; 0: not known
  std::chrono::duration<double> elapsed{};
};

/// "512 B", "1.5 KiB", "47 MiB": two digits or more.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// "1.2 GiB of about 2.6 GiB", or without the total where it is not known or was passed.
[[nodiscard]] std::string bytes_of_total(const Progress& progress);
/// One line without its end, of at most `columns` letters: what is done, the bar and the share
/// where the total is known, bytes, rate and the time that is left.
[[nodiscard]] std::string progress_line(const Progress& progress, std::size_t columns);

/// Where a bar is drawn.
struct Screen {
  std::function<void(std::string_view text)> write;
  std::function<std::size_t()> columns;
  std::function<std::chrono::steady_clock::time_point()> now;
};
/// The standard error, when it is a terminal; otherwise nothing.
[[nodiscard]] std::optional<Screen> standard_screen();

/// Keeps account of long work, and shows it in the last line of a screen, if it has one: in place,
/// at most ten times a second. What it has drawn goes with it. Thread-safety: one thread.
class ProgressBar {
 public:
  static constexpr std::chrono::milliseconds kPause{100};

  explicit ProgressBar(std::optional<Screen> screen) : screen_(std::move(screen)) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// A part of the work begins. `what` lives until the next one does.
  void begin(std::string_view what, std::uint64_t total_bytes);
  void advance(std::uint64_t bytes);
  /// Takes what it has drawn away, so that something else may be printed there.
  void clear();
  /// bytes_of_total() of the part that is under way.
  [[nodiscard]] std::string so_far() const { return bytes_of_total(progress_); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void draw(TimePoint now);

  std::optional<Screen> screen_;
  Progress progress_;
  TimePoint begun_;
  std::optional<TimePoint> drawn_;  // when last; nullopt: there is nothing
};

}  // namespace weir::terminal
