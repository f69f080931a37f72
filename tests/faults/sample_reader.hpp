#pragma once

#include "tests/crash/broker_process.hpp"
#include "tests/faults/stored_sample.hpp"

#include <string>
#include <vector>

namespace weir::faults {

/// What a broker shows of a sample.
struct Reading {
  /// Somebody who read was told CORRUPT_BATCH.
  bool reader_was_told = false;
  /// The broker ended while it was read.
  bool broker_ended = false;
  /// Newest messages that are gone, where that is possible: see StoredSample::late.
  std::size_t late_lost = 0;
  /// What must not be: something else than what was sent, or less without a word.
  std::vector<std::string> complaints;
};

/// Reads everything back from a broker that is ready, and compares.
Reading read_sample(crash::BrokerProcess& broker, const StoredSample& sample);

}  // namespace weir::faults
