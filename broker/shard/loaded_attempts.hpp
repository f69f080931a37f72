#pragma once

#include "broker/core/attempt.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace weir::shard {

/// The attempts of messages of one batch, by offset.
using AttemptRows = std::map<proto::Offset, std::vector<core::Attempt>>;

/// Reads them. CORRUPT_BATCH when a row is damaged. Runs off the shard.
proto::Result<AttemptRows> load_attempts(const storage::Reader& reader,
                                         const core::NeedAttempts& need);

/// What was read of the history of messages that are to be moved: of one batch a queue, until it
/// was used. The newest attempt is written when the decision about the message falls, so it may not
/// have been there yet: then the rows are read once more.
class LoadedAttempts final : public core::AttemptSource {
 public:
  /// Attempts of the queue ended in this commit.
  void note_ended(proto::QueueId queue, proto::CommitIndex index) { ended_[queue] = index; }
  void on_committed(proto::CommitIndex index);
  /// Whether reading again may find more than before. Begins it, then.
  [[nodiscard]] bool begin(const core::NeedAttempts& need, proto::CommitIndex committed);
  void finish(const core::NeedAttempts& need, AttemptRows rows);
  /// Something that was begun is not finished.
  [[nodiscard]] bool is_loading() const;
  /// The batch was moved, or the queue is gone.
  void forget(proto::QueueId queue) { loads_.erase(queue); }
  void clear();

  [[nodiscard]] const std::vector<core::Attempt>* find(proto::QueueId queue, proto::Offset offset,
                                                       std::uint16_t attempts) const override;

 private:
  struct Load {
    core::NeedAttempts need;
    proto::CommitIndex as_of;   // what the reader has seen
    bool has_all_rows = false;  // nothing of the queue was on its way then
    std::optional<AttemptRows> rows;

    /// Of the same batch in the same life of the queue.
    [[nodiscard]] bool is_of(const core::NeedAttempts& other) const {
      return need.last_offset == other.last_offset && need.generation == other.generation;
    }
  };
  std::map<proto::QueueId, Load> loads_;
  std::map<proto::QueueId, proto::CommitIndex> ended_;
};

}  // namespace weir::shard
