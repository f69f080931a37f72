#include "broker/core/rebuilt_batch.hpp"

#include "proto/assert.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace weir::core {
namespace {

/// What does not go on with a message.
constexpr std::array kHistoryHeaders = {
    kHeaderDeadFrom, kHeaderDeadReason, kHeaderDeadAttempts, kHeaderDeadFailures,
    kHeaderDeadTime, kHeaderDeadError,  kHeaderDeadHistory,  proto::kHeaderDelay};
/// What does not go on with one that dies.
constexpr std::array kLifeHeaders = {proto::kHeaderTtl, proto::kHeaderDeadline, kHeaderPastAttempts,
                                     kHeaderPastFailures, kHeaderPastHistory};
/// What becomes of what is told of attempts that are kept.
constexpr std::array kPasts = {std::pair(kHeaderDeadAttempts, kHeaderPastAttempts),
                               std::pair(kHeaderDeadFailures, kHeaderPastFailures),
                               std::pair(kHeaderDeadHistory, kHeaderPastHistory)};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_changed(const HeaderChanges& changes, std::string_view name) {
  return contains(changes.remove, name) ||
         std::ranges::any_of(changes.set, [name](const auto& set) { return set.first == name; });
}

/// The header that a copy has for this one, by its name; empty: none.
std::string_view name_in_copy(std::string_view name, const CopyRules& rules) {
  if (contains(kHistoryHeaders, name)) {
    const auto* const past =
        std::ranges::find(kPasts, name, [](const auto& pair) { return pair.first; });
    return rules.keeps_attempts && past != kPasts.end() ? past->second : std::string_view();
  }
  const bool is_over = (rules.dies && contains(kLifeHeaders, name)) ||
                       (rules.changes != nullptr && is_changed(*rules.changes, name));
  return is_over ? std::string_view() : name;
}

}  // namespace

proto::RecordView record_at(const CachedBatch& batch, std::uint32_t index) {
  const proto::RecordSpan span = batch.records[index];
  auto decoded = proto::decode_record(batch.batch.view().substr(span.position, span.bytes));
  WEIR_ASSERT(decoded.has_value(), "a stored batch was checked when it was read");
  return std::move(decoded->record);
}

std::string_view header_of(const proto::RecordView& record, std::string_view name) {
  const auto it = std::ranges::find(record.headers, name, &proto::Header::key);
  return it != record.headers.end() && it->value ? *it->value : std::string_view();
}

proto::TimeMs cursor_time_behind(const Queue& queue, const MessageRange& range,
                                 proto::TimeMs append_time, const BatchSource& batches) {
  const CachedBatch* behind = batches.find(
      log_of(queue), range.base_offset + range.first + static_cast<proto::Offset>(range.count));
  return behind != nullptr ? behind->append_time : append_time;
}

RebuiltBatch::RebuiltBatch(proto::QueueId queue, std::uint32_t incarnation, proto::TimeMs now,
                           const CopyRules& rules)
    : queue_(queue),
      incarnation_(incarnation),
      now_(now),
      rules_(rules),
      builder_(proto::kStoredHeaderBytes) {}

bool RebuiltBatch::add(const CachedBatch& source, std::uint32_t index,
                       std::span<const proto::Header> more) {
  const proto::RecordView record = record_at(source, index);
  const std::string id = proto::message_id(incarnation_, queue_.value, source.base_offset + index);
  std::vector<proto::Header> headers;
  bool has_id = false;
  for (const proto::Header& header : record.headers) {
    if (const std::string_view name = name_in_copy(header.key, rules_); !name.empty()) {
      headers.push_back({name, header.value});
      has_id = has_id || name == kHeaderId;
    }
  }
  if (!has_id) {
    headers.push_back({kHeaderId, id});
  }
  headers.insert(headers.end(), more.begin(), more.end());
  if (rules_.changes != nullptr) {
    for (const auto& [name, value] : rules_.changes->set) {
      headers.push_back({name, value});
    }
  }
  proto::RecordInput input;
  input.key = record.key;
  input.value = record.value;
  input.headers = headers;
  input.timestamp = proto::timestamp_of(source.base_timestamp, record);
  if (builder_.count() == proto::kMaxBatchRecords ||
      (builder_.count() > 0 &&
       builder_.bytes() + builder_.bytes_of(input) > proto::kMaxBatchBytes)) {
    return false;
  }
  builder_.add(input);
  return true;
}

proto::SharedBytes RebuiltBatch::finish(proto::Offset base_offset, proto::Offset prev_last_offset,
                                        std::uint32_t epoch) {
  return finish_rebuilt(builder_, base_offset, prev_last_offset, epoch, now_);
}

proto::SharedBytes stamped(std::string stored, proto::StoredHeader header,
                           proto::Offset base_offset, std::uint32_t epoch) {
  proto::poke_offset_and_epoch(std::span(stored).subspan(proto::kStoredHeaderBytes), base_offset,
                               static_cast<std::int32_t>(epoch));
  proto::write_stored_header(stored, header);
  return proto::SharedBytes(std::move(stored));
}

proto::SharedBytes finish_rebuilt(proto::BatchBuilder& builder, proto::Offset base_offset,
                                  proto::Offset prev_last_offset, std::uint32_t epoch,
                                  proto::TimeMs now) {
  std::string stored = builder.finish({}, proto::Compression::kNone);
  if (stored.capacity() > 2 * stored.size()) {
    stored.shrink_to_fit();  // until the disk has it there may be many, of one small message each
  }
  return stamped(std::move(stored), {proto::StoredKind::kRebuilt, now, prev_last_offset},
                 base_offset, epoch);
}

}  // namespace weir::core
