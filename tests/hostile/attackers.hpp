#pragma once

#include "proto/frame/frame_reader.hpp"
#include "proto/result.hpp"
#include "tests/crash/random.hpp"
#include "tests/hostile/hostile_frames.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::hostile {

/// Many connections at a time that each say what no client of good will says, until the broker
/// closes them; then others take their place. One thread.
class Attackers {
 public:
  struct Counts {
    std::uint64_t connections = 0;
    std::uint64_t before_hello = 0;  // frames in place of Hello
    std::uint64_t refused = 0;       // frames for which the connection went on
    std::uint64_t mutated = 0;
    std::uint64_t fatal = 0;     // behind Hello
    std::uint64_t dribbled = 0;  // connections that sent a byte at a time

    /// That the broker had to judge: the last of a connection once, what lies behind it not.
    [[nodiscard]] std::uint64_t frames() const { return before_hello + refused + mutated + fatal; }
  };

  Attackers(std::uint16_t port, std::uint64_t seed, std::size_t at_a_time);
  ~Attackers();
  Attackers(const Attackers&) = delete;
  Attackers& operator=(const Attackers&) = delete;

  /// Goes on for about so long. INTERNAL when the broker does what it must not: refuses a
  /// connection, or leaves one open that it should close.
  proto::Result<> run_for(std::chrono::milliseconds time);
  /// Ends all connections.
  void leave();
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase : std::uint8_t { kGreeting, kShooting };
  struct Peer {
    int fd = -1;
    Phase phase = Phase::kGreeting;
    bool dribbles = false;
    Clock::time_point since;
    std::string out;
    std::size_t written = 0;
    proto::FrameReader reader{std::size_t{16} << 20};
    std::size_t answers = 0;
    Standing standing;
    Counts said;  // counted when the broker has closed
  };

  proto::Result<> connect(Peer& peer);
  void greet(Peer& peer);
  proto::Result<> serve(Peer& peer, short events);
  bool write(Peer& peer);
  bool read(Peer& peer);
  void hear(Peer& peer, const proto::RawFrame& frame);
  void aim(Peer& peer);
  void end_with_junk_or_dribble(Peer& peer);
  void count(const Counts& said);

  std::uint16_t port_;
  crash::Random random_;
  HostileFrames frames_;
  std::vector<Peer> peers_;
  Counts counts_;
};

}  // namespace weir::hostile
