#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/faults/shim_handle.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace weir::faults {

/// Jumps of the wall clock under a running broker, by an hour and by ten years in both directions
/// and to 1970: no lease ends earlier or later, offsets and times of a topic go on, and a start
/// after the jump works. Once, from one thread.
class ClockRun {
 public:
  ClockRun(const std::string& binary, const std::filesystem::path& dir, ShimHandle& shim);

  proto::Result<> run();
  [[nodiscard]] std::uint32_t jumps() const { return jumps_; }

 private:
  proto::Result<> prepare();
  proto::Result<> jump(std::int64_t shift_s);
  proto::Result<> check_leases(std::int64_t shift_s);
  proto::Result<> publish();

  ShimHandle& shim_;
  crash::BrokerProcess broker_;
  std::uint32_t jumps_ = 0;
  std::int64_t last_offset_ = -1;
  std::int64_t last_time_ = 0;
};

}  // namespace weir::faults
