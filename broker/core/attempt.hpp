#pragma once

#include "broker/core/record.hpp"
#include "proto/ids.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What is remembered of attempts that ended without the message being done: rows, written when they
// end and removed with the last message that they tell of. Neighbours that fail together share one
// (AttemptSpans).
namespace weir::core {

/// One attempt to handle a message.
struct Attempt {
  std::uint16_t number = 0;  // 1, 2, 3 …
  proto::TimeMs time = 0;    // when it ended
  ReturnCause outcome = ReturnCause::kReleased;
  std::string consumer;  // who had it: the service and its address; empty: not known
  std::string reason;    // in the handler's words; empty: it said none
  friend bool operator==(const Attempt&, const Attempt&) = default;
};

/// As people read it, e.g. "failed".
std::string_view name(ReturnCause cause);

/// Besides the first one, the last ones are kept, so many.
inline constexpr std::uint16_t kLastAttemptsKept = 31;

/// Calls `visit` with the number of each attempt that is kept where `attempts` have ended.
template <class Visit>
void for_each_kept_attempt(std::uint16_t attempts, Visit visit) {
  if (attempts == 0) {
    return;
  }
  visit(std::uint16_t{1});
  const int first = std::max(2, attempts - kLastAttemptsKept + 1);
  for (int number = first; number <= attempts; ++number) {
    visit(static_cast<std::uint16_t>(number));
  }
}

/// Where a decision finds the attempts of a message: whatever the driver has read of them.
class AttemptSource {
 public:
  virtual ~AttemptSource() = default;
  /// Those that are kept, in their order, of a message of which `attempts` have ended; nullptr when
  /// they have to be read (again). Valid until the driver reads others.
  [[nodiscard]] virtual const std::vector<Attempt>* find(proto::QueueId queue, proto::Offset offset,
                                                         std::uint16_t attempts) const = 0;
};

/// What a decision needs and does not find: the attempts of messages of one batch.
struct NeedAttempts {
  proto::QueueId queue;
  std::uint32_t generation = 0;
  proto::Offset base_offset = 0;
  proto::Offset last_offset = 0;
};

}  // namespace weir::core
