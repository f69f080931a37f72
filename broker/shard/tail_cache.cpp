#include "broker/shard/tail_cache.hpp"

#include <algorithm>

namespace weir::shard {
namespace {

/// Map node, key and bookkeeping, about.
constexpr std::size_t kEntryOverhead = 256;

}  // namespace

void TailCache::insert(proto::LogId log, core::CachedBatch batch, proto::CommitIndex pinned_until) {
  const auto [it, is_new] = entries_.try_emplace(Key{log, batch.last_offset});
  if (is_new) {
    Entry& entry = it->second;
    entry.bytes =
        batch.batch.size() + batch.records.size() * sizeof(proto::RecordSpan) + kEntryOverhead;
    entry.batch = std::move(batch);
    entry.pinned_until = pinned_until;
    entry.log = log;
    order_.push_back(entry);
    bytes_ += entry.bytes;
  }
  evict();
}

void TailCache::forget(proto::LogId log, proto::Offset last_offset) {
  const auto it = entries_.find(Key{log, last_offset});
  if (it != entries_.end() && it->second.pinned_until <= committed_) {
    erase(it);
  }
}

void TailCache::release(proto::CommitIndex committed) {
  committed_ = std::max(committed_, committed);
  evict();
}

void TailCache::evict() {
  // The newest entry stays: somebody is about to use it.
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    const Entry& oldest = order_.front();
    if (oldest.pinned_until > committed_) {
      return;  // those behind it were appended later, so they are pinned too, or were just loaded
    }
    erase(entries_.find(Key{oldest.log, oldest.batch.last_offset}));
  }
}

void TailCache::erase(Entries::iterator it) {
  order_.erase(order_.iterator_to(it->second));
  bytes_ -= it->second.bytes;
  entries_.erase(it);
}

void TailCache::clear() {
  order_.clear();
  entries_.clear();
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
