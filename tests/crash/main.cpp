#include "tests/crash/kill_run.hpp"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

// weir-crash: kills the real broker under load and tells what became of each message.
namespace {

constexpr int kGood = 0;
constexpr int kBad = 1;
constexpr int kUsage = 2;

constexpr std::string_view kHelp =
    "usage: weir-crash --broker PATH --dir DIR --kills N [--sends N] [--stall-ms N] [--seed S]\n"
    "\n"
    "Starts the broker of PATH on DIR (without what a run before left there), kills it N times:\n"
    "under load, while it starts, recovers or shuts down. Checks that nothing acknowledged is "
    "lost\n"
    "and nothing is doubled.\n"
    "  --sends N     sends acknowledged between two kills, on average (default 5500)\n"
    "  --stall-ms N  how long it is stopped at the most, in one of ten lives (default 60000)\n"
    "  --seed S      of all choices (default 1)\n";

template <class Number>
bool parse(std::string_view text, Number& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<weir::crash::KillOptions> parse_arguments(int argc, char** argv) {
  weir::crash::KillOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const std::string_view value = argv[i + 1];
    bool good = true;
    if (flag == "--broker") {
      options.broker = value;
    } else if (flag == "--dir") {
      options.dir = value;
    } else if (flag == "--kills") {
      good = parse(value, options.kills);
    } else if (flag == "--sends") {
      good = parse(value, options.sends_per_kill);
    } else if (flag == "--stall-ms") {
      good = parse(value, options.max_stall_ms);
    } else if (flag == "--seed") {
      good = parse(value, options.seed);
    } else {
      good = false;
    }
    if (!good) {
      return std::nullopt;
    }
  }
  if (argc % 2 == 0 || options.broker.empty() || options.dir.empty()) {
    return std::nullopt;
  }
  return options;
}

void print(std::string_view what, std::uint64_t count) {
  std::printf("%-28.*s %llu\n", static_cast<int>(what.size()), what.data(),
              static_cast<unsigned long long>(count));
}

void print(const weir::crash::KillReport& report) {
  print("kills", report.kills.all());
  print("kills_under_load", report.kills.serving);
  print("kills_at_startup", report.kills.startup);
  print("kills_in_recovery", report.kills.recovery);
  print("kills_just_started", report.kills.started);
  print("kills_in_shutdown", report.kills.shutdown);
  print("ended_in_order", report.shutdowns);
  print("stalls", report.stalls);
  print("stalled_ms", static_cast<std::uint64_t>(report.stalled_ms));
  print("unanswered_sends_min", report.least_sends);
  print("unanswered_batches_min", report.least_batches);
  print("unanswered_deliveries_min", report.least_deliveries);
  print("acknowledged", report.queues.acknowledged + report.topic.acknowledged);
  print("acknowledged_queues", report.queues.acknowledged);
  print("acknowledged_topic", report.topic.acknowledged);
  print("cut_off_by_kills", report.unanswered_sends);
  print("unknown", report.queues.unknown + report.topic.unknown);
  print("recognised_repeats", report.duplicates);
  print("deliveries", report.queues.deliveries);
  print("redelivered", report.queues.redelivered);
  print("acks_confirmed", report.queues.settled);
  print("acks_unknown", report.queues.acks_unknown);
  print("settled_too_late", report.expired);
  print("doubled", report.queues.doubled + report.topic.doubled);
  print("overwritten", report.queues.overwritten + report.topic.overwritten);
  print("lost", report.queues.lost + report.topic.lost);
  print("acks_came_back", report.queues.came_back);
  print("attempts_fell", report.queues.attempts_fell);
  print("attempts_rose", report.queues.attempts_rose);
  print("damaged", report.queues.damaged + report.topic.damaged);
  print("slowest_restart_ms", static_cast<std::uint64_t>(report.slowest_start_ms));
  print("time_ms", static_cast<std::uint64_t>(report.took_ms));
  for (const std::string& complaint : report.complaints) {
    std::printf("COMPLAINT %s\n", complaint.c_str());
  }
  std::printf("%s\n", report.is_good() ? "PASSED" : "FAILED");
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_arguments(argc, argv);
  if (!options) {
    std::fputs(kHelp.data(), stderr);
    return kUsage;
  }
  std::error_code error;
  for (const char* left : {"data", "broker.log", "ready"}) {
    std::filesystem::remove_all(options->dir / left, error);
  }
  std::filesystem::create_directories(options->dir, error);
  if (error) {
    std::fprintf(stderr, "weir-crash: cannot make %s\n", options->dir.c_str());
    return kBad;
  }
  weir::crash::KillRun run(*options);
  const weir::crash::KillReport report = run.run();
  print(report);
  return report.is_good() && report.kills.all() >= options->kills ? kGood : kBad;
}
