#include "client/core/settle_coalescer.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <tuple>
#include <utility>

namespace weir::sdk {
namespace {

using Ranges = std::vector<proto::SettleRange>;

bool is_alike(const proto::SettleRange& left, const proto::SettleRange& right) {
  return left.grant == right.grant && left.kind == right.kind && left.value == right.value &&
         left.nonce == right.nonce && left.base_offset == right.base_offset &&
         left.reason == right.reason;
}

// A message is said to be started or extended before it is settled: nothing moves across these.
bool is_barrier(const proto::SettleRange& range) {
  return range.kind == proto::SettleKind::kStarted || range.kind == proto::SettleKind::kExtend;
}

bool precedes(const proto::SettleRange& left, const proto::SettleRange& right) {
  return std::tie(left.grant, left.kind, left.value, left.reason, left.first_index) <
         std::tie(right.grant, right.kind, right.value, right.reason, right.first_index);
}

// Sorts the ranges from `begin` to `end`, none of which is a barrier, and writes them joined to
// `to`.
Ranges::iterator merge_run(Ranges::iterator begin, Ranges::iterator end, Ranges::iterator to) {
  std::sort(begin, end, precedes);
  const Ranges::iterator first = to;
  for (Ranges::iterator at = begin; at != end; ++at) {
    if (to != first && is_alike(*(to - 1), *at) &&
        (to - 1)->first_index + (to - 1)->count == at->first_index) {
      (to - 1)->count += at->count;
    } else {
      *to++ = *at;
    }
  }
  return to;
}

// Extensions go on for what is not settled in the same breath.
void drop_useless_extensions(Ranges& ranges) {
  Ranges settled;
  std::ranges::copy_if(ranges, std::back_inserter(settled), std::not_fn(is_barrier));
  const auto by_place = [](const proto::SettleRange& left, const proto::SettleRange& right) {
    return std::tie(left.grant, left.first_index) < std::tie(right.grant, right.first_index);
  };
  std::ranges::sort(settled, by_place);
  Ranges kept;
  kept.reserve(ranges.size());
  for (proto::SettleRange range : ranges) {
    const std::uint32_t end = range.first_index + range.count;
    if (range.kind == proto::SettleKind::kExtend) {
      const auto keep_up_to = [&](std::uint32_t index) {
        if (range.first_index < index) {
          kept.push_back(range);
          kept.back().count = index - range.first_index;
        }
      };
      for (const proto::SettleRange& done :
           std::ranges::equal_range(settled, range.grant, {}, &proto::SettleRange::grant)) {
        keep_up_to(std::min(done.first_index, end));
        range.first_index = std::max(range.first_index, done.first_index + done.count);
      }
      keep_up_to(end);
    } else {
      kept.push_back(range);
    }
  }
  ranges = std::move(kept);
}

}  // namespace

void SettleCoalescer::add(proto::SettleRange range, std::string_view reason) {
  if (!reason.empty()) {
    // Mostly one after the other fails for the same reason.
    if (batch_.reasons.empty() || batch_.reasons.back() != reason) {
      batch_.reasons.emplace_back(reason);
    }
    range.reason = static_cast<std::uint32_t>(batch_.reasons.size());
  }
  has_extensions_ = has_extensions_ || range.kind == proto::SettleKind::kExtend;
  if (!batch_.ranges.empty()) {
    proto::SettleRange& last = batch_.ranges.back();
    if (is_alike(last, range) && last.first_index + last.count == range.first_index) {
      last.count += range.count;
      return;
    }
    is_merged_ = false;
  }
  batch_.ranges.push_back(range);
}

SettleBatch SettleCoalescer::take() {
  const auto stays = [this](const proto::SettleRange& range) {
    return is_barrier(range) || (keeps_order_ && range.kind != proto::SettleKind::kAck);
  };
  SettleBatch taken = std::exchange(batch_, {});
  if (std::exchange(has_extensions_, false)) {
    drop_useless_extensions(taken.ranges);
  }
  if (!std::exchange(is_merged_, true)) {
    Ranges& ranges = taken.ranges;
    Ranges::iterator to = ranges.begin();
    for (Ranges::iterator at = ranges.begin(); at != ranges.end();) {
      if (stays(*at)) {
        *to++ = *at++;
        continue;
      }
      const Ranges::iterator end = std::find_if(at, ranges.end(), stays);
      to = merge_run(at, end, to);
      at = end;
    }
    ranges.erase(to, ranges.end());
  }
  return taken;
}

}  // namespace weir::sdk
