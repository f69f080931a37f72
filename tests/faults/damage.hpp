#pragma once

#include "proto/result.hpp"
#include "tests/crash/random.hpp"
#include "tests/faults/stored_sample.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace weir::faults {

struct DamageOptions {
  std::string broker;         // path of the binary
  std::filesystem::path dir;  // must exist
  std::uint32_t count = 100;
  std::uint64_t seed = 1;
};

/// How a start on damaged data, and reading all of it, ended.
struct DamageOutcomes {
  std::uint32_t harmless = 0;  // everything is there
  std::uint32_t refused = 0;   // the start, with an explanation
  std::uint32_t told = 0;      // whoever read the damage
  std::uint32_t ended = 0;     // the broker, with an explanation, when the damage was read
  std::uint32_t tails = 0;     // only the newest is missing, newer than the mark file
};

struct DamageReport {
  std::uint32_t flips = 0;
  std::uint32_t truncations = 0;
  std::uint32_t removals = 0;
  std::uint32_t restored = 0;  // refused, and whole again once the damage was undone
  std::map<std::string, DamageOutcomes> by_file;  // kind of file
  std::map<std::string, std::uint32_t> messages;  // what refusals said, numbers and names left out
  std::int64_t took_ms = 0;
  std::vector<std::string> complaints;
};

/// Damages one file of a data directory at a time, starts the broker on it and reads everything
/// back. Not for two threads at once.
class DamageRun {
 public:
  explicit DamageRun(DamageOptions options);

  /// Everything, once. What goes wrong stands in the report's complaints.
  DamageReport run();

 private:
  /// One file, and what was done to it.
  struct Damage {
    std::filesystem::path file;  // below the data directory
    std::string kind;
    std::string what;
    std::string bytes;  // of the file as it was
  };

  proto::Result<> write_samples();
  void try_one(const StoredSample& sample);
  Damage damage_a_file(const std::filesystem::path& data_dir);
  void judge(crash::BrokerProcess& broker, const StoredSample& sample, const Damage& damage);
  void check_restored(crash::BrokerProcess& broker, const StoredSample& sample,
                      const Damage& damage);
  void complain(const StoredSample& sample, const Damage& damage, const std::string& what);

  DamageOptions options_;
  crash::Random random_;
  DamageReport report_;
  std::vector<StoredSample> samples_;
};

}  // namespace weir::faults
