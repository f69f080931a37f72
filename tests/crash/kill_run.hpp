#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/oracle.hpp"
#include "tests/crash/random.hpp"
#include "tests/crash/raw_clients.hpp"
#include "tests/crash/sdk_load.hpp"
#include "tests/crash/start_kills.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weir::crash {

struct KillOptions {
  std::string broker;         // path of the binary
  std::filesystem::path dir;  // must exist; data and log stay there
  std::uint32_t kills = 15;
  /// To be acknowledged in each life of the broker, on average.
  std::uint32_t sends_per_kill = 5'500;
  /// In one of ten lives the broker is stopped (SIGSTOP) for 1 s up to this, and goes on.
  std::uint32_t max_stall_ms = 60'000;
  std::uint64_t seed = 1;
};

/// What a run saw.
struct KillReport {
  KillCounts kills;
  std::uint32_t shutdowns = 0;  // SIGTERM came to its end before a SIGKILL
  std::uint32_t stalls = 0;
  std::int64_t stalled_ms = 0;
  Tally queues;
  Tally topic;
  std::uint64_t unanswered_sends = 0;  // messages cut off by a kill, all kills together
  std::uint64_t least_sends = 0;       // unanswered at any kill under load, at the least
  std::uint64_t least_batches = 0;     // Send frames of them
  std::uint64_t least_deliveries = 0;
  std::uint64_t duplicates = 0;  // repeated batches that the broker recognised
  std::uint64_t expired = 0;     // settlements that came too late
  std::int64_t slowest_start_ms = 0;
  std::int64_t took_ms = 0;
  std::vector<std::string> complaints;

  [[nodiscard]] bool is_good() const {
    return complaints.empty() && queues.violations() == 0 && topic.violations() == 0;
  }
};

/// Kills a broker under load again and again, and compares what clients were told with what they
/// get. Not for two threads at once.
class KillRun {
 public:
  explicit KillRun(KillOptions options);

  /// Everything, once. What goes wrong stands in the report's complaints.
  KillReport run();

 private:
  proto::Result<> run_all();
  proto::Result<> prepare();
  /// Serves all connections until `done` says so, at most `limit_ms`.
  template <class Done>
  proto::Result<> pump(bool more, std::int64_t limit_ms, Done&& done);
  proto::Result<> live();
  proto::Result<> stall();
  proto::Result<> kill_under_load();
  proto::Result<> kill_in_shutdown();
  proto::Result<> come_back();
  proto::Result<> drain();
  proto::Result<> settle_all();
  proto::Result<> check_topic();
  [[nodiscard]] std::uint64_t acknowledged() const;
  void fill_report();

  KillOptions options_;
  Random random_;
  KillReport report_;
  BrokerProcess broker_;
  Oracle raw_queue_;
  Oracle sdk_queue_;
  Oracle topic_;
  RawClients clients_;
  SdkLoad sdk_;
  bool draining_ = false;
};

}  // namespace weir::crash
