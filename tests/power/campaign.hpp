#pragma once

#include "tests/power/disk_model.hpp"
#include "tests/power/disk_tap.hpp"
#include "tests/power/scenarios.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::power {

/// What all processes of a campaign count together. Lies in shared memory.
struct Totals {
  std::atomic<std::uint64_t> points{0};    // images judged
  std::atomic<std::uint64_t> same{0};      // images that had been judged with the same words
  std::atomic<std::uint64_t> nested{0};    // of the points: cuts of a start after a power loss
  std::atomic<std::uint64_t> errors{0};    // calls made to fail
  std::atomic<std::uint64_t> deaths{0};    // of these: the broker could not go on, and said so
  std::atomic<std::uint64_t> refused{0};   // of these: it did not start, and said so
  std::atomic<std::uint64_t> survived{0};  // of these: it went on
  std::atomic<std::uint64_t> violations{0};
};

struct Place {
  std::string dir;   // a folder of this process's own
  std::string keep;  // where images that break a promise are kept
};

/// Where the power goes: behind so many entries of the journal.
struct Cut {
  std::size_t position = 0;
  Loss loss = Loss::kAll;
  std::uint64_t seed = 0;
};

/// Plays a scenario in a process of its own. Its exit code, or -1 when a signal ended it.
int play(const Scenario& scenario, std::uint64_t seed, const Place& place, Journal& journal,
         const std::optional<Fault>& fault);

/// A story that was played, and where its power goes.
struct Played {
  std::string name;
  const Journal* journal = nullptr;
  std::vector<Cut> cuts;
};

/// Judges each cut, all in one process of its own as long as nothing is wrong, and one in
/// `nested_every` of the starts cut once more (0: none). False, and a report on stderr, when a
/// promise is broken; the cuts behind it in its story are left out.
bool judge_cuts(const std::vector<Played>& played, std::uint32_t nested_every, const Place& place,
                Totals& totals);

/// Every `every`-th boundary of a scenario, with `losses` drawn ways of losing each.
bool sweep_boundaries(const Scenario& scenario, std::uint64_t seed, std::size_t every,
                      std::size_t losses, const Place& place, Totals& totals);

/// Cuts of one scenario drawn from `seed`.
bool random_points(std::uint64_t seed, std::size_t points, const Place& place, Totals& totals);

/// Lets every `every`-th call of the scenario fail in this way, one run each, until it passes
/// untouched, and judges what the broker left.
struct ErrorKind {
  std::string_view name;
  int error = 0;  // 0: a short write
  std::uint32_t calls = kEveryCall;
  bool for_good = false;
};
[[nodiscard]] const std::vector<ErrorKind>& error_kinds();
bool sweep_errors(const Scenario& scenario, const ErrorKind& kind, std::uint64_t seed,
                  std::size_t every, const Place& place, Totals& totals);

}  // namespace weir::power
