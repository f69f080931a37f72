#include "broker/core/redrive.hpp"

#include "proto/lanes.hpp"

#include <algorithm>
#include <utility>

namespace weir::core {
namespace {

constexpr std::int64_t kSecondMs = 1000;

}  // namespace

proto::TimeMs Redrive::next_time() const {
  return rate != 0 && moved_in_second >= rate ? second_time + kSecondMs : 0;
}

std::uint64_t Redrive::allowance(proto::TimeMs now) const {
  std::uint64_t allowed =
      max_messages != 0 ? max_messages - std::min(moved, max_messages) : UINT64_MAX;
  if (rate != 0) {
    const bool is_new_second = now >= second_time + kSecondMs;
    allowed = std::min(allowed, is_new_second ? rate : rate - std::min(moved_in_second, rate));
  }
  return allowed;
}

void Redrive::enter_next_lane() {
  end = further_ends.front();
  position = proto::first_offset(proto::lane_tag(end));
  further_ends.erase(further_ends.begin());
}

void Redrive::note_moved(std::uint64_t messages, proto::TimeMs now) {
  moved += messages;
  if (now >= second_time + kSecondMs) {
    second_time = now;
    moved_in_second = 0;
  }
  moved_in_second += messages;
}

void Redrive::finish(RedriveState how, std::string because, proto::TimeMs now) {
  state = how;
  why = std::move(because);
  ended_time = now;
}

const Redrive* Redrives::find(proto::QueueId source) const {
  const auto it = redrives_.find(source);
  return it != redrives_.end() ? &it->second : nullptr;
}

void Redrives::set(Redrive redrive) {
  if (redrive.is_running()) {
    running_.insert(redrive.source);
  } else {
    running_.erase(redrive.source);
  }
  const proto::QueueId source = redrive.source;
  redrives_.insert_or_assign(source, std::move(redrive));
}

bool Redrives::remove(proto::QueueId source) {
  running_.erase(source);
  return redrives_.erase(source) > 0;
}

}  // namespace weir::core
