#include "broker/core/dead_letter_batch.hpp"

#include "proto/json_string.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <vector>

namespace weir::core {
namespace {

std::string json_of(const Attempt& attempt, std::uint64_t attempts_before) {
  return "{\"attempt\":" + std::to_string(attempts_before + attempt.number) +
         ",\"time\":" + std::to_string(attempt.time) + ",\"outcome\":\"" +
         std::string(name(attempt.outcome)) +
         "\",\"consumer\":" + proto::json_string(attempt.consumer) + "}";
}

/// The objects of a JSON array of objects without others in them, as this file writes it.
std::vector<std::string> objects_of(std::string_view array) {
  std::vector<std::string> objects;
  std::size_t begin = 0;
  bool is_text = false;
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (array[i] == '"') {
      is_text = !is_text;
    } else if (is_text && array[i] == '\\') {
      ++i;
    } else if (!is_text && array[i] == '{') {
      begin = i;
    } else if (!is_text && array[i] == '}') {
      objects.emplace_back(array.substr(begin, i + 1 - begin));
    }
  }
  return objects;
}

std::uint64_t number_of(const proto::RecordView& record, std::string_view header) {
  const std::string_view text = header_of(record, header);
  std::uint64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The first attempt and the last ones, of lives before this one, too.
std::string history_of(const proto::RecordView& record, std::uint64_t attempts_before,
                       const std::vector<Attempt>& history) {
  std::vector<std::string> objects = objects_of(header_of(record, kHeaderPastHistory));
  for (const Attempt& attempt : history) {
    objects.push_back(json_of(attempt, attempts_before));
  }
  if (objects.size() > 1U + kLastAttemptsKept) {
    objects.erase(objects.begin() + 1, objects.end() - kLastAttemptsKept);
  }
  std::string text;
  for (const std::string& object : objects) {
    text += (text.empty() ? "[" : ",") + object;
  }
  return text.empty() ? text : text + "]";
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
      copies_(queue, incarnation, now, {.dies = true}) {}

bool DeadLetterBatch::add(std::uint32_t index, const Run& run,
                          const std::vector<Attempt>& history) {
  const proto::RecordView record = record_at(source_, index);
  const std::uint64_t attempts_before =
      WEIR_PLANTED(forget_past_attempts) ? 0 : number_of(record, kHeaderPastAttempts);
  const std::string attempts_text = std::to_string(attempts_before + run.attempts);
  const std::string failures_text =
      std::to_string(number_of(record, kHeaderPastFailures) + run.failures);
  const std::string history_text = history_of(record, attempts_before, history);
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
  if (!history_text.empty()) {
    headers.push_back({kHeaderDeadHistory, history_text});
  }
  return copies_.add(source_, index, headers);
}

}  // namespace weir::core
