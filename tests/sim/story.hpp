#pragma once

#include "proto/ids.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::sim {

/// Number of a message: its value begins with it, so every copy can be told. 0 is none.
using MessageNumber = std::uint64_t;

/// What an event or a violation is about.
struct Subject {
  proto::LogId log{};                        // 0: none
  std::vector<MessageNumber> messages = {};  // empty: everything in the log
};

struct Violation {
  std::string what;
  Subject subject;
};

/// Something that happened in a run.
struct StoryEvent {
  std::int64_t time_us = 0;
  std::string text;
  Subject subject;
  bool is_fault = false;
};

/// The shortest story that a person can work with: the faults, and the events that concern the
/// messages of the violation (else its log; else the last ones of the run), from the first of these
/// on. A long middle is left out.
std::vector<std::string> tell(const Violation& violation, const std::vector<StoryEvent>& events);

/// What two runs that break the same promise have in common: the violation without its numbers.
std::string kind_of(const Violation& violation);

}  // namespace weir::sim
