#include "tests/sim/shrink.hpp"

#include <optional>
#include <utility>

namespace weir::sim {
namespace {

/// A change of the options changes the course of all that follows, so a smaller run gets this many
/// courses in which to fail.
constexpr std::uint32_t kSalts = 6;

class Shrinker {
 public:
  Shrinker(std::uint64_t seed, const Options& options, const Violation& violation,
           std::uint32_t max_runs, const std::function<void(const std::string&)>& tell)
      : seed_(seed),
        kind_(kind_of(violation)),
        max_runs_(max_runs),
        tell_(tell),
        best_{options, violation, 0} {}

  Shrunk run() {
    for (bool helped = true; helped && best_.runs < max_runs_;) {
      helped = false;
      for (const OptionField& field : option_fields()) {
        helped = (field.simplest >= 0 && simplify(field)) || helped;
      }
    }
    return std::move(best_);
  }

 private:
  /// Straight to the simplest value, else half the way to it, again and again.
  bool simplify(const OptionField& field) {
    bool helped = false;
    std::int64_t aim = field.simplest;
    while (best_.runs < max_runs_) {
      const std::int64_t now = get(best_.options, field);
      if (now == aim) {
        break;
      }
      if (try_value(field, aim)) {
        helped = true;
        aim = field.simplest;
      } else {
        aim = now + (aim - now) / 2;
        // Near to where it is there is little to win.
        if (std::abs(now - aim) <= std::abs(now) / 20) {
          break;
        }
      }
    }
    return helped;
  }

  bool try_value(const OptionField& field, std::int64_t value) {
    Options smaller = best_.options;
    set(smaller, field, value);
    const std::uint32_t salt = best_.options.salt;
    for (std::uint32_t i = 0; i < kSalts && best_.runs < max_runs_; ++i) {
      smaller.salt = (salt + i) % kSalts;
      ++best_.runs;
      RunResult result = weir::sim::run(seed_, smaller, Telling::kNothing);
      if (result.violation && kind_of(*result.violation) == kind_) {
        best_.options = smaller;
        best_.violation = *std::move(result.violation);
        tell_(std::string(field.name) + "=" + std::to_string(value));
        return true;
      }
    }
    return false;
  }

  const std::uint64_t seed_;
  const std::string kind_;
  const std::uint32_t max_runs_;
  const std::function<void(const std::string&)>& tell_;
  Shrunk best_;
};

}  // namespace

Shrunk shrink(std::uint64_t seed, const Options& options, const Violation& violation,
              std::uint32_t max_runs, const std::function<void(const std::string&)>& tell) {
  return Shrinker(seed, options, violation, max_runs, tell).run();
}

std::string command_of(std::uint64_t seed, std::uint32_t mean_steps, const Options& options) {
  std::string text =
      "weir-sim --seed " + std::to_string(seed) + " --steps " + std::to_string(mean_steps);
  const Options drawn = options_of({seed, mean_steps, {}}).value();
  for (const OptionField& field : option_fields()) {
    if (get(options, field) != get(drawn, field)) {
      text += " --set " + std::string(field.name) + "=" + std::to_string(get(options, field));
    }
  }
  return text;
}

}  // namespace weir::sim
