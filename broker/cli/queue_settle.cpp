#include "broker/cli/command.hpp"
#include "broker/cli/gathered_calls.hpp"
#include "broker/cli/output.hpp"
#include "proto/limits.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

struct SettleArguments {
  std::vector<std::string> handles;
  std::optional<std::int64_t> delay_ms;
  std::int64_t lease_ms = 0;
  std::string failure_class = "failed";
  std::string reason;

  [[nodiscard]] milliseconds delay() const { return milliseconds(delay_ms.value_or(0)); }
};

using MakeSettlement = Settlement (*)(std::string handle, const SettleArguments& arguments);

Outcome nack_of(const SettleArguments& arguments) {
  if (arguments.failure_class == "poison") {
    return Outcome::poison(arguments.reason);
  }
  if (arguments.failure_class == "not-now") {
    return Outcome::not_now(arguments.delay(), arguments.reason);
  }
  if (arguments.failure_class == "transient") {
    return arguments.delay_ms ? Outcome::transient(arguments.delay(), arguments.reason)
                              : Outcome::transient(arguments.reason);
  }
  return arguments.delay_ms ? Outcome::nack(arguments.delay(), arguments.reason)
                            : Outcome::nack(arguments.reason);
}

ExitCode settle(const Connection& connection, const SettleArguments& arguments,
                MakeSettlement make) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  GatheredCalls<Settlement> calls(
      Client::kMaxSettlements,
      [&](const std::vector<Settlement>& settlements) { return client->settle_many(settlements); },
      [](const Settlement& settlement) { return settlement.handle(); });
  calls.set_names_items(arguments.handles.size() > 1 || arguments.handles.front() == "-");
  const auto settlement_of = [&](std::string_view handle) {
    return Result<Settlement>(make(std::string(handle), arguments));
  };
  calls.add_all(arguments.handles, settlement_of);
  return calls.finish();
}

CLI::App& add_settle(CLI::App& parent, CommandLine& line, const std::string& name,
                     const std::string& description,
                     const std::shared_ptr<SettleArguments>& arguments, MakeSettlement make) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command
      .add_option("HANDLE", arguments->handles,
                  "As `weir queue receive -f %R` prints it; `-`: one a line from standard input")
      ->required();
  command.callback([&line, arguments, make] {
    line.action = [&line, arguments, make] { return settle(line.connection, *arguments, make); };
  });
  return command;
}

}  // namespace

void add_queue_settle(CLI::App& parent, CommandLine& line) {
  add_settle(
      parent, line, "ack", "Done: forget messages that were received",
      std::make_shared<SettleArguments>(),
      [](std::string handle, const SettleArguments&) { return Settlement::ack(std::move(handle)); })
      .footer(R"(
Each message is settled for itself: one that is refused is told on the standard error, and the
others are done all the same. The exit code is that of the first refusal.

Example:
  handle=$(weir queue receive mail -f '%R')
  weir queue ack "$handle"
  weir queue receive mail --max 100 -f '%R\n' > handles && weir queue ack - < handles)");

  const auto add_delay = [](CLI::App& command, const std::shared_ptr<SettleArguments>& arguments) {
    command.add_option("--delay-ms", arguments->delay_ms, "Not before so long from now")
        ->check(CLI::Range(std::int64_t{0}, proto::kMaxDelayMs));
  };
  auto nack = std::make_shared<SettleArguments>();
  CLI::App& nack_command = add_settle(parent, line, "nack", "Failed: hand messages out again", nack,
                                      [](std::string handle, const SettleArguments& arguments) {
                                        return Settlement(std::move(handle), nack_of(arguments));
                                      });
  add_delay(nack_command, nack);
  nack_command.add_option("--as", nack->failure_class, "failed, poison, transient or not-now")
      ->check(CLI::IsMember({"failed", "poison", "transient", "not-now"}))
      ->capture_default_str();
  nack_command.add_option("--reason", nack->reason, "Why, for whoever looks at the dead letter");
  nack_command.footer(R"(
  failed      a failure: at the queue's max_receive_count the message is put aside
  poison      it can never be handled: put aside at once
  transient   something that it needs is away: no failure
  not-now     it is not to be handled before the delay is over: no failure

Put aside is: moved to the dead-letter queue, or parked where there is none.

Example:
  weir queue nack "$handle" --delay-ms 5000
  weir queue nack "$handle" --as poison --reason 'no such customer'
  weir queue nack - --as transient < handles)");

  auto release = std::make_shared<SettleArguments>();
  CLI::App& release_command =
      add_settle(parent, line, "release", "Not handled: hand messages out again", release,
                 [](std::string handle, const SettleArguments& arguments) {
                   return Settlement(std::move(handle), Outcome::release(arguments.delay()));
                 });
  add_delay(release_command, release);
  release_command.footer(R"(
No failure, but the attempt that began when a message was received stays counted.

Example:
  weir queue release "$handle"
  weir queue release - < handles)");

  auto extend = std::make_shared<SettleArguments>();
  CLI::App& extend_command =
      add_settle(parent, line, "extend", "Keep messages longer", extend,
                 [](std::string handle, const SettleArguments& arguments) {
                   return Settlement::extend(std::move(handle), milliseconds(arguments.lease_ms));
                 });
  extend_command
      .add_option("--lease-ms", extend->lease_ms,
                  "Their leases end so long from now, at most 12 h after they were handed out")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, proto::kMaxLeaseMs));
  extend_command.footer(R"(
Example:
  weir queue extend "$handle" --lease-ms 60000
  weir queue extend - --lease-ms 60000 < handles)");
}

}  // namespace weir::cli
