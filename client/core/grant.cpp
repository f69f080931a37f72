#include "client/core/grant.hpp"

#include "client/core/convert.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/handle.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {

bool is_sound(const proto::Deliver& frame) {
  return frame.count >= 1 && frame.count <= proto::kMaxBatchRecords &&
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
      count_(frame.count),
      attempts_(frame.attempts),
      failures_(frame.failures),
      lease_(frame.lease_ms),
      origin_(origin),
      sink_(std::move(sink)),
      records_(frame.records),
      first_that_may_wait_(frame.first_index),
      unread_(records_),
      next_index_(frame.first_index),
      waiting_(frame.count),
      waiting_end_(frame.first_index + frame.count),
      settled_(frame.count, false) {
  sink_->on_grant_made();
}

Grant::~Grant() {
  sink_->on_grant_gone();
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
  return to_delivery(next_index_++, decoded->record);
}

proto::Result<> Grant::read_groups() {
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

std::uint32_t Grant::drop_last_waiting(std::uint32_t count) {
  waiting_ -= count;
  waiting_end_ -= count;
  mark_settled(waiting_end_, count);
  return waiting_end_;
}

void Grant::mark_settled(std::uint32_t index, std::uint32_t count) {
  const std::uint64_t begin = std::max(index, first_index_);
  const std::uint64_t end =
      std::min<std::uint64_t>(std::uint64_t{index} + count, std::uint64_t{first_index_} + count_);
  for (std::uint64_t i = begin; i < end; ++i) {
    if (!settled_[i - first_index_]) {
      settled_[i - first_index_] = true;
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
    ranges.push_back(range(kind, first_index_ + begin, end - begin, value));
    begin = end;
  }
  return ranges;
}

}  // namespace weir::sdk
