#pragma once

#include "proto/result.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::crash {

/// How a process of ours ended.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;  // 0: it ended by itself
};

/// What a broker is started with, beside what every broker is.
struct BrokerSetup {
  /// Program and arguments that run the binary inside another program.
  std::vector<std::string> wrapper = {};
  /// Of `weir serve`.
  std::vector<std::string> flags = {};
  /// Added to this process's own: "NAME=value".
  std::vector<std::string> environment = {};
  /// A file that gets the broker's process id before anything else of it runs: a control group's.
  std::string group_file = {};
};

/// The real broker as a child process, on one directory, which outlives it. It ends with the thread
/// that started it, whatever becomes of that. Not for two threads at once.
class BrokerProcess {
 public:
  /// `binary` is the shipped program; data, log and ready file lie below `dir`, which must exist.
  BrokerProcess(std::string binary, std::filesystem::path dir, BrokerSetup setup = {});
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  /// Kills what still runs.
  ~BrokerProcess();

  /// Starts it and waits until it is ready, at most 60 s. The first start lets the system choose
  /// the port; later ones use that port again, so that clients find their broker. (Linux gives
  /// listeners odd ports and outgoing connections even ones: nobody takes it in between.)
  /// INTERNAL with the end of its log when it ends instead.
  proto::Result<> start();
  /// start() in two parts: begin() returns at once.
  proto::Result<> begin();
  proto::Result<> wait_ready();

  /// Sends a signal to the process, which must be there.
  void signal(int number) const;
  /// Waits until it has ended by itself, at most that long.
  std::optional<ProcessEnd> wait_end(int timeout_ms);
  /// As wait_end(), or true when it is known to have ended.
  bool has_ended(int timeout_ms) { return pid_ <= 0 || wait_end(timeout_ms).has_value(); }
  /// How the process ended that ran last.
  [[nodiscard]] ProcessEnd last_end() const { return last_end_; }

  /// SIGKILL by its id, and its end. INTERNAL when it had ended by itself.
  proto::Result<> kill();
  /// SIGTERM, and its end: INTERNAL unless it drained and left with 0 within 60 s.
  proto::Result<> stop();

  /// After it closed a connection that it should not: waits a little for its end, and tells what
  /// is known of it.
  [[nodiscard]] proto::Error explain_loss();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_port_; }
  /// Of the broker itself, or of the wrapper around it.
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// How long the last start() took until the broker was ready.
  [[nodiscard]] std::int64_t start_ms() const { return start_ms_; }
  [[nodiscard]] std::filesystem::path log_file() const { return dir_ / "broker.log"; }
  /// Is there while it takes requests, and after a kill.
  [[nodiscard]] std::filesystem::path ready_file() const { return dir_ / "ready"; }
  [[nodiscard]] std::filesystem::path data_dir() const { return dir_ / "data"; }
  /// What the broker has logged since its last begin().
  [[nodiscard]] std::string log() const;

 private:
  [[nodiscard]] std::vector<std::string> command() const;
  void spawn();
  [[nodiscard]] ProcessEnd wait();
  [[nodiscard]] std::string log_tail() const;

  std::string binary_;
  std::filesystem::path dir_;
  BrokerSetup setup_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::uint16_t http_port_ = 0;
  std::uintmax_t log_begin_ = 0;
  std::chrono::steady_clock::time_point begun_;
  std::int64_t start_ms_ = 0;
  ProcessEnd last_end_;
};

}  // namespace weir::crash
