#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/oracle.hpp"
#include "tests/crash/raw_clients.hpp"
#include "tests/faults/hand_client.hpp"
#include "tests/faults/shim_handle.hpp"
#include "weir/client.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::faults {

enum class StallKind : std::uint8_t {
  kProcess,  // SIGSTOP
  kSync,     // every fsync and fdatasync hangs
};

struct StallOptions {
  std::string broker;         // path of the binary
  std::filesystem::path dir;  // must exist
  StallKind kind = StallKind::kProcess;
  std::uint32_t seconds = 20;
};

/// A broker that does not get on for longer than a lease, while everybody else lives: what they
/// hold stays theirs, their sessions too; nothing is acknowledged while it cannot be on disk,
/// health answers, memory is bounded, and then everything goes on. Once, from one thread.
class StallRun {
 public:
  StallRun(StallOptions options, ShimHandle& shim);

  proto::Result<> run();
  /// What the process grew by while its disk hung.
  [[nodiscard]] std::uint64_t grown_bytes() const { return grown_bytes_; }

 private:
  proto::Result<> prepare();
  proto::Result<> hold();
  proto::Result<> begin();
  proto::Result<> stall();
  void end();
  proto::Result<> check_health();
  proto::Result<> check_held();
  proto::Result<> open_library();
  proto::Result<> read_next(std::string_view text);
  proto::Result<> check_library();
  proto::Result<> check_rest();
  proto::Result<> serve(std::int64_t ms);
  [[nodiscard]] std::uint64_t resident_bytes() const;

  StallOptions options_;
  ShimHandle& shim_;
  crash::BrokerProcess broker_;
  crash::Oracle load_;
  crash::RawClients clients_;
  HandClient holder_;
  HandClient waiter_;
  std::vector<HandClient::Message> held_;
  std::uint64_t grown_bytes_ = 0;

  // Through the client library, which keeps sessions and leases alive by itself.
  std::atomic<std::uint32_t> disconnects_{0};
  std::optional<Client> client_;
  std::optional<Producer> producer_;
  std::optional<TopicReader> reader_;
  std::optional<Delivery> pushed_;
};

}  // namespace weir::faults
