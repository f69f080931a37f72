#pragma once

#include "broker/core/command.hpp"
#include "broker/core/message_filter.hpp"
#include "broker/core/reply.hpp"
#include "broker/shard/delay_loader.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <vector>

namespace weir::shard {

/// Which messages of a queue are to be shown.
struct PeekWish {
  /// The lanes of the queue, in the order of their offsets.
  std::vector<proto::QueueId> lanes;
  core::MessageState state = core::MessageState::kAny;
  proto::Offset from_offset = 0;
  std::uint32_t max_messages = 0;
  proto::TimeMs now = 0;                 // tells what is delayed from what is ready
  proto::Offset end_offset = INT64_MAX;  // nothing from here on
  core::MessageFilter filter = {};
  bool with_attempts = false;
  LaneName delays = {};           // of the queue; looked at for the one message of an id
  std::uint32_t incarnation = 0;  // of ids
};

/// Looks at what lies in the store at the reader's moment. Bounded by what it shows (its messages
/// and 1 MiB, but at least one) and by the batches that it looks at for that. The message of an id
/// is found at once where it was first, or else among those that came from elsewhere. CORRUPT_BATCH
/// where a batch that is to be looked at cannot be read, STORAGE_FAILED. Runs off the shard.
[[nodiscard]] proto::Result<core::Peeked> peek(const storage::Reader& reader, const PeekWish& wish);

}  // namespace weir::shard
