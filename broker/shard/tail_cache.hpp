#pragma once

#include "broker/core/decision.hpp"
#include "proto/ids.hpp"

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <map>
#include <utility>

namespace weir::shard {

/// The newest batches of all logs that somebody may still want, within a byte limit, oldest out
/// first. A consumer that keeps up is served from here and never reads the disk. A batch whose
/// commit is still under way cannot be read from the store and stays, whatever the limit.
class TailCache final : public core::BatchSource {
 public:
  explicit TailCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  ~TailCache() override { clear(); }
  TailCache(const TailCache&) = delete;
  TailCache& operator=(const TailCache&) = delete;

  /// `pinned_until` is the commit that makes the batch readable from the store; 0 for one that was
  /// loaded from there.
  void insert(proto::LogId log, core::CachedBatch batch, proto::CommitIndex pinned_until);
  /// Nobody wants the batch any more: all its messages are gone. Its memory is of use again while
  /// the processor still has it at hand. Does nothing for one that is not here.
  void forget(proto::LogId log, proto::Offset last_offset);
  /// Commits up to here are durable.
  void release(proto::CommitIndex committed);
  void clear();

  [[nodiscard]] const core::CachedBatch* find(proto::LogId log,
                                              proto::Offset offset) const override;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  using Key = std::pair<proto::LogId, proto::Offset>;  // log, last offset
  struct Entry : boost::intrusive::list_base_hook<> {
    core::CachedBatch batch;
    proto::CommitIndex pinned_until;
    std::size_t bytes = 0;
    proto::LogId log;
  };
  using Entries = std::map<Key, Entry>;
  void evict();
  void erase(Entries::iterator it);

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  proto::CommitIndex committed_;
  Entries entries_;
  boost::intrusive::list<Entry> order_;  // of the entries, as they came
};

}  // namespace weir::shard
