#include "tests/power/campaign.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace weir::power {
namespace {

constexpr std::size_t kJournalBytes = std::size_t{256} << 20;
constexpr std::uint32_t kNeedsSpace =
    static_cast<std::uint32_t>(Call::kOpen) | static_cast<std::uint32_t>(Call::kWrite) |
    static_cast<std::uint32_t>(Call::kSync) | static_cast<std::uint32_t>(Call::kRename) |
    static_cast<std::uint32_t>(Call::kAllocate) | static_cast<std::uint32_t>(Call::kMakeFolder);
constexpr std::uint32_t kInterruptible =
    static_cast<std::uint32_t>(Call::kOpen) | static_cast<std::uint32_t>(Call::kWrite) |
    static_cast<std::uint32_t>(Call::kSync) | static_cast<std::uint32_t>(Call::kTruncate) |
    static_cast<std::uint32_t>(Call::kAllocate);

// What a run with a failed call shows about the broker itself; empty when all is well.
std::string look_at(const std::vector<Entry>& entries, int code) {
  std::string fault;
  std::string death;
  std::uint32_t failed_file = 0;
  bool has_failed_wal_sync = false;
  for (const Entry& entry : entries) {
    if (entry.step == Step::kFault && fault.empty()) {
      fault = std::string(entry.bytes);
    } else if (entry.step == Step::kSyncFailed) {
      failed_file = entry.file;
      has_failed_wal_sync = has_failed_wal_sync || fault.ends_with(".log");
    } else if (entry.step == Step::kSyncRepeated && entry.file == failed_file) {
      return "a second sync of " + std::string(entry.bytes) + " after a failed one";
    } else if (entry.step == Step::kCommitEnd && has_failed_wal_sync) {
      return "commit " + std::to_string(entry.at) + " was promised after the log's sync failed";
    } else if (entry.step == Step::kDeath) {
      death = std::string(entry.bytes);
    }
  }
  if (code == 0) {
    return {};
  }
  if (code != Script::kDied && code != Script::kNotStarted) {
    return "ended with " + std::to_string(code) + ": " + death;
  }
  // Who has to repair it learns which file it was.
  const std::string path = fault.substr(fault.find(' ') + 1);
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name.empty() || death.find(name) == std::string::npos) {
    return "its last words do not name '" + path + "': " + death;
  }
  return {};
}

}  // namespace

const std::vector<ErrorKind>& error_kinds() {
  static const std::vector<ErrorKind> kinds = {
      {.name = "EIO", .error = EIO},
      {.name = "EIO for good", .error = EIO, .for_good = true},
      {.name = "ENOSPC", .error = ENOSPC, .calls = kNeedsSpace},
      {.name = "ENOSPC for good", .error = ENOSPC, .calls = kNeedsSpace, .for_good = true},
      {.name = "EDQUOT", .error = EDQUOT, .calls = kNeedsSpace},
      {.name = "EINTR", .error = EINTR, .calls = kInterruptible},
      {.name = "a short write", .error = 0, .calls = static_cast<std::uint32_t>(Call::kWrite)},
  };
  return kinds;
}

bool sweep_errors(const Scenario& scenario, const ErrorKind& kind, std::uint64_t seed,
                  std::size_t every, const Place& place, Totals& totals) {
  Journal journal(kJournalBytes);
  sim::Rng rng(seed);
  const auto complain = [&](std::uint64_t n, const std::vector<Entry>& entries,
                            const std::string& what) {
    const auto fault = std::ranges::find(entries, Step::kFault, &Entry::step);
    ++totals.violations;
    std::fprintf(stderr, "weir-power: %s, %s at call %llu (%s): %s\n",
                 std::string(scenario.name).c_str(), std::string(kind.name).c_str(),
                 static_cast<unsigned long long>(n),
                 fault == entries.end() ? "none" : std::string(fault->bytes).c_str(), what.c_str());
    return false;
  };
  bool is_clean = true;
  for (std::uint64_t n = 1 + rng.below(every);; n += every) {
    const Fault fault = {
        .n = n, .calls = kind.calls, .error = kind.error, .for_good = kind.for_good};
    const int code = play(scenario, seed, place, journal, fault);
    const std::vector<Entry> entries = journal.read();
    const bool was_hit = std::ranges::find(entries, Step::kFault, &Entry::step) != entries.end();
    if (!was_hit) {
      return code == 0 ? is_clean : complain(n, entries, "it does not pass untouched");
    }
    ++totals.errors;
    ++(code == Script::kDied         ? totals.deaths
       : code == Script::kNotStarted ? totals.refused
                                     : totals.survived);
    if (const std::string wrong = look_at(entries, code); !wrong.empty()) {
      is_clean = complain(n, entries, wrong);
    }
    // Only the process has ended, or the machine with it.
    const std::vector<Cut> cuts = {
        {.position = entries.size(), .loss = Loss::kNone, .seed = rng.next()},
        {.position = entries.size(),
         .loss = static_cast<Loss>(1 + rng.below(kLosses - 1)),
         .seed = rng.next()}};
    const std::string name = std::string(scenario.name) + ", " + std::string(kind.name) +
                             " at call " + std::to_string(n);
    Totals of_images;
    if (!judge_cuts(name, seed, journal, cuts, 0, place, of_images)) {
      ++totals.violations;
      is_clean = false;
    }
  }
}

}  // namespace weir::power
