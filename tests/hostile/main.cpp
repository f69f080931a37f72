#include "tests/crash/broker_process.hpp"
#include "tests/hostile/attackers.hpp"
#include "tests/hostile/bombs.hpp"
#include "tests/hostile/bystander.hpp"
#include "tests/hostile/http_peers.hpp"
#include "tests/hostile/process_facts.hpp"
#include "tests/hostile/report.hpp"
#include "tests/hostile/slow_peers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <system_error>
#include <vector>

// weir-hostile: what bad peers do to a real broker, and to a good client beside them.
namespace weir::hostile {
namespace {

using proto::Errc;
using proto::fail;

constexpr std::string_view kHelp =
    "usage: weir-hostile frames --broker PATH --dir DIR [--frames N] [--seed S]\n"
    "       weir-hostile slow   --broker PATH --dir DIR [--peers N] [--seconds N]\n"
    "       weir-hostile http   --broker PATH --dir DIR [--peers N] [--seconds N]\n"
    "       weir-hostile bombs  --broker PATH --dir DIR [--bombs N]\n"
    "\n"
    "Starts the broker of PATH on DIR (without what a run before left there).\n"
    "  frames   N frames (default 100000) that no client of good will sends: only their own\n"
    "           connections are closed, the broker's memory stays, a good client goes on\n"
    "  slow     N slow and silent peers (default 10000): prints how long a good client's rounds\n"
    "           take without and with them, N seconds each (default 20), and how long the broker\n"
    "           waits for those that say nothing\n"
    "  http     N connections (default 200) that misuse the HTTP port, for N seconds: health and\n"
    "           metrics are answered beside them, memory and files stay\n"
    "  bombs    N times each (default 20) what is most expensive to judge: prints how long a good\n"
    "           client beside it waits at the longest\n";

constexpr std::size_t kAttackersAtATime = 48;
constexpr std::uint64_t kGrownKibMax = std::uint64_t{192} << 10;
constexpr std::chrono::milliseconds kStep{250};
// A log tells of bad peers, but is not filled by them.
constexpr std::uint64_t kLogBytesMax = std::uint64_t{64} << 10;
constexpr std::uint64_t kLogBytesPerSecond = std::uint64_t{4} << 10;

constexpr std::array<std::string_view, 4> kModes = {"frames", "slow", "http", "bombs"};
constexpr std::size_t kSlowPeers = 10'000;
constexpr std::size_t kHttpPeers = 200;

struct Options {
  std::string mode;
  std::string broker;
  std::filesystem::path dir;
  std::uint64_t frames = 100'000;
  std::uint64_t seed = 1;
  std::optional<std::size_t> peers;
  std::uint64_t bombs = 20;
  std::int64_t seconds = 20;
};

template <class Number>
bool parse(std::string_view text, Number& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<Options> parse_arguments(int argc, char** argv) {
  Options options;
  options.mode = argc > 1 ? argv[1] : "";
  bool good = std::ranges::find(kModes, options.mode) != kModes.end() && argc % 2 == 0;
  for (int i = 2; good && i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const std::string_view value = argv[i + 1];
    if (flag == "--broker") {
      options.broker = value;
    } else if (flag == "--dir") {
      options.dir = value;
    } else if (flag == "--frames") {
      good = parse(value, options.frames);
    } else if (flag == "--seed") {
      good = parse(value, options.seed);
    } else if (flag == "--peers") {
      good = parse(value, options.peers.emplace());
    } else if (flag == "--bombs") {
      good = parse(value, options.bombs);
    } else if (flag == "--seconds") {
      good = parse(value, options.seconds);
    } else {
      good = false;
    }
  }
  good = good && !options.broker.empty() && !options.dir.empty();
  return good ? std::optional(options) : std::nullopt;
}

proto::Result<> check(const Bystander& bystander, std::uint64_t rounds_before) {
  if (bystander.has_given_up()) {
    return fail(Errc::kInternal, "the good client was disturbed");
  }
  if (bystander.rounds() == rounds_before) {
    return fail(Errc::kInternal, "the good client did not get on");
  }
  return {};
}

// ---- frames

proto::Result<> attack(const Options& options, crash::BrokerProcess& broker) {
  using Clock = std::chrono::steady_clock;
  Bystander bystander;
  if (proto::Result<> started = bystander.start(broker.port()); !started) {
    return started;
  }
  Attackers attackers(broker.port(), options.seed, kAttackersAtATime);
  const std::size_t files_before = open_files(broker.pid());
  const Clock::time_point begin = Clock::now();
  // Caches and windows fill with the first frames, whoever sends them.
  proto::Result<> done = attackers.run_for(kStep);
  const std::uint64_t kib_before = status_kib(broker.pid(), "VmRSS:");
  std::uint64_t rounds = bystander.rounds();
  Clock::time_point checked = begin;
  while (done && attackers.counts().frames() < options.frames) {
    done = attackers.run_for(kStep);
    if (done && Clock::now() - checked > std::chrono::seconds(10)) {
      done = check(bystander, rounds);
      rounds = bystander.rounds();
      checked = Clock::now();
    }
  }
  const auto took_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  attackers.leave();
  const std::size_t files_after = files_once_gone(broker.pid(), files_before, bystander);
  bystander.stop();
  const std::vector<std::int64_t> rounds_us = bystander.take_round_us();
  const std::uint64_t peak_kib = status_kib(broker.pid(), "VmHWM:");

  const Attackers::Counts& counts = attackers.counts();
  print("malformed_frames", counts.frames());
  print("in_place_of_hello", counts.before_hello);
  print("refused_for_themselves", counts.refused);
  print("mutated", counts.mutated);
  print("closed_for", counts.fatal);
  print("connections", counts.connections);
  print("byte_by_byte", counts.dribbled);
  print("frames_per_second",
        counts.frames() * 1000 / static_cast<std::uint64_t>(std::max<std::int64_t>(took_ms, 1)));
  print("bystander_rounds", bystander.rounds());
  print("bystander_p99_us", percentile(rounds_us, 99));
  print("broker_peak_kib", peak_kib);
  print("broker_grown_kib", peak_kib - std::min(peak_kib, kib_before));
  print("broker_files_left", files_after - std::min(files_after, files_before));
  if (bystander.complaint()) {
    return *bystander.complaint();
  }
  if (!done) {
    return done;
  }
  if (peak_kib > kib_before + kGrownKibMax) {
    return fail(Errc::kInternal, "the broker's memory grew beyond its bound");
  }
  if (files_after > files_before) {
    return fail(Errc::kInternal, "the broker kept connections whose peers are gone");
  }
  std::error_code error;
  const std::uintmax_t log_bytes = std::filesystem::file_size(broker.log_file(), error);
  print("broker_log_bytes", static_cast<std::uint64_t>(log_bytes));
  if (error ||
      log_bytes > kLogBytesMax + static_cast<std::uint64_t>(took_ms) * kLogBytesPerSecond / 1000) {
    return fail(Errc::kInternal, "the broker's log is filled by its peers");
  }
  return broker.stop();
}

// ---- slow

proto::Result<> stay_slow(const Options& options, crash::BrokerProcess& broker) {
  const std::chrono::seconds time(options.seconds);
  Bystander bystander;
  const auto measure = [&](SlowPeers* peers, std::vector<std::int64_t>& us) -> proto::Result<> {
    if (proto::Result<> started = bystander.start(broker.port()); !started) {
      return started;
    }
    if (peers != nullptr) {
      if (proto::Result<> run = peers->run_for(time, 20); !run) {
        return run;
      }
    } else {
      // The same work on this side, for nobody.
      SlowPeers nobody(broker.port(), 1);
      if (proto::Result<> run = nobody.run_for(time, 0); !run) {
        return run;
      }
    }
    bystander.stop();
    us = bystander.take_round_us();
    return bystander.complaint() ? proto::Result<>(*bystander.complaint()) : proto::Result<>();
  };

  std::vector<std::int64_t> without;
  std::vector<std::int64_t> with;
  if (proto::Result<> measured = measure(nullptr, without); !measured) {
    return measured;
  }
  SlowPeers peers(broker.port(), options.peers.value_or(kSlowPeers));
  while (peers.open() < options.peers.value_or(kSlowPeers) * 9 / 10) {
    if (proto::Result<> opened = peers.run_for(kStep, 500); !opened) {
      return opened;
    }
  }
  const std::uint64_t kib_before = status_kib(broker.pid(), "VmRSS:");
  if (proto::Result<> measured = measure(&peers, with); !measured) {
    return measured;
  }
  const SlowPeers::Counts& counts = peers.counts();
  print("slow_peers", static_cast<std::uint64_t>(peers.open()));
  print("opened", counts.opened);
  print("closed_by_the_broker", counts.closed);
  print("no_hello_ms_min", counts.silent_ms_min);
  print("no_hello_ms_max", counts.silent_ms_max);
  if (counts.silent_after_ms_max > 0) {
    print("no_sign_of_life_ms_min", counts.silent_after_ms_min);
    print("no_sign_of_life_ms_max", counts.silent_after_ms_max);
  }
  print("rounds_without", static_cast<std::uint64_t>(without.size()));
  print("rounds_with", static_cast<std::uint64_t>(with.size()));
  print("p50_us_without", percentile(without, 50));
  print("p50_us_with", percentile(with, 50));
  print("p99_us_without", percentile(without, 99));
  print("p99_us_with", percentile(with, 99));
  print("broker_kib", kib_before);
  if (counts.silent_ms_min < proto::kHelloTimeoutMs) {
    return fail(Errc::kInternal, "a peer had less time for Hello than it may take");
  }
  if (counts.silent_after_ms_min < proto::kDeadAfterMs) {
    return fail(Errc::kInternal, "a silent peer was taken for dead too early");
  }
  return {};
}

void raise_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

proto::Result<> run_mode(const Options& options, crash::BrokerProcess& broker) {
  if (options.mode == "frames") {
    return attack(options, broker);
  }
  if (options.mode == "slow") {
    return stay_slow(options, broker);
  }
  return options.mode == "http"
             ? misuse_http(broker, options.peers.value_or(kHttpPeers), options.seconds)
             : throw_bombs(broker, options.bombs);
}

int run(int argc, char** argv) {
  const auto options = parse_arguments(argc, argv);
  if (!options) {
    std::fputs(kHelp.data(), stderr);
    return 2;
  }
  std::error_code error;
  for (const char* left : {"data", "broker.log", "ready"}) {
    std::filesystem::remove_all(options->dir / left, error);
  }
  std::filesystem::create_directories(options->dir, error);
  raise_file_limit();
  const std::string connections = std::to_string(options->peers.value_or(kSlowPeers) + 100);
  ::setenv("WEIR_MAX_CONNECTIONS", connections.c_str(), 1);
  ::setenv("WEIR_BALLAST_BYTES", "0", 1);
  crash::BrokerProcess broker(options->broker, options->dir);
  proto::Result<> done = broker.start();
  if (done) {
    done = run_mode(*options, broker);
  }
  if (!done) {
    std::printf("COMPLAINT %s\n", done.error().message.c_str());
  }
  std::printf("%s\n", done ? "PASSED" : "FAILED");
  return done ? 0 : 1;
}

}  // namespace
}  // namespace weir::hostile

int main(int argc, char** argv) {
  return weir::hostile::run(argc, argv);
}
