#include "broker/server/own_command.hpp"

#include "broker/server/exit_status.hpp"
#include "broker/terminal/progress.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::server {
namespace {

volatile std::sig_atomic_t stop_signals = 0;

void note_signal(int /*signal*/) {
  if (stop_signals != 0) {
    std::_Exit(kExitRefused);
  }
  stop_signals = 1;
}

int say(std::string line, int status) {
  std::ranges::replace(line, '\n', ' ');
  std::fprintf(stderr, "weir: %s\n", line.c_str());
  return status;
}

// Catches what is to stop the work while it lives.
class StopSignals {
 public:
  StopSignals() {
    stop_signals = 0;
    std::signal(SIGINT, note_signal);
    std::signal(SIGTERM, note_signal);
  }
  ~StopSignals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

// The bar has gone when it returns.
proto::Result<StoredFacts> do_watched(const StoredWork& work,
                                      std::optional<terminal::Screen> screen) {
  const StopSignals signals;
  terminal::ProgressBar bar(std::move(screen));
  const WorkWatch watch{
      .may_go_on = [&bar]() -> proto::Result<> {
        if (stop_signals == 0) {
          return {};
        }
        return proto::fail(proto::Errc::kCancelled,
                           "interrupted after " + bar.so_far() + ", before it was done");
      },
      .begin = [&bar](std::string_view what, std::uint64_t bytes) { bar.begin(what, bytes); },
      .advance = [&bar](std::uint64_t bytes) { bar.advance(bytes); }};
  return work(watch);
}

}  // namespace

int run_own_command(CLI::App& app, const std::vector<std::string>& args, const StoredWork& work) {
  std::string output = "table";
  app.add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  bool is_quiet = false;
  app.add_flag("--no-progress", is_quiet, "Show no progress on a terminal");
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // as CLI11 wants them
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return say(std::string(error.what()) + " (see: " + app.get_name() + " --help)", kExitBadUsage);
  }
  const bool is_json = output == "json";
  const proto::Result<StoredFacts> facts =
      do_watched(work, is_json || is_quiet ? std::nullopt : terminal::standard_screen());
  if (!facts) {
    return say(facts.error().to_string(), kExitRefused);
  }
  const std::string text = is_json ? facts_json(*facts) : facts_table(*facts);
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return say("cannot write the output", kExitRefused);
  }
  return kExitDone;
}

}  // namespace weir::server
