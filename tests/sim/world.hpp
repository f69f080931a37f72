#pragma once

#include "tests/sim/faults.hpp"
#include "tests/sim/report.hpp"
#include "tests/sim/rng.hpp"
#include "tests/sim/story.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// What a run tells of itself while it goes on.
enum class Telling : std::uint8_t {
  kNothing,
  kStory,       // keeps its events
  kEverything,  // and writes each to stderr at once
};

/// Virtual time and everything that happens in it: events run one at a time, in the order of their
/// time and, at the same time, of their scheduling. Also what a run leaves behind: counts, a digest
/// of all that was said, the first violation, the events.
class World {
 public:
  World(std::uint64_t seed, Telling telling) : rng_(seed), telling_(telling) {}

  [[nodiscard]] std::int64_t now_us() const { return now_us_; }
  Rng& rng() { return rng_; }
  Report& report() { return report_; }

  void after(std::int64_t delay_us, std::function<void()> event);
  /// Runs the next event; false when there is none or a violation was found.
  bool run_one();

  /// Something befalls the run, once or for a time.
  void befall(Fault fault, std::string_view what, std::int64_t lasts_us = 0);
  /// The same where nobody knows yet how long.
  void begin_fault(Fault fault, std::string_view what);
  void end_fault(Fault fault) { faults_.end(fault, now_us_); }
  /// What befell the run before is felt for so long yet.
  void keep_in_force(Fault fault, std::int64_t lasts_us) {
    faults_.last(fault, now_us_ + lasts_us);
  }
  /// An operation that was asked then has ended now.
  void ended(Op op, Outcome outcome, std::int64_t asked_us, std::uint64_t times = 1) {
    report_.coverage().record(op, outcome, faults_.since(asked_us), times);
  }

  /// Folds something that the broker said into the digest.
  void fold(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3U; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }

  /// The first one counts; the run ends with it.
  void violate(std::string what, Subject subject = {});
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }

  [[nodiscard]] bool traces() const { return telling_ != Telling::kNothing; }
  void trace(std::string_view line, Subject subject = {}) { tell(line, std::move(subject), false); }
  [[nodiscard]] const std::vector<StoryEvent>& events() const { return told_; }

 private:
  struct Event {
    std::int64_t time = 0;
    std::uint64_t sequence = 0;
    std::function<void()> run;
  };
  static bool later(const Event& a, const Event& b);
  void tell(std::string_view line, Subject subject, bool is_fault);
  void tell_fault(Fault fault, std::string_view what);

  Rng rng_;
  Telling telling_;
  Report report_;
  FaultCalendar faults_;
  std::int64_t now_us_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t digest_ = 0xcbf29ce484222325U;
  std::vector<Event> events_;  // a heap, earliest first
  std::vector<StoryEvent> told_;
  std::optional<Violation> violation_;
};

}  // namespace weir::sim
