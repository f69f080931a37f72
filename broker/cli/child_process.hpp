#pragma once

#include "weir/result.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace weir::cli {

/// How a command is run.
struct ChildSpec {
  /// Program (looked up in PATH) and arguments; not empty.
  std::vector<std::string> command;
  /// Added to this process' environment; nullopt takes a variable away.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment;
  /// What the program reads on its standard input; copied by start().
  std::string_view input;
};

/// How a program ended.
struct ChildEnd {
  int exit_code = 0;
  /// 0, or the signal that ended it.
  int signal = 0;
  [[nodiscard]] bool ok() const { return exit_code == 0 && signal == 0; }
};

/// One running program. Its standard input is a file in memory that holds everything at
/// once: a program that reads none of it, or ends early, cannot hold anybody up. It inherits
/// standard output and error and no other descriptor, and it has a process group of its own: a
/// Ctrl-C meant for this process does not reach it.
/// Thread-safety: wait() by one thread, kill() by any.
class ChildProcess {
 public:
  /// INVALID_ARGUMENT when the program does not exist or cannot be executed; OVERLOADED when this
  /// process may start no more.
  [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(const ChildSpec& spec);

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Kills what still runs and waits for it: no zombie stays behind.
  ~ChildProcess();

  /// Waits for the end of the program and forgets it. Call once.
  [[nodiscard]] ChildEnd wait();

  /// Ends the program and what it started in its process group; nothing after its end.
  void kill();

 private:
  explicit ChildProcess(pid_t pid);

  std::mutex mutex_;  // guards running_: the number is this child's only until it is collected
  pid_t pid_;
  bool running_ = true;
};

}  // namespace weir::cli
