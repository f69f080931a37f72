#include "broker/core/dead_letter_batch.hpp"

#include "proto/assert.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/handle.hpp"
#include "proto/json_string.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

namespace weir::core {
namespace {

constexpr std::array kHistoryHeaders = {kHeaderDeadFrom,     kHeaderDeadReason, kHeaderDeadAttempts,
                                        kHeaderDeadFailures, kHeaderDeadTime,   kHeaderDeadError,
                                        kHeaderDeadHistory};

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

}  // namespace

DeadLetterBatch::DeadLetterBatch(const CachedBatch& source, std::string_view queue_name,
                                 proto::QueueId queue, std::uint32_t incarnation, proto::TimeMs now)
    : source_(source),
      queue_name_(queue_name),
      queue_(queue),
      incarnation_(incarnation),
      now_(now),
      now_text_(std::to_string(now)),
      builder_(proto::kStoredHeaderBytes) {}

bool DeadLetterBatch::add(std::uint32_t index, const Run& run,
                          const std::vector<Attempt>& history) {
  const proto::RecordSpan span = source_.records[index];
  const auto decoded = proto::decode_record(source_.batch.view().substr(span.position, span.bytes));
  WEIR_ASSERT(decoded.has_value(), "a stored batch was checked when it was read");
  const proto::RecordView& record = decoded->record;
  const std::string id = proto::message_id(incarnation_, queue_.value, source_.base_offset + index);
  const std::string attempts_text = std::to_string(run.attempts);
  const std::string failures_text = std::to_string(run.failures);
  const std::string history_text = json_of(history);
  const std::string_view error = last_reason(history);
  std::vector<proto::Header> headers;
  bool has_id = false;
  for (const proto::Header& header : record.headers) {
    // What it died of last is what it is here for.
    if (std::ranges::find(kHistoryHeaders, header.key) == kHistoryHeaders.end()) {
      headers.push_back(header);
      has_id = has_id || header.key == kHeaderId;
    }
  }
  if (!has_id) {
    headers.push_back({kHeaderId, id});
  }
  headers.push_back({kHeaderDeadFrom, queue_name_});
  headers.push_back({kHeaderDeadReason, run.is_poison ? "poison" : "max_receive_count"});
  headers.push_back({kHeaderDeadAttempts, attempts_text});
  headers.push_back({kHeaderDeadFailures, failures_text});
  headers.push_back({kHeaderDeadTime, now_text_});
  if (!error.empty()) {
    headers.push_back({kHeaderDeadError, error});
  }
  if (!history.empty()) {
    headers.push_back({kHeaderDeadHistory, history_text});
  }
  proto::RecordInput input;
  input.key = record.key;
  input.value = record.value;
  input.headers = headers;
  input.timestamp = proto::timestamp_of(source_.base_timestamp, record);
  if (builder_.count() > 0 && builder_.bytes() + builder_.bytes_of(input) > proto::kMaxBatchBytes) {
    return false;
  }
  builder_.add(input);
  return true;
}

proto::SharedBytes DeadLetterBatch::finish(proto::Offset base_offset,
                                           proto::Offset prev_last_offset, std::uint32_t epoch) {
  std::string stored = builder_.finish({}, proto::Compression::kNone);
  proto::poke_offset_and_epoch(std::span(stored).subspan(proto::kStoredHeaderBytes), base_offset,
                               static_cast<std::int32_t>(epoch));
  proto::write_stored_header(stored, {proto::StoredKind::kRebuilt, now_, prev_last_offset});
  return proto::SharedBytes(std::move(stored));
}

}  // namespace weir::core
