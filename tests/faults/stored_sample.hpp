#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"
#include "tests/crash/random.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::faults {

/// How the broker that wrote a sample ended.
enum class SampleEnd : std::uint8_t {
  kStopped,  // in order
  kKilled,   // quiet for so long that the mark file had followed
  kBusy,     // in the middle of sends that the mark file had not seen
};
std::string_view name_of(SampleEnd end);

/// What clients were told of a queue's messages, by their bodies.
struct ExpectedQueue {
  std::map<std::string, std::uint32_t> attempts;  // of those that must be there, at the least
  std::set<std::string> done;                     // must not come: their ack was confirmed
};

/// A data directory that a broker wrote, and what its clients were told.
struct StoredSample {
  SampleEnd end = SampleEnd::kStopped;
  std::filesystem::path data_dir;
  std::map<std::string, ExpectedQueue> queues;
  std::vector<std::vector<std::string>> partitions;  // of the topic "events"
  /// Sent last of all, in this order, to the queue "late". Of a kBusy sample the mark file may not
  /// know them, so damage may cost the newest of them.
  std::vector<std::string> late;
};

/// The settings of whoever writes or reads a sample: small buffers, so that little data makes many
/// files of every kind.
std::vector<std::string> sample_flags();

/// Writes a sample below `dir`, which is made, with the broker `binary`: queues with waiting,
/// leased, given back, settled and dead-lettered messages, a topic, large and small ones.
proto::Result<StoredSample> write_sample(const std::string& binary,
                                         const std::filesystem::path& dir, SampleEnd end,
                                         std::uint64_t seed);

}  // namespace weir::faults
