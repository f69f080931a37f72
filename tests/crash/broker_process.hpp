#pragma once

#include "proto/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::crash {

/// How a process of ours ended.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;  // 0: it ended by itself
};

/// The real broker as a child process, on one directory, which outlives it. It ends with the thread
/// that started it, whatever becomes of that. Not for two threads at once.
class BrokerProcess {
 public:
  /// `binary` is the shipped program; data, log and ready file lie below `dir`, which must exist.
  /// `wrapper` (program and arguments) runs the binary inside another program.
  BrokerProcess(std::string binary, std::filesystem::path dir,
                std::vector<std::string> wrapper = {});
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  /// Kills what still runs.
  ~BrokerProcess();

  /// Starts it and waits until it is ready, at most 60 s. The first start lets the system choose
  /// the port; later ones use that port again, so that clients find their broker. (Linux gives
  /// listeners odd ports and outgoing connections even ones: nobody takes it in between.)
  /// INTERNAL with the end of its log when it ends instead.
  proto::Result<> start();

  /// SIGKILL by its id, and its end. INTERNAL when it had ended by itself.
  proto::Result<> kill();
  /// SIGTERM, and its end: INTERNAL unless it drained and left with 0 within 60 s.
  proto::Result<> stop();

  /// After it closed a connection that it should not: waits a little for its end, and tells what
  /// is known of it.
  [[nodiscard]] proto::Error explain_loss();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Of the broker itself, or of the wrapper around it.
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// How long the last start() took until the broker was ready.
  [[nodiscard]] std::int64_t start_ms() const { return start_ms_; }
  [[nodiscard]] std::filesystem::path log_file() const { return dir_ / "broker.log"; }

 private:
  [[nodiscard]] std::vector<std::string> command() const;
  void spawn();
  [[nodiscard]] proto::Result<> wait_ready(int watch);
  [[nodiscard]] ProcessEnd wait();
  [[nodiscard]] std::string log_tail() const;

  std::string binary_;
  std::filesystem::path dir_;
  std::vector<std::string> wrapper_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::int64_t start_ms_ = 0;
};

}  // namespace weir::crash
