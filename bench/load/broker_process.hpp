#pragma once

#include "proto/result.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace weir::bench {

/// A directory of its own below `parent`, removed with all it holds.
class TempDir {
 public:
  [[nodiscard]] static proto::Result<TempDir> make(const std::string& parent);
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TempDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// What /proc knows of a process; zeros once it is gone.
struct ProcessUse {
  double cpu_seconds = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t peak_rss_bytes = 0;  // VmHWM
};
[[nodiscard]] ProcessUse process_use(pid_t pid);

/// A broker of our own: started with port 0 on loopback, stopped with SIGTERM when this goes. Not
/// for two threads at once.
class BrokerProcess {
 public:
  /// Starts `binary serve` on `data_dir` and waits for its ready file, at most 30 s.
  [[nodiscard]] static proto::Result<BrokerProcess> start(const std::string& binary,
                                                          const std::filesystem::path& directory,
                                                          const std::vector<std::string>& flags);
  BrokerProcess(BrokerProcess&& other) noexcept;
  BrokerProcess& operator=(BrokerProcess&& other) noexcept;
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  ~BrokerProcess();

  /// Asks it to stop and waits; kills it after 30 s. Idempotent.
  void stop();
  /// SIGKILL, and waits until it is gone. Idempotent.
  void kill();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string url() const { return "weir://" + listen_; }
  [[nodiscard]] const std::string& http() const { return http_; }
  /// Just before the process was made.
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }
  [[nodiscard]] ProcessUse use() const { return process_use(pid_); }
  /// Lines of the log that hold `word`.
  [[nodiscard]] std::vector<std::string> log_lines(std::string_view word) const;

 private:
  BrokerProcess() = default;
  proto::Result<> wait_until_ready(const std::filesystem::path& ready_file);

  pid_t pid_ = -1;
  std::string listen_;
  std::string http_;
  std::filesystem::path log_;
  std::chrono::steady_clock::time_point started_{};
};

/// The sum of all samples of a metric on http://HOST:PORT/metrics; 0 when it is not there.
[[nodiscard]] proto::Result<double> read_metric(const std::string& host_port,
                                                std::string_view name);

}  // namespace weir::bench
