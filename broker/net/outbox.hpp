#pragma once

#include "broker/core/reply.hpp"
#include "broker/shard/session_port.hpp"
#include "proto/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::net {

/// What waits to be written to one connection, in two queues: control frames, and bulk (messages)
/// behind them. A write takes all control bytes that are there and at most kMaxPieceBytes of bulk,
/// so that an answer never waits for a replay. Payloads are shared, not copied.
class Outbox {
 public:
  /// Bulk beyond which the shard is not asked for more.
  static constexpr std::size_t kBulkRoom = std::size_t{512} << 10;
  /// Control bytes that a peer may leave unread.
  static constexpr std::size_t kMaxControlBytes = std::size_t{16} << 20;

  /// Where control frames are appended, whole ones only.
  [[nodiscard]] std::string& control() { return control_; }
  void add_delivery(std::uint32_t alias, const core::Delivery& delivery);
  /// Cuts the batch into Records frames of at most kMaxPieceBytes each.
  void add_topic_batch(const shard::TopicBatch& batch);
  /// One whole frame that must not overtake the messages in front of it.
  void add_behind_bulk(std::string frame) { add_bulk(std::move(frame), {}); }

  /// Views of what is to be written next, in order, at most `max_views`; empty when nothing is.
  /// Valid until the next call of consume().
  [[nodiscard]] const std::vector<std::string_view>& gather(std::size_t max_views);
  /// The first `bytes` of what gather() gave were written.
  void consume(std::size_t bytes);
  /// Forgets everything that is not written, and takes no bulk any more.
  void drop_bulk();

  [[nodiscard]] bool empty() const { return sending_.empty() && control_.empty() && bulk_.empty(); }
  /// Bytes of bulk not yet written.
  [[nodiscard]] std::size_t bulk_bytes() const { return bulk_bytes_; }
  [[nodiscard]] std::size_t bulk_room() const {
    return takes_bulk_ && bulk_bytes_ < kBulkRoom ? kBulkRoom - bulk_bytes_ : 0;
  }
  /// The peer does not read: the connection must end.
  [[nodiscard]] bool overflowed() const {
    return control_.size() + sending_control_bytes_ > kMaxControlBytes;
  }

 private:
  struct Piece {
    std::string head;
    proto::SharedBytes payload;
    bool bulk = false;

    [[nodiscard]] std::size_t size() const { return head.size() + payload.size(); }
  };

  void add_bulk(std::string head, proto::SharedBytes payload);
  void refill();

  std::string control_;
  std::deque<Piece> bulk_;
  std::deque<Piece> sending_;  // its order is fixed: the first one may be partly written
  std::size_t sent_of_first_ = 0;
  std::size_t sending_control_bytes_ = 0;
  std::size_t bulk_bytes_ = 0;
  bool takes_bulk_ = true;
  std::vector<std::string_view> views_;
};

}  // namespace weir::net
