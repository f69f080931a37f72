#include "tests/faults/clock_jumps.hpp"
#include "tests/faults/damage.hpp"
#include "tests/faults/disk_full.hpp"
#include "tests/faults/memory_limit.hpp"
#include "tests/faults/shim_handle.hpp"
#include "tests/faults/stall.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

// weir-faults: what the shipped broker does when the machine under it fails.
namespace {

constexpr int kGood = 0;
constexpr int kBad = 1;
constexpr int kUsage = 2;

constexpr std::string_view kHelp =
    "usage: weir-faults disk-full --broker PATH --dir DIR [--cycles N] [--disk-mib N] [--seed S]\n"
    "       weir-faults damage --broker PATH --dir DIR [--count N] [--seed S]\n"
    "       weir-faults stop --broker PATH --dir DIR [--seconds N]\n"
    "       weir-faults hang --broker PATH --dir DIR [--seconds N]\n"
    "       weir-faults clock --broker PATH --dir DIR\n"
    "       weir-faults memory --broker PATH --dir DIR [--limit-mib N] [--backlog-mib N]\n"
    "                          [--enforced 0|1]\n"
    "\n"
    "Works in DIR, without what a run before left there. See tests/faults/README.md.\n";

using Flags = std::map<std::string, std::string, std::less<>>;

/// The number of a flag; nullopt when it is none.
std::optional<std::uint64_t> number(const Flags& flags, std::string_view name,
                                    std::uint64_t otherwise) {
  const auto found = flags.find(name);
  if (found == flags.end()) {
    return otherwise;
  }
  std::uint64_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

void print(std::string_view what, std::uint64_t count) {
  std::printf("%-28.*s %llu\n", static_cast<int>(what.size()), what.data(),
              static_cast<unsigned long long>(count));
}

int finish(bool is_good, const std::vector<std::string>& complaints) {
  for (const std::string& complaint : complaints) {
    std::printf("COMPLAINT %s\n", complaint.c_str());
  }
  std::printf("%s\n", is_good ? "PASSED" : "FAILED");
  return is_good ? kGood : kBad;
}

int run_disk_full(const Flags& flags) {
  weir::faults::DiskFullOptions options;
  const auto cycles = number(flags, "--cycles", options.cycles);
  const auto mib = number(flags, "--disk-mib", options.disk_bytes >> 20U);
  const auto seed = number(flags, "--seed", options.seed);
  if (!cycles || !mib || !seed) {
    return kUsage;
  }
  options.broker = flags.at("--broker");
  options.dir = flags.at("--dir");
  options.cycles = static_cast<std::uint32_t>(*cycles);
  options.disk_bytes = *mib << 20U;
  options.seed = *seed;
  weir::faults::DiskFullRun run(options);
  const weir::faults::DiskFullReport report = run.run();
  std::printf("%-28s %s\n", "disk", report.disk.c_str());
  print("cycles", report.cycles);
  print("drained_by_the_ballast", report.drained);
  print("deaths_of_enospc", report.deaths);
  print("starts_refused", report.refused_starts);
  print("acknowledged", report.queue.acknowledged);
  print("deliveries", report.queue.deliveries);
  print("redelivered", report.queue.redelivered);
  print("acks_confirmed", report.queue.settled);
  print("violations", report.queue.violations() + report.topic.violations());
  print("slowest_resume_ms", static_cast<std::uint64_t>(report.slowest_resume_ms));
  print("time_ms", static_cast<std::uint64_t>(report.took_ms));
  return finish(report.is_good() && report.cycles == options.cycles, report.complaints);
}

int run_damage(const Flags& flags) {
  weir::faults::DamageOptions options;
  const auto count = number(flags, "--count", options.count);
  const auto seed = number(flags, "--seed", options.seed);
  if (!count || !seed) {
    return kUsage;
  }
  options.broker = flags.at("--broker");
  options.dir = flags.at("--dir");
  options.count = static_cast<std::uint32_t>(*count);
  options.seed = *seed;
  weir::faults::DamageRun run(options);
  const weir::faults::DamageReport report = run.run();
  print("damages", report.flips + report.truncations + report.removals);
  print("flips", report.flips);
  print("truncations", report.truncations);
  print("removals", report.removals);
  print("restored_after_refusal", report.restored);
  print("time_ms", static_cast<std::uint64_t>(report.took_ms));
  for (const auto& [kind, outcomes] : report.by_file) {
    print(kind + "_harmless", outcomes.harmless);
    print(kind + "_refused", outcomes.refused);
    print(kind + "_reader_told", outcomes.told);
    print(kind + "_broker_ended", outcomes.ended);
    print(kind + "_newest_lost", outcomes.tails);
  }
  for (const auto& [message, times] : report.messages) {
    std::printf("MESSAGE %u x %s\n", times, message.c_str());
  }
  return finish(report.complaints.empty(), report.complaints);
}

int finish(const weir::proto::Result<>& result) {
  return finish(static_cast<bool>(result),
                result ? std::vector<std::string>() : std::vector{result.error().to_string()});
}

int run_stall(const Flags& flags, weir::faults::StallKind kind) {
  weir::faults::StallOptions options;
  const auto seconds = number(flags, "--seconds", options.seconds);
  if (!seconds) {
    return kUsage;
  }
  options.broker = flags.at("--broker");
  options.dir = flags.at("--dir");
  options.kind = kind;
  options.seconds = static_cast<std::uint32_t>(*seconds);
  auto shim = weir::faults::ShimHandle::make(WEIR_FAULTS_SHIM, options.dir);
  if (!shim) {
    return finish(shim.error());
  }
  weir::faults::StallRun run(options, *shim);
  const weir::proto::Result<> done = run.run();
  print("stalls", 1);
  print("stalled_seconds", options.seconds);
  print("largest_growth_bytes", run.grown_bytes());
  return finish(done);
}

int run_stop(const Flags& flags) {
  return run_stall(flags, weir::faults::StallKind::kProcess);
}

int run_hang(const Flags& flags) {
  return run_stall(flags, weir::faults::StallKind::kSync);
}

int run_clock(const Flags& flags) {
  auto shim = weir::faults::ShimHandle::make(WEIR_FAULTS_SHIM, flags.at("--dir"));
  if (!shim) {
    return finish(shim.error());
  }
  weir::faults::ClockRun run(flags.at("--broker"), flags.at("--dir"), *shim);
  const weir::proto::Result<> done = run.run();
  print("clock_jumps", run.jumps());
  return finish(done);
}

int run_memory(const Flags& flags) {
  weir::faults::MemoryOptions options;
  const auto limit = number(flags, "--limit-mib", options.limit_bytes >> 20U);
  const auto backlog = number(flags, "--backlog-mib", options.backlog_bytes >> 20U);
  const auto enforced = number(flags, "--enforced", 1);
  if (!limit || !backlog || !enforced) {
    return kUsage;
  }
  options.broker = flags.at("--broker");
  options.dir = flags.at("--dir");
  options.limit_bytes = *limit << 20U;
  options.backlog_bytes = *backlog << 20U;
  options.is_enforced = *enforced != 0;
  weir::faults::MemoryRun run(options);
  const weir::proto::Result<> done = run.run();
  print("runs", 1);
  print("largest_waiting", run.waiting());
  print("largest_in_flight", run.in_flight());
  print("largest_resident_bytes", run.resident_bytes());
  print("largest_group_bytes", run.group_bytes());
  return finish(done);
}

struct Command {
  std::string_view name;
  int (*run)(const Flags& flags);
};

constexpr std::array kCommands = {
    Command{"disk-full", run_disk_full}, Command{"damage", run_damage},
    Command{"stop", run_stop},           Command{"hang", run_hang},
    Command{"clock", run_clock},         Command{"memory", run_memory}};

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  for (int i = 2; i + 1 < argc; i += 2) {
    flags[argv[i]] = argv[i + 1];
  }
  int status = kUsage;
  if (argc % 2 == 0 && flags.contains("--broker") && flags.contains("--dir")) {
    std::error_code error;
    std::filesystem::remove_all(flags["--dir"], error);
    std::filesystem::create_directories(flags["--dir"], error);
    for (const Command& command : kCommands) {
      if (!error && command.name == argv[1]) {
        status = command.run(flags);
      }
    }
  }
  if (status == kUsage) {
    std::fputs(kHelp.data(), stderr);
  }
  return status;
}
