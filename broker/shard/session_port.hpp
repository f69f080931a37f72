#pragma once

#include "broker/core/reply.hpp"
#include "proto/bytes.hpp"
#include "proto/frame/frames.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::shard {

/// A piece of a topic for a reader: one whole RecordBatch.
struct TopicBatch {
  std::uint32_t alias = 0;
  std::uint32_t partition = 0;
  proto::SharedBytes batch;
  proto::Offset next_offset = 0;  // behind this batch
  proto::Offset high_watermark = 0;
};

/// How a shard speaks to one session. Called on the shard's executor, and only with facts that are
/// durable: what these calls say may go to the peer at once. They must not call back into the
/// shard.
class SessionPort {
 public:
  virtual ~SessionPort() = default;
  virtual void on_sent(const proto::SentEntry& entry) = 0;
  virtual void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) = 0;
  virtual void on_delivery(std::uint32_t alias, const core::Delivery& delivery) = 0;
  virtual void on_topic_batch(const TopicBatch& batch) = 0;
  virtual void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) = 0;
  /// This subscription gets nothing more; comes after everything that it got.
  virtual void on_subscription_ended(std::uint32_t alias, const proto::Error& why) = 0;
  /// An operator has ended this session: say so, and leave. Comes by itself, outside of a turn: the
  /// session may be closed in it.
  virtual void on_kicked(const proto::Error& why) = 0;
  /// Nothing more comes in this turn: write now.
  virtual void flush() = 0;
  /// Bytes of deliveries and topic batches that the session still takes before it wants to be asked
  /// again: the shard stops feeding a session at 0 and goes on after Shard::bulk_drained(). What it
  /// has decided and not said yet it subtracts itself.
  [[nodiscard]] virtual std::size_t bulk_room() const = 0;
};

}  // namespace weir::shard
