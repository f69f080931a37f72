#pragma once

#include "broker/cli/exit_code.hpp"
#include "weir/client.hpp"

#include <CLI/App.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace weir::cli {

/// What every command that talks to a broker is told.
struct Connection {
  std::string url = "weir://127.0.0.1:7340";
  std::int64_t timeout_ms = 15'000;

  [[nodiscard]] std::chrono::milliseconds timeout() const {
    return std::chrono::milliseconds(timeout_ms);
  }
  /// To be adjusted by the command, then handed to Client::connect().
  [[nodiscard]] ClientOptions client_options() const;
  [[nodiscard]] Result<Client> connect() const { return Client::connect(client_options()); }
};

/// Filled while the command line is parsed; `action` is what the chosen command does.
struct CommandLine {
  Connection connection;
  std::function<ExitCode()> action;
};

// Each adds its commands to `parent`. The objects live until the action has run.
void add_queue_admin(CLI::App& parent, CommandLine& line);    // create, info, ack, nack, extend
void add_queue_send(CLI::App& parent, CommandLine& line);     // send
void add_queue_receive(CLI::App& parent, CommandLine& line);  // receive
void add_queue_work(CLI::App& parent, CommandLine& line);     // work
void add_topic_admin(CLI::App& parent, CommandLine& line);    // create, info
void add_topic_publish(CLI::App& parent, CommandLine& line);  // publish
void add_topic_consume(CLI::App& parent, CommandLine& line);  // consume
void add_health(CLI::App& parent, CommandLine& line);         // health
void add_backup(CLI::App& parent, CommandLine& line);         // backup

}  // namespace weir::cli
