#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::integration {

/// A directory of its own for one test, removed afterwards.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Ended {
  int status = -1;  // exit status, or 128 + signal
  std::string log;  // what went to stderr
};

/// The real binary, running `weir serve`.
class BrokerProcess {
 public:
  /// Starts it without waiting for anything. `work_dir` gets the ready file and the log.
  /// `environment`, "NAME=value", is added to this process's own.
  BrokerProcess(std::filesystem::path work_dir, std::vector<std::string> args,
                std::vector<std::string> environment = {});
  /// Kills it when it still runs.
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  /// Waits until it takes requests; false when it ended instead.
  [[nodiscard]] bool wait_until_ready();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_port_; }
  void signal(int number) const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits for its end, at most half a minute.
  Ended wait();
  [[nodiscard]] std::string log() const;

 private:
  [[nodiscard]] bool wait_for_exit(int timeout_ms);

  std::filesystem::path work_dir_;
  std::filesystem::path ready_file_;
  std::filesystem::path log_file_;
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int status_ = -1;
  std::uint16_t port_ = 0;
  std::uint16_t http_port_ = 0;
};

/// All of it; empty where it cannot be read.
std::string read_file(const std::filesystem::path& path);

struct Output {
  int status = -1;   // exit status, or 128 + signal
  std::string text;  // what went to stdout
};
/// Runs a command of the shell to its end.
Output run_command(const std::string& command);

/// Flags that every test's broker has: its directory, ports that are free, no ballast.
std::vector<std::string> usual_flags(const std::filesystem::path& data_dir);

}  // namespace weir::integration
