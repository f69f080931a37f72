#include "broker/core/dead_letter_batch.hpp"

#include "proto/json_string.hpp"

#include <algorithm>
#include <vector>

namespace weir::core {
namespace {

std::string json_of(const std::vector<Attempt>& history) {
  std::string text = "[";
  for (const Attempt& attempt : history) {
    text += text.size() > 1 ? "," : "";
    text += "{\"attempt\":" + std::to_string(attempt.number) +
            ",\"time\":" + std::to_string(attempt.time) + ",\"outcome\":\"" +
            std::string(name(attempt.outcome)) +
            "\",\"consumer\":" + proto::json_string(attempt.consumer) + "}";
  }
  return text + "]";
}

std::string_view last_reason(const std::vector<Attempt>& history) {
  const auto last = std::find_if(history.rbegin(), history.rend(),
                                 [](const Attempt& attempt) { return !attempt.reason.empty(); });
  return last != history.rend() ? std::string_view(last->reason) : std::string_view();
}

std::string_view reason_of(const Run& run) {
  if (run.is_poison) {
    return "poison";
  }
  return run.is_expired ? "expired" : "max_receive_count";
}

}  // namespace

DeadLetterBatch::DeadLetterBatch(const CachedBatch& source, std::string_view queue_name,
                                 proto::QueueId queue, std::uint32_t incarnation, proto::TimeMs now)
    : source_(source),
      queue_name_(queue_name),
      now_text_(std::to_string(now)),
      copies_(queue, incarnation, now) {}

bool DeadLetterBatch::add(std::uint32_t index, const Run& run,
                          const std::vector<Attempt>& history) {
  const std::string attempts_text = std::to_string(run.attempts);
  const std::string failures_text = std::to_string(run.failures);
  const std::string history_text = json_of(history);
  const std::string_view error = last_reason(history);
  std::vector<proto::Header> headers;
  headers.push_back({kHeaderDeadFrom, queue_name_});
  headers.push_back({kHeaderDeadReason, reason_of(run)});
  headers.push_back({kHeaderDeadAttempts, attempts_text});
  headers.push_back({kHeaderDeadFailures, failures_text});
  headers.push_back({kHeaderDeadTime, now_text_});
  if (!error.empty()) {
    headers.push_back({kHeaderDeadError, error});
  }
  if (!history.empty()) {
    headers.push_back({kHeaderDeadHistory, history_text});
  }
  // It is kept there whatever it was good for.
  return copies_.add(source_, index, headers, RebuiltBatch::Life::kOver);
}

}  // namespace weir::core
