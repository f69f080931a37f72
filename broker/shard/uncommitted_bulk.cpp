#include "broker/shard/uncommitted_bulk.hpp"

#include "proto/frame/frames.hpp"

#include <utility>

namespace weir::shard {
namespace {

std::size_t bytes_of(const core::Delivery& delivery) {
  return proto::kDeliverFixedBytes + delivery.records.size();
}

}  // namespace

void UncommittedBulk::add(proto::SessionId session, const core::Delivery& delivery) {
  sessions_[session].bytes += bytes_of(delivery);
}

bool UncommittedBulk::remove(proto::SessionId session, const core::Delivery& delivery) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) {
    return false;  // the session is gone
  }
  it->second.bytes -= bytes_of(delivery);
  const bool refused = std::exchange(it->second.refused, false);
  if (it->second.bytes == 0) {
    sessions_.erase(it);
  }
  return refused;
}

bool UncommittedBulk::has_room(proto::SessionId session, const SessionPort& port) {
  const std::size_t room = port.bulk_room();
  const auto it = sessions_.find(session);
  if (it == sessions_.end() || it->second.bytes < room) {
    return room > 0;
  }
  it->second.refused = true;
  return false;
}

}  // namespace weir::shard
