#include "broker/core/queue/touched_batch.hpp"

#include "proto/assert.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace weir::core {
namespace {

/// Bits of word `word` that lie in [first, end).
std::uint64_t mask_of(std::uint32_t word, std::uint32_t first, std::uint32_t end) {
  const std::uint32_t low = word * 64;
  std::uint64_t mask = ~std::uint64_t{0};
  if (first > low) {
    mask &= ~std::uint64_t{0} << (first - low);
  }
  if (end < low + 64) {
    mask &= end > low ? ~std::uint64_t{0} >> (64 - (end - low)) : 0;
  }
  return mask;
}

bool same_fate(const Run& a, const Run& b) {
  return a.state == b.state && a.started == b.started && a.attempts == b.attempts &&
         a.grant == b.grant && a.nonce == b.nonce && a.when == b.when;
}

}  // namespace

TouchedBatch::TouchedBatch(proto::Offset base_offset, proto::Offset last_offset,
                           std::uint64_t bytes, proto::TimeMs append_time)
    : base_(base_offset), last_(last_offset), bytes_(bytes), append_time_(append_time) {
  WEIR_ASSERT(last_ >= base_, "a batch holds at least one message");
  acked_.resize((size() + 63) / 64);
}

bool TouchedBatch::restore(std::vector<std::uint64_t> acked, std::vector<Run> runs) {
  if (acked.size() > acked_.size()) {
    return false;
  }
  acked.resize(acked_.size());
  acked_count_ = 0;
  for (std::uint32_t word = 0; word < acked.size(); ++word) {
    if ((acked[word] & ~mask_of(word, 0, size())) != 0) {
      return false;
    }
    acked_count_ += static_cast<std::uint32_t>(std::popcount(acked[word]));
  }
  std::uint32_t end = 0;
  for (const Run& run : runs) {
    if (run.first < end || run.count == 0 || run.first >= size() ||
        run.count > size() - run.first) {
      return false;
    }
    end = run.end();
  }
  acked_ = std::move(acked);
  runs_ = std::move(runs);
  tidy();
  return true;
}

const Run* TouchedBatch::run_at(std::uint32_t index) const {
  auto it = std::upper_bound(runs_.begin(), runs_.end(), index,
                             [](std::uint32_t i, const Run& run) { return i < run.first; });
  if (it == runs_.begin()) {
    return nullptr;
  }
  --it;
  return index < it->end() ? &*it : nullptr;
}

std::uint32_t TouchedBatch::next_live(std::uint32_t index, std::uint32_t end) const {
  while (index < end && acked(index)) {
    ++index;
  }
  return index;
}

std::uint32_t TouchedBatch::live_end(std::uint32_t index, std::uint32_t end) const {
  while (index < end && !acked(index)) {
    ++index;
  }
  return index;
}

std::uint32_t TouchedBatch::live_in(std::uint32_t first, std::uint32_t end) const {
  std::uint32_t live = 0;
  for (std::uint32_t word = first / 64; word * 64 < end; ++word) {
    live += static_cast<std::uint32_t>(std::popcount(~acked_[word] & mask_of(word, first, end)));
  }
  return live;
}

std::size_t TouchedBatch::memory_bytes() const {
  constexpr std::size_t kNodes = 256;  // of the maps and sets that hold it
  return sizeof(TouchedBatch) + kNodes + acked_.size() * sizeof(std::uint64_t) +
         runs_.size() * sizeof(Run);
}

void TouchedBatch::split_at(std::uint32_t index) {
  const auto it = std::find_if(runs_.begin(), runs_.end(), [index](const Run& run) {
    return run.first < index && index < run.end();
  });
  if (it == runs_.end()) {
    return;
  }
  Run right = *it;
  right.first = index;
  right.count = it->end() - index;
  it->count = index - it->first;
  runs_.insert(it + 1, right);
}

void TouchedBatch::lease(std::uint32_t first, std::uint32_t count, const Run& like) {
  const std::uint32_t end = first + count;
  WEIR_ASSERT(end <= size(), "a lease lies inside its batch");
  split_at(first);
  split_at(end);
  std::vector<Run> leased;
  std::uint32_t next = first;
  auto add = [&](std::uint32_t from, std::uint32_t to, std::uint16_t attempts) {
    if (from < to) {
      Run run = like;
      run.first = from;
      run.count = to - from;
      run.state = RunState::kLeased;
      run.attempts = static_cast<std::uint16_t>(attempts + (like.started ? 1 : 0));
      leased.push_back(run);
    }
  };
  for (const Run& run : runs_) {
    if (run.first >= first && run.end() <= end) {
      add(next, run.first, 0);
      add(run.first, run.end(), run.attempts);
      next = run.end();
    }
  }
  add(next, end, 0);
  std::erase_if(runs_, [&](const Run& run) { return run.first >= first && run.end() <= end; });
  const auto at = std::find_if(runs_.begin(), runs_.end(),
                               [first](const Run& run) { return run.first >= first; });
  runs_.insert(at, leased.begin(), leased.end());
  tidy();
}

std::uint32_t TouchedBatch::ack(std::uint32_t first, std::uint32_t count, const Freed& freed) {
  const std::uint32_t end = first + count;
  WEIR_ASSERT(end <= size(), "an ack lies inside its batch");
  for (const Run& run : runs_) {
    const std::uint32_t from = std::max(run.first, first);
    const std::uint32_t to = std::min(run.end(), end);
    if (run.state == RunState::kLeased && from < to) {
      const std::uint32_t live = live_in(from, to);
      if (live > 0) {
        freed(run.grant, live);
      }
    }
  }
  std::uint32_t newly = 0;
  for (std::uint32_t word = first / 64; word * 64 < end; ++word) {
    const std::uint64_t mask = mask_of(word, first, end);
    newly += static_cast<std::uint32_t>(std::popcount(~acked_[word] & mask));
    acked_[word] |= mask;
  }
  acked_count_ += newly;
  tidy();
  return newly;
}

void TouchedBatch::update(std::uint32_t first, std::uint32_t count,
                          const std::function<void(Run&, std::uint32_t live)>& change) {
  const std::uint32_t end = first + count;
  split_at(first);
  split_at(end);
  for (Run& run : runs_) {
    if (run.first >= first && run.end() <= end) {
      change(run, live_in(run.first, run.end()));
    }
  }
  tidy();
}

void TouchedBatch::tidy() {
  std::vector<Run> kept;
  kept.reserve(runs_.size());
  counts_ = {};
  next_deadline_ = kNever;
  next_due_ = kNever;
  for (const Run& run : runs_) {
    const std::uint32_t live = live_in(run.first, run.end());
    if (live == 0) {
      continue;
    }
    switch (run.state) {
      case RunState::kLeased:
        counts_.leased += live;
        next_deadline_ = std::min(next_deadline_, run.when);
        break;
      case RunState::kReturned:
        counts_.returned += live;
        next_due_ = std::min(next_due_, run.when);
        break;
      case RunState::kDying:
        counts_.dying += live;
        break;
      case RunState::kParked:
        counts_.parked += live;
        break;
    }
    if (!kept.empty() && kept.back().end() == run.first && same_fate(kept.back(), run)) {
      kept.back().count += run.count;
    } else {
      kept.push_back(run);
    }
  }
  runs_ = std::move(kept);
}

}  // namespace weir::core
