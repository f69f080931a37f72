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

Run part_of(Run run, std::uint32_t first, std::uint32_t end) {
  run.first = first;
  run.count = end - first;
  return run;
}

/// The runs that have messages in [first, end).
template <class Runs>
auto meeting(Runs& runs, std::uint32_t first, std::uint32_t end) {
  const auto low = std::partition_point(runs.begin(), runs.end(),
                                        [first](const Run& run) { return run.end() <= first; });
  const auto high =
      std::partition_point(low, runs.end(), [end](const Run& run) { return run.first < end; });
  return std::pair(low, high);
}

bool same_holder(const Holder& one, const Holder& other) {
  return one == other || (one && other && *one == *other);
}

}  // namespace

bool same_fate(const Run& one, const Run& other) {
  return one.state == other.state && one.started == other.started &&
         one.attempts == other.attempts && one.failures == other.failures &&
         one.losses == other.losses && one.is_poison == other.is_poison &&
         one.is_expired == other.is_expired && one.is_unparked == other.is_unparked &&
         one.grant == other.grant && one.nonce == other.nonce && one.when == other.when &&
         one.since == other.since && same_holder(one.holder, other.holder);
}

bool operator==(const Run& one, const Run& other) {
  return one.first == other.first && one.count == other.count && same_fate(one, other);
}

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
  Window window;
  window.runs.assign(runs.begin(), runs.end());
  close_window(window);
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

