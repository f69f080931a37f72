#pragma once

#include "client/session/engine.hpp"
#include "tests/sim/machine.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace weir::sim {

class Cable;
class Reception;
class SimLink;

/// What a client of the library shows for a clock. A base, so that it is there before the engine.
struct Hand {
  sdk::TimePoint time;
};

/// The library's engine in virtual time: turns are events, the link is a cable, and the process has
/// a clock of its own that runs a little faster or slower and can be made to stand still. The
/// simulation's one thread is its I/O thread.
class SimEngine final : private Hand, public sdk::Engine {
 public:
  static std::shared_ptr<SimEngine> start(Stage& stage, Reception& reception,
                                          ClientOptions options);
  ~SimEngine() override;

  /// To be called before anything is asked of the library: its clock shows the time.
  void look();
  /// The process gets no processor for so long: it neither reads nor writes nor sees time pass.
  void stand_still(std::int64_t us);
  void go_on() { still_until_us_ = 0; }
  [[nodiscard]] bool stands_still() const { return stage_.world.now_us() < still_until_us_; }
  /// The process ends without a word.
  void die();
  /// Closed, or dead.
  [[nodiscard]] bool is_over() const { return is_over_; }
  /// The connection of now, if there is one.
  [[nodiscard]] std::shared_ptr<Cable> cable() const;

 private:
  friend class SimLink;

  SimEngine(Stage& stage, Reception& reception, ClientOptions options);
  void wake() override;
  void join() override {}
  void plan(std::int64_t delay_us);
  void turn();
  void end();

  Stage& stage_;
  Reception& reception_;
  const std::int64_t rate_ppm_;  // of its clock
  SimLink* link_ = nullptr;      // the session's
  std::optional<std::int64_t> planned_us_;
  std::int64_t still_until_us_ = 0;
  bool is_over_ = false;
};

}  // namespace weir::sim
