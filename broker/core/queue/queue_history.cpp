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

/// Whether attempts of that number are too old to be kept, of all that the span tells of.
bool is_too_old(const TouchedBatch& batch, const AttemptSpan& span) {
  return std::ranges::all_of(batch.runs_meeting(span.first, span.end()), [&](const Run& run) {
    return run.ended_attempts() >= span.number + kLastAttemptsKept ||
           batch.live_in(std::max(run.first, span.first), std::min(run.end(), span.end())) == 0;
  });
}

/// What is told of messages of the batch and `is_over`.
template <class IsOver>
void forget_attempts(TouchedBatch& batch, std::uint32_t first, std::uint32_t count,
                     Queue::Effects& effects, IsOver is_over) {
  for (const AttemptSpan& span : batch.attempts().take(first, first + count, is_over)) {
    effects.told_no_more.push_back({batch.base_offset() + span.first, span.number});
  }
}

}  // namespace

/// An attempt at the messages of the run is over.
void Queue::tell_attempt(TouchedBatch& batch, const Run& run, ReturnCause cause, Effects& effects) {
  const std::uint32_t word = run.attempts == kMostTold ? 1 : AttemptSpans::kMaxMessages;
  for (std::uint32_t first = batch.next_live(run.first, run.end()); first < run.end();) {
    const std::uint32_t border = std::min(run.end(), (first / word + 1) * word);
    const std::uint32_t end = last_live(batch, first, border) + 1;
    const AttemptSpan span{first, run.attempts, static_cast<std::uint8_t>(end - first)};
    batch.attempts().add(span);
    effects.ended.push_back(
        {{batch.base_offset() + first, span.number}, span.count, run.holder, cause});
    first = batch.next_live(border, run.end());
  }
}

/// Besides the first attempt, the last ones stay. `from`: the first of those that ended now.
void Queue::forget_oldest_attempts(TouchedBatch& batch, std::size_t from, Effects& effects) {
  for (std::size_t i = from; i < effects.ended.size(); ++i) {
    const EndedAttempt& ended = effects.ended[i];
    const int oldest = ended.place.number - kLastAttemptsKept;
    if (oldest <= 1) {
      continue;
    }
    const auto first = static_cast<std::uint32_t>(ended.place.offset - batch.base_offset());
    forget_attempts(batch, first, ended.messages, effects, [&](const AttemptSpan& told) {
      return told.number == oldest && is_too_old(batch, told);
    });
  }
}

/// After messages of the range were done.
void Queue::forget_attempts_of_gone(TouchedBatch& batch, const MessageRange& range,
                                    Effects& effects) {
  forget_attempts(batch, range.first, range.count, effects, [&batch](const AttemptSpan& told) {
    return batch.live_in(told.first, told.end()) == 0 || WEIR_PLANTED(history_goes_with_the_first);
  });
}

}  // namespace weir::core
