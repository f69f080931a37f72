#pragma once

#include <cstdint>

namespace weir::sim {

/// SplitMix64 with the few draws that a simulation needs. The same seed gives the same numbers with
/// every compiler and library, which the standard distributions do not promise.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// In [0, bound); 0 for a bound of 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  /// In [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool per_mille(std::uint32_t chance) { return below(1000) < chance; }
  /// Small values often, values near `most` seldom; in [0, most].
  std::int64_t skewed(std::int64_t most) {
    const auto limit = static_cast<std::uint64_t>(most) + 1;
    return static_cast<std::int64_t>(below(below(limit) + 1));
  }
  template <class List>
  auto& pick(List& list) {
    return list[below(list.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace weir::sim
