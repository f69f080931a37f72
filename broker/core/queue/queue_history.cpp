#include "broker/core/attempt.hpp"
#include "broker/core/queue/queue.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <cstdint>

// Which rows tell of the attempts at a queue's messages. Neighbours that fail together share one.
namespace weir::core {
namespace {

/// So many attempts and more are not told apart, and each message has its own row of them.
constexpr std::uint16_t kMostTold = UINT16_MAX;

std::uint32_t last_live(const TouchedBatch& batch, std::uint32_t first, std::uint32_t end) {
  while (end > first && batch.acked(end - 1)) {
    --end;
  }
  return end - 1;
}

/// The last attempt of the span's that is too old to be kept, for all that it tells of.
int last_too_old(const TouchedBatch& batch, const AttemptSpan& span) {
  int oldest = AttemptSpans::kAll;
  for (const Run& run : batch.runs_meeting(span.first, span.end())) {
    if (batch.live_in(std::max(run.first, span.first), std::min(run.end(), span.end())) > 0) {
      oldest = std::min(oldest, std::max(run.ended_attempts() - kLastAttemptsKept, 0));
    }
  }
  return oldest;
}

}  // namespace

/// An attempt at the messages of the run is over.
void Queue::tell_attempt(TouchedBatch& batch, const Run& run, ReturnCause cause, Effects& effects) {
  const std::uint32_t word = run.attempts == kMostTold ? 1 : AttemptSpans::kMaxMessages;
  for (std::uint32_t first = batch.next_live(run.first, run.end()); first < run.end();) {
    const std::uint32_t border = std::min(run.end(), (first / word + 1) * word);
    const std::uint32_t end = last_live(batch, first, border) + 1;
    const auto messages = static_cast<std::uint8_t>(end - first);
    batch.attempts().add(first, messages, run.attempts);
    effects.ended.push_back(
        {{batch.base_offset() + first, run.attempts}, messages, run.holder, cause});
    first = batch.next_live(border, run.end());
  }
}

/// Of messages of the range some are done, or were attempted once more. Besides the first attempt
/// the last ones stay.
void Queue::forget_attempts(TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                            Effects& effects) {
  const auto taken = batch.attempts().take(first, first + count, [&batch](const AttemptSpan& span) {
    return WEIR_PLANTED(history_goes_with_the_first) && batch.acked(span.first)
               ? AttemptSpans::kAll
               : last_too_old(batch, span);
  });
  for (const AttemptSpan& span : taken) {
    for (int number = span.from; number <= span.to; ++number) {
      effects.told_no_more.push_back(
          {batch.base_offset() + span.first, static_cast<std::uint16_t>(number)});
    }
  }
}

}  // namespace weir::core
