#include "broker/net/outbox.hpp"

#include "proto/assert.hpp"
#include "proto/endian.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <utility>

namespace weir::net {
namespace {

constexpr std::size_t kFrameHead = 5;  // length and type

}  // namespace

void Outbox::add_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  const proto::Deliver frame{.alias = alias,
                             .first_index = delivery.first_index,
                             .span = delivery.span,
                             .count = delivery.count,
                             .lease_ms = static_cast<std::uint32_t>(delivery.lease_ms),
                             .grant = delivery.grant,
                             .nonce = delivery.nonce,
                             .base_offset = delivery.base_offset,
                             .base_timestamp = delivery.base_timestamp,
                             .attempts = delivery.attempts,
                             .failures = delivery.failures,
                             .losses = delivery.losses,
                             .generation = delivery.generation,
                             .origin = delivery.queue.value,
                             .records = delivery.records.view()};
  std::string head;
  head.reserve(kFrameHead + proto::kDeliverFixedBytes);
  proto::encode_head(frame, head);
  add_bulk(std::move(head), delivery.records);
}

void Outbox::add_topic_batch(const shard::TopicBatch& batch) {
  constexpr std::size_t kPayload = proto::kMaxPieceBytes - kFrameHead - proto::kRecordsFixedBytes;
  const std::string_view bytes = batch.batch.view();
  WEIR_ASSERT(bytes.size() >= sizeof(proto::Offset), "a topic batch is a whole RecordBatch");
  const auto base_offset = proto::load_be<proto::Offset>(bytes.data());
  for (std::size_t at = 0; at < bytes.size(); at += kPayload) {
    const std::size_t size = std::min(kPayload, bytes.size() - at);
    const bool is_last = at + size == bytes.size();
    const proto::Records frame{.alias = batch.alias,
                               .partition = batch.partition,
                               .next_offset = is_last ? batch.next_offset : base_offset,
                               .high_watermark = batch.high_watermark,
                               .bytes = bytes.substr(at, size)};
    std::string head;
    head.reserve(kFrameHead + proto::kRecordsFixedBytes);
    proto::encode_head(frame, head);
    add_bulk(std::move(head), batch.batch.slice(at, size));
  }
}

void Outbox::add_bulk(std::string head, proto::SharedBytes payload) {
  if (!takes_bulk_) {
    return;
  }
  bulk_bytes_ += head.size() + payload.size();
  bulk_.push_back(Piece{.head = std::move(head), .payload = std::move(payload), .bulk = true});
}

void Outbox::refill() {
  if (!control_.empty()) {
    sending_control_bytes_ = control_.size();
    sending_.push_back(Piece{.head = std::move(control_), .payload = {}, .bulk = false});
    control_.clear();
  }
  std::size_t taken = 0;
  while (!bulk_.empty() && (taken == 0 || taken + bulk_.front().size() <= proto::kMaxPieceBytes)) {
    taken += bulk_.front().size();
    sending_.push_back(std::move(bulk_.front()));
    bulk_.pop_front();
  }
}

const std::vector<std::string_view>& Outbox::gather(std::size_t max_views) {
  if (sending_.empty()) {
    refill();
  }
  views_.clear();
  std::size_t skip = sent_of_first_;
  for (const Piece& piece : sending_) {
    for (std::string_view part : {std::string_view(piece.head), piece.payload.view()}) {
      const std::size_t done = std::min(skip, part.size());
      skip -= done;
      part.remove_prefix(done);
      if (part.empty()) {
        continue;
      }
      if (views_.size() == max_views) {
        return views_;
      }
      views_.push_back(part);
    }
  }
  return views_;
}

void Outbox::consume(std::size_t bytes) {
  while (bytes > 0) {
    WEIR_ASSERT(!sending_.empty(), "no more is written than was gathered");
    Piece& first = sending_.front();
    const std::size_t step = std::min(bytes, first.size() - sent_of_first_);
    bytes -= step;
    sent_of_first_ += step;
    if (sent_of_first_ < first.size()) {
      return;
    }
    if (first.bulk) {
      bulk_bytes_ -= first.size();
    } else {
      sending_control_bytes_ = 0;
    }
    sent_of_first_ = 0;
    sending_.pop_front();
  }
}

void Outbox::drop_bulk() {
  takes_bulk_ = false;
  for (const Piece& piece : bulk_) {
    bulk_bytes_ -= piece.size();
  }
  bulk_.clear();
}

}  // namespace weir::net
