#include "broker/server/serve.hpp"

#include "broker/server/broker.hpp"
#include "broker/server/config.hpp"
#include "broker/server/config_file.hpp"
#include "broker/server/exit_status.hpp"
#include "broker/server/logging.hpp"
#include "broker/server/settings.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

namespace weir::server {
namespace {

int say_bad_usage(const proto::Error& error) {
  std::fprintf(stderr, "weir serve: %s\n", error.message.c_str());
  return kExitBadUsage;
}

// What the command line says, and the path of the file that it names.
struct Flags {
  std::string config_file;
  bool check = false;
  bool print = false;
  Values values;
};

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config_file, "TOML file with settings");
  app.add_flag("--check-config", flags.check,
               "Only say whether the settings are good (exit code 0, or 2 and why not)");
  app.add_flag("--print-config", flags.print,
               "Only print the settings that would be in force, as a file for --config");
  for (const Setting& setting : settings()) {
    const std::string key(setting.key);
    const std::string help(setting.help);
    if (setting.kind == Setting::Kind::kSwitch) {
      app.add_flag_callback(flag_name(key), [&flags, key] { flags.values[key] = "true"; }, help);
    } else {
      app.add_option_function<std::string>(
          flag_name(key), [&flags, key](const std::string& value) { flags.values[key] = value; },
          help);
    }
  }
}

// Defaults, then the file, then the environment, then flags.
proto::Result<Config> gather(const Flags& flags) {
  std::vector<Values> sources;
  if (!flags.config_file.empty()) {
    proto::Result<Values> file = read_config_file(flags.config_file);
    if (!file) {
      return file.error();
    }
    sources.push_back(std::move(*file));
  }
  sources.push_back(read_environment([](const char* name) {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before the first thread
  }));
  sources.push_back(flags.values);
  return make_config(sources);
}

int run(Config config, Broker::Gather gather_again, const std::string& config_file) {
  start_logging(config.log_level, config.log_format);
  Broker broker(std::move(config), std::move(gather_again), config_file);
  proto::Result<> done = broker.open();
  if (done) {
    done = broker.run();
  }
  if (!done) {
    spdlog::error("the broker does not start: {}", done.error().message);
    flush_log();
    return kExitRefused;
  }
  return kExitDone;
}

}  // namespace

std::vector<std::string> serve_flags() {
  std::vector<std::string> flags = {"--config", "--check-config", "--print-config", "--help"};
  for (const Setting& setting : settings()) {
    flags.push_back(flag_name(setting.key));
  }
  return flags;
}

int serve_main(const std::vector<std::string>& args) {
  CLI::App app(
      "Runs a broker. Settings come from defaults, the file of --config, the environment "
      "(WEIR_DATA_DIR …) and flags; the later one wins. SIGTERM stops it, SIGHUP makes it read its "
      "settings anew.",
      "weir serve");
  Flags flags;
  declare(app, flags);
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 wants them
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitBadUsage;
  }
  proto::Result<Config> config = gather(flags);
  if (!config) {
    return say_bad_usage(config.error());
  }
  if (flags.check) {
    std::puts("the settings are good");
  }
  if (flags.print) {
    std::fputs(to_config_file(*config).c_str(), stdout);
  }
  if (flags.check || flags.print) {
    return kExitDone;
  }
  return run(std::move(*config), [&flags] { return gather(flags); }, flags.config_file);
}

}  // namespace weir::server
