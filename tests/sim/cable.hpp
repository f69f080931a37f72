#pragma once

#include "tests/sim/world.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weir::sim {

/// Who holds one end of a cable. Called by events, never from within a call of the cable's.
class CableUser {
 public:
  virtual ~CableUser() = default;
  /// Bytes have come, or the end.
  virtual void on_readable() = 0;
  /// A write that was not taken whole goes on.
  virtual void on_writable() = 0;
};

/// One connection as two endpoints of TCP see it: a stream of bytes in each direction, late and in
/// order, in pieces that have nothing to do with how they were written, with room for so many.
class Cable : public std::enable_shared_from_this<Cable> {
 public:
  enum class Side : std::uint8_t { kClient, kBroker };
  struct Options {
    std::int64_t delay_us = 0;
    std::size_t room_bytes = 0;  // under way and not read yet, in each direction
    bool crumbles = false;       // into pieces of any size
  };

  Cable(World& world, Options options) : world_(world), options_(options) {}

  void attach(Side side, CableUser& user) { end(side).user = &user; }
  /// How many bytes were taken; if not all, on_writable() comes once there is room.
  std::size_t write(Side from, std::string_view bytes);
  /// Takes some of what has come; 0 when nothing has.
  std::size_t read(Side at, std::span<char> room);
  [[nodiscard]] bool has_bytes(Side at) { return !lane_to(at).arrived.empty(); }
  /// Nothing more will come there.
  [[nodiscard]] bool at_end(Side at) { return lane_to(at).ended && !has_bytes(at); }
  /// Nothing more is written from there: the other side reads what is under way, then the end.
  void end_output(Side from);
  /// That side is gone for good.
  void leave(Side side);

  /// Breaks it: what is under way is lost. Each side hears of the end at its own time, or never.
  void cut();
  /// Whatever that side says does not arrive any more, nor that it is gone.
  void swallow(Side from) { end(from).output.swallows = true; }

 private:
  struct Lane {
    std::string arrived;
    std::size_t under_way = 0;
    std::int64_t last_us = 0;
    bool swallows = false;
    bool ended = false;
    bool is_waited_for = false;  // the writer wants to go on
  };
  struct End {
    CableUser* user = nullptr;
    Lane output;
  };

  End& end(Side side) { return ends_[static_cast<std::size_t>(side)]; }
  static Side other(Side side) { return side == Side::kClient ? Side::kBroker : Side::kClient; }
  Lane& lane_to(Side at) { return end(other(at)).output; }
  std::int64_t delay(Lane& lane);
  void tell_readable(Side at);
  void tell_writable(Side from);

  World& world_;
  const Options options_;
  std::array<End, 2> ends_;
};

}  // namespace weir::sim
