#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/oracle.hpp"
#include "tests/crash/random.hpp"
#include "tests/crash/raw_clients.hpp"
#include "tests/faults/small_disk.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weir::faults {

struct DiskFullOptions {
  std::string broker;         // path of the binary
  std::filesystem::path dir;  // must exist and be empty
  std::uint32_t cycles = 10;
  std::uint64_t disk_bytes = std::uint64_t{1} << 30;
  std::uint64_t seed = 1;
};

/// What a run saw.
struct DiskFullReport {
  std::string disk;
  std::uint32_t cycles = 0;
  std::uint32_t drained = 0;         // emptied while nothing but the ballast was free
  std::uint32_t deaths = 0;          // a write met a disk that was full at once
  std::uint32_t refused_starts = 0;  // of brokers on that disk
  std::int64_t slowest_resume_ms = 0;
  std::int64_t took_ms = 0;
  crash::Tally queue;
  crash::Tally topic;
  std::vector<std::string> complaints;

  [[nodiscard]] bool is_good() const {
    return complaints.empty() && queue.violations() == 0 && topic.violations() == 0;
  }
};

/// Fills a disk by sends until the broker refuses them, lets somebody else take nearly all that is
/// left, drains, and goes on; sometimes somebody else takes everything at once, so that a write
/// fails. Not for two threads at once, and once in a process.
class DiskFullRun {
 public:
  explicit DiskFullRun(DiskFullOptions options);

  /// Everything, once. What goes wrong stands in the report's complaints.
  DiskFullReport run();

 private:
  proto::Result<> run_all();
  proto::Result<> prepare();
  proto::Result<> cycle();
  proto::Result<> fill();
  proto::Result<> check_full();
  proto::Result<> drain();
  proto::Result<> resume();
  proto::Result<> run_into_the_wall();
  proto::Result<> start_without_space();
  proto::Result<> settle_all();
  [[nodiscard]] bool has_ballast() const;

  DiskFullOptions options_;
  crash::Random random_;
  DiskFullReport report_;
  std::optional<SmallDisk> disk_;
  crash::BrokerProcess broker_;
  crash::Oracle queue_;
  crash::Oracle topic_;
  crash::RawProducers* producers_ = nullptr;  // of clients_
  crash::RawClients clients_;
};

}  // namespace weir::faults
