#include "broker/server/own_command.hpp"

#include "broker/server/exit_status.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

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

proto::Result<> check_signals() {
  return stop_signals == 0 ? proto::Result<>()
                           : proto::fail(proto::Errc::kCancelled, "interrupted before it was done");
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

}  // namespace

int run_own_command(
    CLI::App& app, const std::vector<std::string>& args,
    const std::function<proto::Result<StoredFacts>(const MayGoOn& may_go_on)>& work) {
  std::string output = "table";
  app.add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // as CLI11 wants them
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return say(std::string(error.what()) + " (see: " + app.get_name() + " --help)", kExitBadUsage);
  }
  const proto::Result<StoredFacts> facts = [&work] {
    const StopSignals signals;
    return work(check_signals);
  }();
  if (!facts) {
    return say(facts.error().to_string(), kExitRefused);
  }
  const std::string text = output == "json" ? facts_json(*facts) : facts_table(*facts);
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return say("cannot write the output", kExitRefused);
  }
  return kExitDone;
}

}  // namespace weir::server
