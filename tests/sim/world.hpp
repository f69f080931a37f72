#pragma once

#include "tests/sim/report.hpp"
#include "tests/sim/rng.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// Virtual time and everything that happens in it: events run one at a time, in the order of their
/// time and, at the same time, of their scheduling. Also what a run leaves behind: counts, a digest
/// of all that was said, the first violation.
class World {
 public:
  World(std::uint64_t seed, bool trace) : rng_(seed), trace_(trace) {}

  [[nodiscard]] std::int64_t now_us() const { return now_us_; }
  Rng& rng() { return rng_; }
  Report& report() { return report_; }

  void after(std::int64_t delay_us, std::function<void()> event);
  /// Runs the next event; false when there is none or a violation was found.
  bool run_one();

  /// Folds something that the broker said into the digest.
  void fold(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3U; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }

  /// The first one counts; the run ends with it.
  void violate(std::string what);
  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }

  [[nodiscard]] bool traces() const { return trace_; }
  void trace(std::string_view line) const;

 private:
  struct Event {
    std::int64_t time = 0;
    std::uint64_t sequence = 0;
    std::function<void()> run;
  };
  static bool later(const Event& a, const Event& b);

  Rng rng_;
  bool trace_;
  Report report_;
  std::int64_t now_us_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t digest_ = 0xcbf29ce484222325U;
  std::vector<Event> events_;  // a heap, earliest first
  std::optional<std::string> violation_;
};

}  // namespace weir::sim
