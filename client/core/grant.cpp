#include "client/core/grant.hpp"

#include "client/core/convert.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/handle.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {

bool is_sound(const proto::Deliver& frame) {
  return frame.count >= 1 && frame.count <= frame.span && frame.span <= proto::kMaxBatchRecords &&
         frame.first_index <= proto::kMaxBatchRecords && frame.base_offset >= 0 &&
         frame.base_offset <= kBaseOffsetMax;
}

Grant::Grant(const proto::Deliver& frame, const GrantOrigin& origin,
             std::shared_ptr<SettleSink> sink)
    : id_(frame.grant),
      nonce_(frame.nonce),
      base_offset_(frame.base_offset),
      base_timestamp_(frame.base_timestamp),
      first_index_(frame.first_index),
      span_(frame.span),
      count_(frame.count),
      attempts_(frame.attempts),
      failures_(frame.failures),
      losses_(frame.losses),
      lease_(frame.lease_ms),
      origin_(origin),
      sink_(std::move(sink)),
      records_(frame.records),
      first_that_may_wait_(frame.first_index),
      unread_(records_),
      waiting_(frame.count),
      waiting_end_(frame.count),
      settled_(frame.count, false) {
  sink_->on_grant_made();
}

Grant::~Grant() {
  sink_->on_grant_gone();
}

proto::Result<> Grant::read_indexes() {
  if (is_dense()) {
    return {};
  }
  std::vector<std::uint32_t> indexes;
  indexes.reserve(count_);
  std::string_view rest = records_;
  std::uint64_t next = first_index_;
  for (std::uint32_t position = 0; position < count_; ++position) {
    const proto::Result<proto::DecodedRecord> decoded = proto::decode_record(rest);
    if (!decoded) {
      return decoded.error();
    }
    const auto index = static_cast<std::uint32_t>(decoded->record.offset_delta);
    if (index < next || index - first_index_ >= span_) {
      return proto::fail(proto::Errc::kMalformed, "a message outside the delivery's places");
    }
    indexes.push_back(index);
    next = std::uint64_t{index} + 1;
    rest.remove_prefix(decoded->bytes);
  }
  indexes_ = std::move(indexes);
  return {};
}

std::uint32_t Grant::position_from(std::uint64_t index) const {
  if (!is_dense()) {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(indexes_, index) - indexes_.begin());
  }
  return index <= first_index_
             ? 0
             : static_cast<std::uint32_t>(std::min<std::uint64_t>(index - first_index_, count_));
}

std::uint32_t Grant::end_of_neighbours(std::uint32_t position, std::uint32_t end) const {
  if (is_dense()) {
    return end;
  }
  std::uint32_t next = position + 1;
  while (next < end && indexes_[next] == indexes_[next - 1] + 1) {
    ++next;
  }
  return next;
}

proto::SettleRange Grant::range(proto::SettleKind kind, std::uint32_t index, std::uint32_t count,
                                std::uint32_t value) const {
  proto::SettleRange range;
  range.kind = kind;
  range.grant = id_;
  range.nonce = nonce_;
  range.base_offset = base_offset_;
  range.first_index = index;
  range.count = count;
  range.value = value;
  return range;
}

proto::SettleRange Grant::started(std::uint32_t position, std::uint32_t count) const {
  const std::uint32_t first = index_of(position);
  return range(proto::SettleKind::kStarted, first, index_of(position + count - 1) - first + 1, 0);
}

std::string Grant::handle_of(std::uint32_t index) const {
  proto::ReceiptHandle handle;
  handle.incarnation = origin_.incarnation;
  handle.epoch = origin_.epoch;
  handle.queue = proto::QueueId(origin_.queue);
  handle.generation = origin_.generation;
  handle.grant = id_;
  handle.index = index;
  handle.nonce = nonce_;
  handle.base_offset = base_offset_;
  handle.shard = origin_.shard;
  return proto::encode_handle(handle);
}

