#include "tests/power/campaign.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

namespace weir::power {
namespace {

constexpr std::size_t kJournalBytes = std::size_t{256} << 20;
constexpr std::size_t kRunsJudgedTogether = 16;
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
  std::vector<std::string> failed_names;
  std::string death;
  std::uint32_t failed_file = 0;
  bool has_failed_wal_sync = false;
  for (const Entry& entry : entries) {
    if (entry.step == Step::kFault) {
      fault = std::string(entry.bytes);
      failed_names.push_back(fault.substr(fault.find_last_of("/ ") + 1));
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
  // Who has to repair it learns which file it was. Where all calls fail, each is as good.
  const auto is_named = [&death](const std::string& name) {
    return death.find(name.substr(0, name.rfind('.'))) != std::string::npos;
  };
  // Of a file that it cannot open RocksDB may say no more than which database it belongs to.
  const bool names_database =
      fault.starts_with("open data/db/") && death.find("/data/db'") != std::string::npos;
  if (!names_database && std::ranges::none_of(failed_names, is_named)) {
    return "its last words do not name '" + fault + "': " + death;
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
  std::vector<std::unique_ptr<Journal>> journals;
  for (std::size_t i = 0; i < kRunsJudgedTogether; ++i) {
    journals.push_back(std::make_unique<Journal>(kJournalBytes));
  }
  sim::Rng rng(seed);
  bool is_clean = true;
  bool is_untouched = false;
  for (std::uint64_t n = 1 + rng.below(every); !is_untouched;) {
    std::vector<Played> played;
    for (; played.size() < journals.size() && !is_untouched; n += every) {
      Journal& journal = *journals[played.size()];
      const Fault fault = {
          .n = n, .calls = kind.calls, .error = kind.error, .for_good = kind.for_good};
      const int code = play(scenario, seed, place, journal, fault);
      const std::vector<Entry> entries = journal.read();
      const auto hit = std::ranges::find(entries, Step::kFault, &Entry::step);
      is_untouched = hit == entries.end();
      const std::string name = std::string(scenario.name) + ", " + std::string(kind.name) +
                               " at call " + std::to_string(n) +
                               (is_untouched ? "" : " (" + std::string(hit->bytes) + ")");
      const std::string wrong =
          is_untouched && code != 0 ? "it does not pass untouched" : look_at(entries, code);
      if (!wrong.empty()) {
        ++totals.violations;
        is_clean = false;
        std::fprintf(stderr, "weir-power: %s: %s\n", name.c_str(), wrong.c_str());
      }
      if (is_untouched) {
        break;
      }
      ++totals.errors;
      ++(code == Script::kDied         ? totals.deaths
         : code == Script::kNotStarted ? totals.refused
                                       : totals.survived);
      // Only the process has ended, or the machine with it.
      played.push_back({.name = name,
                        .journal = &journal,
                        .cuts = {{.position = entries.size(), .loss = Loss::kNone, .seed = 1},
                                 {.position = entries.size(),
                                  .loss = static_cast<Loss>(1 + rng.below(kLosses - 1)),
                                  .seed = rng.next()}}});
    }
    Totals of_images;
    is_clean = judge_cuts(played, 0, place, of_images) && is_clean;
    totals.violations += of_images.violations;
  }
  return is_clean;
}

}  // namespace weir::power
