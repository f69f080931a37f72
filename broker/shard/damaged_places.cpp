#include "broker/shard/damaged_places.hpp"

namespace weir::shard {

bool DamagedPlaces::add(const Place& place, const proto::Error& why) {
  if (!places_.try_emplace(place, why).second) {
    return false;
  }
  order_.push_back(place);
  if (order_.size() > kMaxPlaces) {
    places_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

const proto::Error* DamagedPlaces::find(const Place& place) const {
  const auto it = places_.find(place);
  return it != places_.end() ? &it->second : nullptr;
}

void DamagedPlaces::clear() {
  places_.clear();
  order_.clear();
}

}  // namespace weir::shard
