#include "broker/cli/watch.hpp"

#include "broker/cli/output.hpp"
#include "broker/cli/signals.hpp"
#include "broker/terminal/plain_text.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <sys/ioctl.h>
#include <unistd.h>

namespace weir::cli {
namespace {

constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

// Waits that a signal ends.
class Interruption {
 public:
  void come() {
    const std::lock_guard lock(mutex_);
    has_come_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool comes_within(std::chrono::duration<double> time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return has_come_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_come_ = false;
};

}  // namespace

std::string in_place(std::string_view page, std::size_t rows, std::size_t columns) {
  std::string out(kHome);
  for (std::size_t row = 0; row < rows && !page.empty(); ++row) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    out += row == 0 ? "" : "\r\n";
    out += terminal::first_columns(line, columns);
    out += kClearLine;
  }
  return out.append(kClearBelow);
}

ExitCode watch(const std::function<Result<std::string>()>& page,
               std::chrono::duration<double> pause, const std::string& subject) {
  const SignalMask mask;
  Interruption interruption;
  const SignalListener listener([&interruption](int) { interruption.come(); });
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  Output out(STDOUT_FILENO);
  do {
    const Result<std::string> text = page();
    if (!text) {
      return report(text.error(), subject);
    }
    winsize window{};
    if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0) {
      out.buffer() += in_place(*text, window.ws_row, window.ws_col);
    } else {
      out.buffer() += *text;
    }
    if (!out.flush()) {
      break;
    }
  } while (!interruption.comes_within(pause));
  if (is_terminal) {
    out.buffer() += "\n";
  }
  return finish(out);
}

}  // namespace weir::cli
