#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/oracle.hpp"
#include "tests/crash/raw_clients.hpp"
#include "tests/faults/control_group.hpp"
#include "tests/faults/hand_client.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::faults {

struct MemoryOptions {
  std::string broker;         // path of the binary
  std::filesystem::path dir;  // must exist
  std::uint64_t limit_bytes = std::uint64_t{256} << 20;
  std::uint64_t backlog_bytes = std::uint64_t{1} << 30;
  /// Set the limit by a control group. Without, the process's own memory is measured.
  bool is_enforced = true;
};

/// A backlog of several times the memory, many messages in flight, slow consumers and idle clients:
/// the broker stays within its limit. Once, from one thread.
class MemoryRun {
 public:
  explicit MemoryRun(MemoryOptions options);

  proto::Result<> run();
  [[nodiscard]] std::uint64_t resident_bytes() const { return resident_bytes_; }
  [[nodiscard]] std::uint64_t group_bytes() const { return group_bytes_; }
  [[nodiscard]] std::uint64_t waiting() const { return load_.open(); }
  [[nodiscard]] std::uint64_t in_flight() const { return clients_.unanswered_deliveries(); }

 private:
  proto::Result<> prepare();
  proto::Result<> fill();
  proto::Result<> work_slowly();
  proto::Result<> check();

  MemoryOptions options_;
  std::optional<ControlGroup> group_;
  std::optional<crash::BrokerProcess> broker_;
  crash::Oracle load_;
  crash::RawClients clients_;
  std::vector<std::unique_ptr<HandClient>> idle_;
  std::uint64_t resident_bytes_ = 0;
  std::uint64_t group_bytes_ = 0;
};

}  // namespace weir::faults