std::span<const Run> TouchedBatch::runs_meeting(std::uint32_t first, std::uint32_t end) const {
  const auto [low, high] = meeting(runs_, first, end);
  return {low, high};
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

bool TouchedBatch::has_live(std::uint32_t first, std::uint32_t end) const {
  for (std::uint32_t word = first / 64; word * 64 < end; ++word) {
    if ((~acked_[word] & mask_of(word, first, end)) != 0) {
      return true;
    }
  }
  return false;
}

std::size_t TouchedBatch::memory_bytes() const {
  constexpr std::size_t kNodes = 256;  // of the maps and sets that hold it
  return sizeof(TouchedBatch) + kNodes + (acked_.size() + groups_.size()) * sizeof(std::uint64_t) +
         runs_.size() * sizeof(Run) + attempts_.memory_bytes();
}

// Every change concerns a window of neighbouring runs: those that it meets, and one on each side
// with which they may merge. What a change costs follows the window, not the batch.
TouchedBatch::Window TouchedBatch::open_window(std::uint32_t first, std::uint32_t end) {
  const auto [low, high] = meeting(runs_, first, end);
  Window window;
  window.at = static_cast<std::size_t>(low - runs_.begin());
  window.size = static_cast<std::size_t>(high - low);
  if (window.at > 0) {
    --window.at;
    ++window.size;
  }
  if (high != runs_.end()) {
    ++window.size;
  }
  for (std::size_t i = window.at; i < window.at + window.size; ++i) {
    const Run& run = runs_[i];
    *count_of(run.state) -= live_in(run.first, run.end());
    // Cut where the change begins and ends.
    std::uint32_t from = run.first;
    for (const std::uint32_t border : {first, end}) {
      if (from < border && border < run.end()) {
        window.runs.push_back(part_of(run, from, border));
        from = border;
      }
    }
    window.runs.push_back(part_of(run, from, run.end()));
  }
  return window;
}

/// Also over what is done between them: where every second message fails, a batch has few runs.
bool TouchedBatch::go_together(const Run& run, const Run& next) const {
  return same_fate(run, next) && !has_live(run.end(), next.first);
}

/// Of neighbours from `first` on, so many pairs: what lay between them may be done by now.
void TouchedBatch::merge(std::size_t first, std::size_t pairs) {
  for (std::size_t i = std::min(first + pairs, runs_.size()); i > first + 1; --i) {
    Run& run = runs_[i - 2];
    if (const Run& next = runs_[i - 1]; go_together(run, next)) {
      run.count = next.end() - run.first;
      runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  }
}

void TouchedBatch::close_window(const Window& window) {
  Runs kept;
  for (const Run& run : window.runs) {
    const std::uint32_t live = live_in(run.first, run.end());
    if (live == 0) {
      continue;
    }
    *count_of(run.state) += live;
    if (!kept.empty() && go_together(kept.back(), run)) {
      kept.back().count = run.end() - kept.back().first;
    } else {
      kept.push_back(run);
    }
  }
  bool has_lost_earliest = false;
  const auto at = runs_.begin() + static_cast<std::ptrdiff_t>(window.at);
  for (auto it = at; it != at + static_cast<std::ptrdiff_t>(window.size); ++it) {
    const proto::TimeMs* earliest = earliest_of(it->state);
    has_lost_earliest =
        has_lost_earliest || (earliest != nullptr && it->when == *earliest &&
                              std::none_of(kept.begin(), kept.end(), [&](const Run& run) {
                                return run.state == it->state && run.when == it->when;
                              }));
  }
  // Overwritten as far as they go, so that what lies behind moves at most once.
  const std::size_t common = std::min(window.size, kept.size());
  const auto middle = std::copy_n(kept.begin(), common, at);
  if (kept.size() > common) {
    runs_.insert(middle, kept.begin() + static_cast<std::ptrdiff_t>(common), kept.end());
  } else {
    runs_.erase(middle, middle + static_cast<std::ptrdiff_t>(window.size - common));
  }
  if (has_lost_earliest) {
    find_earliest();
  } else {
    note_earliest(kept);
  }
}

void TouchedBatch::note_earliest(std::span<const Run> runs) {
  for (const Run& run : runs) {
    if (proto::TimeMs* earliest = earliest_of(run.state)) {
      *earliest = std::min(*earliest, run.when);
    }
  }
}

void TouchedBatch::find_earliest() {
  next_deadline_ = kNever;
  next_due_ = kNever;
  note_earliest(runs_);
}

std::uint64_t* TouchedBatch::count_of(RunState state) {
  switch (state) {
    case RunState::kLeased:
      return &counts_.leased;
    case RunState::kReturned:
      return &counts_.returned;
    case RunState::kDying:
      return &counts_.dying;
    case RunState::kParked:
      break;
  }
  return &counts_.parked;
}

proto::TimeMs* TouchedBatch::earliest_of(RunState state) {
  switch (state) {
    case RunState::kLeased:
      return &next_deadline_;
    case RunState::kReturned:
      return &next_due_;
    case RunState::kDying:
    case RunState::kParked:
      break;
  }
  return nullptr;
}

std::uint32_t TouchedBatch::lease(std::uint32_t first, std::uint32_t count, const Run& like) {
  const std::uint32_t end = first + count;
  WEIR_ASSERT(end <= size(), "a lease lies inside its batch");
  Window window = open_window(first, end);
  Runs leased;
  const auto add = [&](std::uint32_t from, std::uint32_t to, const Run& before) {
    if (from < to) {
      Run run = part_of(like, from, to);
      run.state = RunState::kLeased;
      run.attempts = before.attempts;
      run.failures = before.failures;
      run.losses = before.losses;
      run.is_unparked = before.is_unparked;
      if (like.started) {
        count_one(run.attempts);
      }
      leased.push_back(std::move(run));
    }
  };
  const Run fresh;
  std::uint32_t next = first;  // up to here it is covered
  for (const Run& run : window.runs) {
    if (run.first >= end) {
      add(next, end, fresh);
      next = std::max(next, end);
    }
    if (run.end() <= first || run.first >= end) {
      leased.push_back(run);
      continue;
    }
    add(next, run.first, fresh);
    add(run.first, run.end(), run);
    next = run.end();
  }
  add(next, end, fresh);
  window.runs = std::move(leased);
  close_window(window);
  return live_in(first, end);
}

std::uint32_t TouchedBatch::ack(std::uint32_t first, std::uint32_t count, const Freed& freed) {
  const std::uint32_t end = first + count;
  WEIR_ASSERT(end <= size(), "an ack lies inside its batch");
  const auto [low, high] = meeting(runs_, first, end);
  for (auto run = low; run != high; ++run) {
    const std::uint32_t live = live_in(std::max(run->first, first), std::min(run->end(), end));
    *count_of(run->state) -= live;
    if (run->state == RunState::kLeased && live > 0) {
      freed(run->grant, live);
    }
  }
  std::uint32_t newly = 0;
  for (std::uint32_t word = first / 64; word * 64 < end; ++word) {
    const std::uint64_t mask = mask_of(word, first, end);
    newly += static_cast<std::uint32_t>(std::popcount(~acked_[word] & mask));
    acked_[word] |= mask;
  }
  acked_count_ += newly;
  const auto gone =
      std::remove_if(low, high, [this](const Run& run) { return !has_live(run.first, run.end()); });
  const auto at = static_cast<std::size_t>(low - runs_.begin());
  const auto left = static_cast<std::size_t>(gone - low);
  if (gone != high) {
    runs_.erase(gone, high);
    find_earliest();
  }
  merge(at > 0 ? at - 1 : 0, left + 2);
  return newly;
}

void TouchedBatch::update(std::uint32_t first, std::uint32_t count,
                          const std::function<void(Run&, std::uint32_t live)>& change) {
  const std::uint32_t end = first + count;
  Window window = open_window(first, end);
  for (Run& run : window.runs) {
    if (run.first >= first && run.end() <= end) {
      change(run, live_in(run.first, run.end()));
    }
  }
  close_window(window);
}

}  // namespace weir::core
