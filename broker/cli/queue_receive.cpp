#include "broker/cli/command.hpp"
#include "broker/cli/format.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/wall_clock.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kMaxPerRequest = 1'000;
constexpr std::int64_t kMaxWaitMs = 20'000;

struct ReceiveArguments {
  std::string name;
  std::uint32_t max = 1;
  std::int64_t wait_ms = 0;
  std::optional<std::int64_t> lease_ms;
  bool ack = false;
  std::string format = "%v\\n";
};

// What became of the acknowledgements; filled on the client's thread.
class AckTally {
 public:
  void on_result(const Result<>& result) {
    const std::lock_guard lock(mutex_);
    if (!result) {
      ++failed_;
      if (!first_error_) {
        first_error_ = result.error();
      }
    }
  }

  // After the client was closed.
  [[nodiscard]] ExitCode conclude(std::string_view queue) const {
    const std::lock_guard lock(mutex_);
    if (!first_error_) {
      return ExitCode::kDone;
    }
    Error error = *first_error_;
    error.message += "; " + std::to_string(failed_) + " messages that were printed may come again";
    return report(error, queue);
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t failed_ = 0;
  std::optional<Error> first_error_;
};

class Receiver {
 public:
  Receiver(const ReceiveArguments& arguments, const Format& format, AckTally& tally)
      : arguments_(arguments), format_(format), tally_(tally) {}

  Result<> run(Client& client) {
    ReceiveOptions options;
    options.set_wait(milliseconds(arguments_.wait_ms));
    if (arguments_.lease_ms) {
      options.set_lease(milliseconds(*arguments_.lease_ms));
    }
    std::uint32_t left = arguments_.max;
    while (left > 0) {
      options.set_max_messages(std::min(left, kMaxPerRequest));
      Result<std::vector<Delivery>> received = client.receive(arguments_.name, options);
      if (!received) {
        return std::move(received).error();
      }
      if (received->empty()) {
        break;
      }
      left -= static_cast<std::uint32_t>(received->size());
      if (!show(std::move(*received))) {
        break;
      }
      // Only the first message is worth waiting for.
      options.set_wait(milliseconds(0));
    }
    return out_.status();
  }

  // Gives back what was not acknowledged, unless somebody got its handle. What is then still held
  // must go after the client was closed: its end would give it back too.
  void give_back() {
    if (!format_.uses('R') || out_.closed() || !out_.status()) {
      for (Delivery& delivery : held_) {
        delivery.release();
      }
    }
  }

 private:
  // Prints, and settles only after that: a message that nobody saw must not be lost.
  bool show(std::vector<Delivery> deliveries) {
    for (const Delivery& delivery : deliveries) {
      print_one(delivery);
      out_.commit();
    }
    const bool printed = out_.flush();
    for (Delivery& delivery : deliveries) {
      if (printed && arguments_.ack) {
        AckTally* tally = &tally_;
        delivery.ack([tally](const Result<>& result) { tally->on_result(result); });
      } else {
        held_.push_back(std::move(delivery));
      }
    }
    return printed;
  }

  void print_one(const Delivery& delivery) {
    const std::string handle = format_.uses('R') ? delivery.handle() : std::string();
    const std::string id = format_.uses('i') ? delivery.message_id().to_string() : std::string();
    format_.render({.source = arguments_.name,
                    .partition = 0,
                    .offset = delivery.offset(),
                    .key = delivery.key(),
                    .value = delivery.body(),
                    .headers = delivery.headers(),
                    .timestamp_ms = ms_of(delivery.timestamp()),
                    .handle = handle,
                    .message_id = id,
                    .attempt = delivery.attempt()},
                   out_.buffer());
  }

  const ReceiveArguments& arguments_;
  const Format& format_;
  AckTally& tally_;
  Output out_{STDOUT_FILENO};
  // Held until the end: what is given back would come again in the next request.
  std::vector<Delivery> held_;
};

ExitCode receive(const Connection& connection, const ReceiveArguments& arguments) {
  const Result<Format> format = Format::parse(arguments.format);
  if (!format) {
    return report(format.error(), "");
  }
  // Both outlive the client: it fills the one and must not see the end of the other's deliveries.
  AckTally tally;
  Receiver receiver(arguments, *format, tally);
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  const Result<> received = receiver.run(*client);
  receiver.give_back();
  client->close();
  if (!received) {
    return report(received.error(), arguments.name);
  }
  return tally.conclude(arguments.name);
}

}  // namespace

void add_queue_receive(CLI::App& parent, CommandLine& line) {
  CLI::App& command =
      *parent.add_subcommand("receive", "Take messages off a queue, or look at them");
  auto arguments = std::make_shared<ReceiveArguments>();
  command.add_option("NAME", arguments->name)->required();
  command.add_option("--max", arguments->max, "How many messages at most")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--wait-ms", arguments->wait_ms, "How long to wait for the first one")
      ->check(CLI::Range(std::int64_t{0}, kMaxWaitMs))
      ->capture_default_str();
  command
      .add_option("--lease-ms", arguments->lease_ms,
                  "How long they stay with this consumer; 0: not at all (default: the queue's)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{12} * 3600 * 1000));
  command.add_flag("--ack", arguments->ack, "Acknowledge them when they have been printed");
  command
      .add_option("-f,--format", arguments->format,
                  "%v value %k %K key %h headers %o offset %d timestamp %s size %i id %a attempt "
                  "%R handle %t queue %%; \\n \\t \\0 \\\\")
      ->capture_default_str();
  command.footer(std::string(R"(
Without --ack, messages are given back at the end; having been received counts as an attempt. When
FORMAT prints handles (%R), they stay leased instead, for `weir queue ack`, `nack`,
`release` or `extend`. Prints nothing when there is nothing.
)") + kQuotingHelp +
                 R"(
Example:
  weir queue receive mail --max 10 --ack
  weir queue receive mail -f '%R %v\n')");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return receive(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
