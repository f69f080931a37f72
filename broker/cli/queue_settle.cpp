#include "broker/cli/command.hpp"
#include "broker/cli/line_reader.hpp"
#include "broker/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

constexpr std::int64_t kLongestLeaseMs = std::int64_t{12} * 3600 * 1000;
constexpr std::int64_t kLongestDelayMs = std::int64_t{30} * 24 * 3600 * 1000;
constexpr std::size_t kMaxHandleLine = 4'096;  // far beyond any handle, to be refused as one

struct SettleArguments {
  std::vector<std::string> handles;
  std::int64_t milliseconds = 0;
};

using MakeSettlement = Settlement (*)(std::string handle, std::chrono::milliseconds value);

/// Gathers handles and settles them as many at a time as one request takes. The first failure is
/// what the command ends with; the others are told, and hold nothing up. A request that fails as a
/// whole is the last one.
class Settler {
 public:
  Settler(Client& client, MakeSettlement make, std::chrono::milliseconds value, bool names_handles)
      : client_(client), make_(make), value_(value), names_handles_(names_handles) {}

  void add(std::string_view handle) {
    gathered_.push_back(make_(std::string(handle), value_));
    if (gathered_.size() >= Client::kMaxSettlements) {
      settle();
    }
  }

  void add_lines(int fd) {
    LineReader lines(fd, kMaxHandleLine);
    while (!gave_up_) {
      const Result<std::optional<std::string_view>> line = lines.next();
      if (!line) {
        fail(report(line.error(), ""));
        return;
      }
      if (!*line) {
        return;
      }
      if (!(*line)->empty()) {
        add(**line);
      }
    }
  }

  void settle() {
    if (gave_up_) {
      return;
    }
    const Result<std::vector<Result<>>> outcomes = client_.settle_many(gathered_);
    if (!outcomes) {
      gave_up_ = true;
      fail(report(outcomes.error(), gathered_.front().handle()));
      return;
    }
    for (std::size_t i = 0; i < gathered_.size(); ++i) {
      if (const Result<>& outcome = (*outcomes)[i]; !outcome) {
        tell(gathered_[i].handle(), outcome.error());
      }
    }
    gathered_.clear();
  }

  [[nodiscard]] ExitCode exit_code() const { return first_failure_.value_or(ExitCode::kDone); }

 private:
  void tell(const std::string& handle, const Error& why) {
    fail(report(names_handles_ ? Error(why.code, handle + ": " + why.message) : why, handle));
  }
  void fail(ExitCode code) { first_failure_ = first_failure_.value_or(code); }

  Client& client_;
  const MakeSettlement make_;
  const std::chrono::milliseconds value_;
  const bool names_handles_;
  std::vector<Settlement> gathered_;
  std::optional<ExitCode> first_failure_;
  bool gave_up_ = false;
};

ExitCode settle(const Connection& connection, const SettleArguments& arguments,
                MakeSettlement make) {
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const bool is_one = arguments.handles.size() == 1 && arguments.handles.front() != "-";
  Settler settler(*client, make, std::chrono::milliseconds(arguments.milliseconds), !is_one);
  for (const std::string& handle : arguments.handles) {
    if (handle == "-") {
      settler.add_lines(STDIN_FILENO);
    } else {
      settler.add(handle);
    }
  }
  settler.settle();
  return settler.exit_code();
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
  using std::chrono::milliseconds;
  add_settle(parent, line, "ack", "Done: forget messages that were received",
             std::make_shared<SettleArguments>(),
             [](std::string handle, milliseconds) { return Settlement::ack(std::move(handle)); })
      .footer(R"(
Each message is settled for itself: one that is refused is told on the standard error, and the
others are done all the same. The exit code is that of the first refusal.

Example:
  handle=$(weir queue receive mail -f '%R')
  weir queue ack "$handle"
  weir queue receive mail --max 100 -f '%R\n' > handles && weir queue ack - < handles)");

  auto nack = std::make_shared<SettleArguments>();
  CLI::App& nack_command = add_settle(parent, line, "nack", "Failed: hand messages out again", nack,
                                      [](std::string handle, milliseconds delay) {
                                        return Settlement::nack(std::move(handle), delay);
                                      });
  nack_command.add_option("--delay-ms", nack->milliseconds, "Not before so long from now")
      ->check(CLI::Range(std::int64_t{0}, kLongestDelayMs));
  nack_command.footer(R"(
Example:
  weir queue nack "$handle" --delay-ms 5000
  weir queue nack - --delay-ms 5000 < handles)");

  add_settle(
      parent, line, "release", "Not handled: hand messages out again now",
      std::make_shared<SettleArguments>(),
      [](std::string handle, milliseconds) { return Settlement::release(std::move(handle)); })
      .footer(R"(
No failure, but the attempt that began when a message was received stays counted.

Example:
  weir queue release "$handle"
  weir queue release - < handles)");

  auto extend = std::make_shared<SettleArguments>();
  CLI::App& extend_command = add_settle(parent, line, "extend", "Keep messages longer", extend,
                                        [](std::string handle, milliseconds lease) {
                                          return Settlement::extend(std::move(handle), lease);
                                        });
  extend_command
      .add_option("--lease-ms", extend->milliseconds, "Their leases end so long from now")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, kLongestLeaseMs));
  extend_command.footer(R"(
Example:
  weir queue extend "$handle" --lease-ms 60000
  weir queue extend - --lease-ms 60000 < handles)");
}

}  // namespace weir::cli
