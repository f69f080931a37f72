#include "broker/cli/command.hpp"
#include "broker/cli/output.hpp"

#include <chrono>
#include <cstdio>

namespace weir::cli {
namespace {

ExitCode check_health(const Connection& connection) {
  const auto begin = std::chrono::steady_clock::now();
  // Connecting ends with the broker's answer to the greeting, so it proves more than an open port.
  const Result<Client> client = connection.connect();
  if (!client) {
    Error error = client.error();
    if (error.code == ErrorCode::kDeadlineExceeded) {
      error.code = ErrorCode::kConnectFailed;
    }
    return report(error, connection.url);
  }
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
  char text[64];
  static_cast<void>(std::snprintf(text, sizeof text, "ok %.1f ms\n", taken.count()));
  return print(text);
}

}  // namespace

void add_health(CLI::App& parent, CommandLine& line) {
  CLI::App& command = *parent.add_subcommand("health", "Ask the broker for a sign of life");
  command.footer(R"(
Connects, greets, and prints `ok` with the milliseconds that took. Exit 0, or 3 when no broker
answers.

Example:
  until weir health; do sleep 0.1; done)");
  command.callback([&line] { line.action = [&line] { return check_health(line.connection); }; });
}

}  // namespace weir::cli
