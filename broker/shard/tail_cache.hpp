#pragma once

#include "broker/core/decision.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

namespace weir::shard {

/// The newest batches of all logs, within a byte limit, oldest out first. A consumer that keeps up
/// is served from here and never reads the disk. A batch whose commit is still under way cannot be
/// read from the store and stays, whatever the limit.
class TailCache final : public core::BatchSource {
 public:
  explicit TailCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// `pinned_until` is the commit that makes the batch readable from the store; 0 for one that was
  /// loaded from there.
  void insert(proto::LogId log, core::CachedBatch batch, proto::CommitIndex pinned_until);
  /// Commits up to here are durable.
  void release(proto::CommitIndex committed);
  void clear();

  [[nodiscard]] const core::CachedBatch* find(proto::LogId log,
                                              proto::Offset offset) const override;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  using Key = std::pair<proto::LogId, proto::Offset>;  // log, last offset
  struct Entry {
    core::CachedBatch batch;
    proto::CommitIndex pinned_until;
    std::size_t bytes = 0;
  };
  void evict();

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  proto::CommitIndex committed_;
  std::map<Key, Entry> entries_;
  std::deque<Key> order_;
};

}  // namespace weir::shard