Delivery Grant::to_delivery(std::uint32_t index, const proto::RecordView& record) {
  Delivery delivery;
  delivery.grant_ = shared_from_this();
  delivery.index_ = index;
  delivery.settled_ = false;
  delivery.offset_ = offset_of(delivery.index_);
  delivery.timestamp_ = to_timestamp(proto::timestamp_of(base_timestamp_, record));
  delivery.body_ = record.value.value_or(std::string_view());
  delivery.key_ = record.key;
  delivery.headers_.reserve(record.headers.size());
  for (const proto::Header& header : record.headers) {
    delivery.headers_.emplace_back(header.key, header.value);
  }
  return delivery;
}

proto::Result<Delivery> Grant::next() {
  const proto::Result<proto::DecodedRecord> decoded = proto::decode_record(unread_);
  if (!decoded) {
    return decoded.error();
  }
  unread_.remove_prefix(decoded->bytes);
  return to_delivery(index_of(next_position_++), decoded->record);
}

proto::Result<> Grant::read_groups() {
  if (!is_dense()) {
    return proto::fail(proto::Errc::kMalformed, "a FIFO queue's delivery with places left out");
  }
  std::vector<Place> places;
  places.reserve(count_);
  std::string_view rest = records_;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const proto::Result<proto::DecodedRecord> decoded = proto::decode_record(rest);
    if (!decoded) {
      return decoded.error();
    }
    const auto& headers = decoded->record.headers;
    const auto group = std::ranges::find(headers, proto::kHeaderGroup, &proto::Header::key);
    places.push_back({group != headers.end() && group->value ? proto::group_hash(*group->value)
                                                             : proto::kNoGroup,
                      static_cast<std::uint32_t>(records_.size() - rest.size())});
    rest.remove_prefix(decoded->bytes);
  }
  places_ = std::move(places);
  return {};
}

proto::Result<Delivery> Grant::at(std::uint32_t index) {
  const proto::Result<proto::DecodedRecord> decoded =
      proto::decode_record(std::string_view(records_).substr(place_of(index).position));
  if (!decoded) {
    return decoded.error();
  }
  return to_delivery(index, decoded->record);
}

std::size_t Grant::bytes_of(std::uint32_t index) const {
  const std::size_t next = index + 1 - first_index_;
  return (next < places_.size() ? places_[next].position : records_.size()) -
         place_of(index).position;
}

void Grant::begin_one(std::uint32_t index) {
  places_[index - first_index_].is_waiting = false;
  --waiting_;
  while (first_that_may_wait_ < first_index_ + count_ && !is_waiting(first_that_may_wait_)) {
    ++first_that_may_wait_;
  }
}

std::vector<proto::SettleRange> Grant::drop_last_waiting(std::uint32_t count,
                                                         proto::SettleKind kind) {
  std::vector<proto::SettleRange> ranges;
  const std::uint32_t end = waiting_end_;
  waiting_ -= count;
  waiting_end_ -= count;
  mark_settled_at(waiting_end_, count);
  for (std::uint32_t at = waiting_end_; at < end;) {
    const std::uint32_t next = end_of_neighbours(at, end);
    ranges.push_back(range(kind, index_of(at), next - at, 0));
    at = next;
  }
  return ranges;
}

void Grant::mark_settled(std::uint32_t index, std::uint32_t count) {
  const std::uint32_t begin = position_from(index);
  mark_settled_at(begin, position_from(std::uint64_t{index} + count) - begin);
}

void Grant::mark_settled_at(std::uint32_t position, std::uint32_t count) {
  for (std::uint32_t i = position; i < position + count; ++i) {
    if (!settled_[i]) {
      settled_[i] = true;
      ++settled_count_;
    }
  }
}

std::vector<proto::SettleRange> Grant::unsettled(proto::SettleKind kind,
                                                 std::uint32_t value) const {
  std::vector<proto::SettleRange> ranges;
  std::uint32_t begin = 0;
  while (begin < count_) {
    if (settled_[begin]) {
      ++begin;
      continue;
    }
    std::uint32_t end = begin + 1;
    while (end < count_ && !settled_[end]) {
      ++end;
    }
    for (; begin < end; begin = end_of_neighbours(begin, end)) {
      ranges.push_back(range(kind, index_of(begin), end_of_neighbours(begin, end) - begin, value));
    }
  }
  return ranges;
}

}  // namespace weir::sdk
