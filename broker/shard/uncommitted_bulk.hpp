#pragma once

#include "broker/core/reply.hpp"
#include "broker/shard/session_port.hpp"
#include "proto/ids.hpp"

#include <cstddef>
#include <map>

namespace weir::shard {

/// Hand-outs that are decided and wait for their commit. They count against the room of their
/// session, which does not know of them yet: otherwise one turn, or several units on a slow disk,
/// could decide on any number of them while the room looks the same. Soft.
class UncommittedBulk {
 public:
  void add(proto::SessionId session, const core::Delivery& delivery);
  /// Its commit is there: it is said now, or taken back. True when the session was refused
  /// meanwhile for such bytes, and is worth another look.
  [[nodiscard]] bool remove(proto::SessionId session, const core::Delivery& delivery);
  /// Whether the session takes more.
  [[nodiscard]] bool has_room(proto::SessionId session, const SessionPort& port);
  void remove_session(proto::SessionId session) { sessions_.erase(session); }
  void clear() { sessions_.clear(); }

 private:
  struct Waiting {
    std::size_t bytes = 0;
    bool refused = false;
  };
  std::map<proto::SessionId, Waiting> sessions_;
};

}  // namespace weir::shard
