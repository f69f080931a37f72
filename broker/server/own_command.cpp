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

}  // namespace

int run_own_command(CLI::App& app, const std::vector<std::string>& args,
                    const std::function<proto::Result<std::string>()>& work) {
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // as CLI11 wants them
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return say(std::string(error.what()) + " (see: " + app.get_name() + " --help)", kExitBadUsage);
  }
  const proto::Result<std::string> text = work();
  if (!text) {
    return say(text.error().to_string(), kExitRefused);
  }
  if (std::fputs(text->c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return say("cannot write the output", kExitRefused);
  }
  return kExitDone;
}

StopSignals::StopSignals() {
  stop_signals = 0;
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
}

StopSignals::~StopSignals() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

proto::Result<> StopSignals::check() const {
  return stop_signals == 0 ? proto::Result<>()
                           : proto::fail(proto::Errc::kCancelled, "interrupted before it was done");
}

}  // namespace weir::server
