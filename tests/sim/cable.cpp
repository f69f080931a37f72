#include "tests/sim/cable.hpp"

#include <algorithm>
#include <utility>

namespace weir::sim {

std::int64_t Cable::delay(Lane& lane) {
  const std::int64_t slow = world_.rng().per_mille(5) ? 50 : 1;
  lane.last_us =
      std::max(lane.last_us, world_.now_us() + world_.rng().skewed(options_.delay_us * 2) * slow);
  return lane.last_us - world_.now_us();
}

void Cable::tell_readable(Side at) {
  if (end(at).user != nullptr) {
    end(at).user->on_readable();
  }
}

void Cable::tell_writable(Side from) {
  if (std::exchange(end(from).output.is_waited_for, false)) {
    world_.after(world_.rng().skewed(100), [self = shared_from_this(), from] {
      if (self->end(from).user != nullptr) {
        self->end(from).user->on_writable();
      }
    });
  }
}

std::size_t Cable::write(Side from, std::string_view bytes) {
  Lane& lane = end(from).output;
  const std::size_t used = lane.under_way + lane.arrived.size();
  const std::size_t taken =
      std::min(bytes.size(), options_.room_bytes - std::min(used, options_.room_bytes));
  if (taken < bytes.size()) {
    lane.is_waited_for = true;
    world_.report().count("wire: no room for what is written");
  }
  if (taken == 0) {
    return 0;
  }
  lane.under_way += taken;
  if (lane.swallows) {
    return taken;
  }
  world_.after(delay(lane),
               [self = shared_from_this(), from, sent = std::string(bytes.substr(0, taken))] {
                 Lane& arriving = self->end(from).output;
                 if (arriving.swallows) {
                   return;
                 }
                 arriving.under_way -= sent.size();
                 if (self->end(other(from)).user == nullptr) {
                   self->tell_writable(from);
                   return;  // nobody reads any more
                 }
                 arriving.arrived += sent;
                 self->tell_readable(other(from));
               });
  return taken;
}

std::size_t Cable::read(Side at, std::span<char> room) {
  Lane& lane = lane_to(at);
  std::size_t bytes = std::min(room.size(), lane.arrived.size());
  if (bytes > 1 && options_.crumbles) {
    bytes = 1 + static_cast<std::size_t>(world_.rng().skewed(static_cast<std::int64_t>(bytes) - 1));
  }
  std::copy_n(lane.arrived.begin(), bytes, room.begin());
  lane.arrived.erase(0, bytes);
  if (bytes > 0) {
    tell_writable(other(at));
  }
  return bytes;
}

void Cable::end_output(Side from) {
  Lane& lane = end(from).output;
  if (lane.swallows) {
    return;
  }
  world_.after(delay(lane), [self = shared_from_this(), from] {
    Lane& ending = self->end(from).output;
    if (!ending.swallows) {
      ending.ended = true;
      self->tell_readable(other(from));
    }
  });
}

void Cable::leave(Side side) {
  if (end(side).user == nullptr) {
    return;
  }
  end_output(side);
  end(side).user = nullptr;
  lane_to(side).arrived.clear();
  tell_writable(other(side));
}

void Cable::cut() {
  for (const Side side : {Side::kClient, Side::kBroker}) {
    lane_to(side).swallows = true;
    if (world_.rng().per_mille(200)) {
      continue;  // only silence tells
    }
    world_.after(world_.rng().skewed(300'000), [self = shared_from_this(), side] {
      self->lane_to(side).ended = true;
      self->tell_readable(side);
    });
  }
}

}  // namespace weir::sim
