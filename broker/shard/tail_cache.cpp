#include "broker/shard/tail_cache.hpp"

#include <algorithm>

namespace weir::shard {
namespace {

/// Map node, key and bookkeeping, about.
constexpr std::size_t kEntryOverhead = 256;

}  // namespace

void TailCache::insert(proto::LogId log, core::CachedBatch batch, proto::CommitIndex pinned_until) {
  const Key key{log, batch.last_offset};
  Entry entry;
  entry.bytes =
      batch.batch.size() + batch.records.size() * sizeof(proto::RecordSpan) + kEntryOverhead;
  entry.batch = std::move(batch);
  entry.pinned_until = pinned_until;
  const std::size_t bytes = entry.bytes;
  if (entries_.try_emplace(key, std::move(entry)).second) {
    order_.push_back(key);
    bytes_ += bytes;
  }
  evict();
}

void TailCache::release(proto::CommitIndex committed) {
  committed_ = std::max(committed_, committed);
  evict();
}

void TailCache::evict() {
  // The newest entry stays: somebody is about to use it.
  while (bytes_ > max_bytes_ && order_.size() > 1) {
    const auto it = entries_.find(order_.front());
    if (it->second.pinned_until > committed_) {
      return;  // those behind it were appended later, so they are pinned too, or were just loaded
    }
    bytes_ -= it->second.bytes;
    entries_.erase(it);
    order_.pop_front();
  }
}

void TailCache::clear() {
  entries_.clear();
  order_.clear();
  bytes_ = 0;
}

const core::CachedBatch* TailCache::find(proto::LogId log, proto::Offset offset) const {
  const auto it = entries_.lower_bound({log, offset});
  if (it == entries_.end() || it->first.first != log || it->second.batch.base_offset > offset) {
    return nullptr;
  }
  return &it->second.batch;
}

}  // namespace weir::shard
