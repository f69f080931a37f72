#include "bench/load/machine.hpp"
#include "bench/load/workload.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using weir::bench::Options;
using weir::bench::Workload;

std::string workload_help() {
  std::string help = "Workloads, run in the order given:";
  for (const Workload& workload : weir::bench::workloads()) {
    help += "\n  " + std::string(workload.name) + ": " + std::string(workload.help);
  }
  return help;
}

void declare(CLI::App& app, Options& options, std::vector<std::string>& names) {
  app.add_option("workloads", names, workload_help())->required();
  app.add_option("--broker", options.broker, "The program weir: a broker is started for each run");
  app.add_option("--url", options.url, "Measure the broker at weir://HOST:PORT instead");
  app.add_option("--http", options.http, "HOST:PORT of that broker's /metrics");
  app.add_option("--dir", options.dir, "Where data goes; must lie on a disk")
      ->capture_default_str();
  app.add_option("--broker-flag", options.broker_flags,
                 "Given to the broker as it is, e.g. --broker-flag=--max-wal-bytes=64MiB");
  app.add_option("--seconds", options.seconds, "How long a run sends")->capture_default_str();
  app.add_option("--runs", options.runs, "The median of so many is reported")
      ->capture_default_str();
  app.add_option("--payload", options.payload_bytes, "Bytes of a queue's message")
      ->capture_default_str();
  app.add_option("--max-unconfirmed", options.max_unconfirmed, "Sends under way")
      ->capture_default_str();
  app.add_option("--max-unacked", options.max_unacked, "Deliveries that are not acked")
      ->capture_default_str();
  app.add_option("--topic-bytes", options.topic_bytes, "Size of the topic that is replayed")
      ->capture_default_str();
  app.add_option("--samples", options.samples, "Single sends of each kind")->capture_default_str();
  app.add_option("--backlog", options.backlog, "Messages that are given back for later")
      ->capture_default_str();
  app.add_option("--points", options.points, "Only these points of a curve, e.g. --points 10 1000");
  app.add_flag("--json", options.json, "One JSON object a line");
}

std::string whole_command(int argc, char** argv) {
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += (i == 0 ? "" : " ") + std::string(argv[i]);
  }
  return command;
}

int run(const Options& options, const std::vector<std::string>& names, const std::string& command) {
  const weir::bench::Printer printer(options.json);
  printer.print(weir::bench::describe_machine(options.dir, command));
  for (const std::string& name : names) {
    const auto& all = weir::bench::workloads();
    const auto found = std::ranges::find(all, name, &Workload::name);
    if (found == all.end()) {
      std::fprintf(stderr, "weir-bench: there is no workload '%s'\n", name.c_str());
      return 2;
    }
    if (const weir::proto::Result<> done = found->run(options, printer); !done) {
      std::fprintf(stderr, "weir-bench: %s: %s\n", name.c_str(), done.error().message.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures a broker from outside, through the client library.", "weir-bench");
  Options options;
  std::vector<std::string> names;
  declare(app, options, names);
  CLI11_PARSE(app, argc, argv);
  if (options.broker.empty() == options.url.empty()) {
    std::fputs("weir-bench: give either --broker or --url\n", stderr);
    return 2;
  }
  if (const auto is_disk = weir::bench::check_is_disk(options.dir); !is_disk) {
    std::fprintf(stderr, "weir-bench: %s\n", is_disk.error().message.c_str());
    return 2;
  }
  return run(options, names, whole_command(argc, argv));
}
