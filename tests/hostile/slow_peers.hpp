#pragma once

#include "proto/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace weir::hostile {

/// Many connections that are slow or silent, each in its own way, and that come back when the
/// broker closes them. One thread.
class SlowPeers {
 public:
  enum class Way : std::uint8_t {
    kSilent,       // nothing at all: closed when Hello is late
    kSilentAfter,  // Hello and nothing more, not even an answer to a ping: closed as dead
    kHalfOpen,     // Hello, answers pings
    kTrickles,     // Hello, then a frame of which a byte comes each second
    kNeverReads,   // Hello, then requests whose answers it never reads
    kCount,
  };
  struct Counts {
    std::uint64_t opened = 0;
    std::uint64_t closed = 0;  // by the broker
    // How long the broker left them, at the least and at the most.
    std::int64_t silent_ms_min = INT64_MAX;
    std::int64_t silent_ms_max = 0;
    std::int64_t silent_after_ms_min = INT64_MAX;
    std::int64_t silent_after_ms_max = 0;
  };

  SlowPeers(std::uint16_t port, std::size_t count);
  ~SlowPeers();
  SlowPeers(const SlowPeers&) = delete;
  SlowPeers& operator=(const SlowPeers&) = delete;

  /// Goes on for about so long; opens what is not open, at most `opens_max` a turn.
  proto::Result<> run_for(std::chrono::milliseconds time, std::size_t opens_max);
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Peer {
    int fd = -1;
    Clock::time_point since{};
    Clock::time_point last_byte{};
    std::size_t trickled = 0;  // bytes
  };

  [[nodiscard]] Way way_of(std::size_t index) const;
  proto::Result<> connect(std::size_t index);
  void serve(std::size_t index);
  void trickle(std::size_t index, Clock::time_point now);
  void lose(std::size_t index);

  std::uint16_t port_;
  int poll_ = -1;
  std::vector<Peer> peers_;
  std::deque<std::size_t> to_open_;
  std::size_t open_ = 0;
  std::size_t trickled_ = 0;  // the next that is looked at
  std::string greeting_;
  std::string requests_;
  Counts counts_;
};

}  // namespace weir::hostile
