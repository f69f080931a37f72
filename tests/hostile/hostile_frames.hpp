#pragma once

#include "tests/crash/random.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::hostile {

/// What a session of ours was given when it began, and how far its numbers have got.
struct Standing {
  std::uint32_t queue = 0;         // alias of a queue of our own
  std::uint32_t topic = 0;         // of a topic of our own
  std::uint32_t other = 0;         // of a queue that somebody else works with
  std::uint32_t subscription = 0;  // to the queue of our own
  std::uint32_t send_window_bytes = 0;
  std::uint64_t sends = 0;
  std::uint64_t settles = 0;
  std::uint64_t requests = 0;
};

/// Bytes that no client of good will sends, drawn from a seed: whole frames that say what they must
/// not, and what is no frame at all.
class HostileFrames {
 public:
  explicit HostileFrames(std::uint64_t seed);

  /// In place of Hello. The broker closes.
  std::string before_hello();
  /// One frame that the broker refuses for itself, and goes on.
  std::string refused(Standing& standing);
  /// A frame of any kind with some of its bytes changed: whatever becomes of it.
  std::string mutated(Standing& standing);
  /// What the broker closes for.
  std::string fatal(Standing& standing);
  /// Comes behind something that the broker closes for.
  std::string junk();

 private:
  std::string valid(Standing& standing);
  std::string send(Standing& standing, std::uint32_t alias, std::string_view batch,
                   std::uint32_t partition = 0);
  std::string forged_settle(Standing& standing);
  std::string bad_request(Standing& standing);
  std::string fatal_body(Standing& standing);
  std::string overrun(Standing& standing);
  std::string broken_batch();
  std::string bomb();
  std::string random_bytes(std::size_t count);
  std::string some_name();

  crash::Random random_;
  std::string batch_;       // a good one
  std::string compressed_;  // 1 MiB of zeros, packed
};

}  // namespace weir::hostile
