#pragma once

#include "broker/cli/exit_code.hpp"
#include "weir/client.hpp"

#include <CLI/App.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace weir::cli {

/// What every command that talks to a broker is told.
struct Connection {
  // As the command line said it.
  std::optional<std::string> url_flag = {};
  std::optional<std::string> context_flag = {};
  std::optional<std::int64_t> timeout_flag_ms = {};
  // What follows from that, the environment and the contexts, before the action runs.
  std::string url = {};
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
  bool is_local = false;  // the action asks no broker
};

/// getenv(), for the first thread.
[[nodiscard]] const char* process_environment(const char* name);

// Each adds its commands to `parent`. The objects live until the action has run.
void add_queue_admin(CLI::App& parent, CommandLine& line);    // create, info
void add_queue_settle(CLI::App& parent, CommandLine& line);   // ack, nack, release, extend
void add_queue_list(CLI::App& parent, CommandLine& line);     // ls
void add_queue_update(CLI::App& parent, CommandLine& line);   // update, pause, resume
void add_queue_remove(CLI::App& parent, CommandLine& line);   // purge, delete
void add_queue_unpark(CLI::App& parent, CommandLine& line);   // unpark
void add_dlq_admin(CLI::App& parent, CommandLine& line);      // ls, redrive, drop, redrives, cancel
void add_dlq_peek(CLI::App& parent, CommandLine& line);       // peek
void add_dlq_show(CLI::App& parent, CommandLine& line);       // show
void add_message_where(CLI::App& parent, CommandLine& line);  // where
void add_delayed(CLI::App& parent, CommandLine& line);        // ls, cancel, reschedule
void add_queue_peek(CLI::App& parent, CommandLine& line);     // peek
void add_queue_send(CLI::App& parent, CommandLine& line);     // send
void add_queue_receive(CLI::App& parent, CommandLine& line);  // receive
void add_queue_work(CLI::App& parent, CommandLine& line);     // work
void add_topic_admin(CLI::App& parent, CommandLine& line);    // create, info
void add_topic_list(CLI::App& parent, CommandLine& line);     // ls
void add_topic_remove(CLI::App& parent, CommandLine& line);   // delete
void add_topic_browse(CLI::App& parent, CommandLine& line);   // browse
void add_topic_publish(CLI::App& parent, CommandLine& line);  // publish
void add_topic_consume(CLI::App& parent, CommandLine& line);  // consume
void add_namespace_admin(CLI::App& parent, CommandLine& line);  // create, info, delete
void add_namespace_list(CLI::App& parent, CommandLine& line);   // ls
void add_client_admin(CLI::App& parent, CommandLine& line);     // ls, kick
void add_config_reload(CLI::App& parent, CommandLine& line);    // reload
void add_health(CLI::App& parent, CommandLine& line);           // health
void add_backup(CLI::App& parent, CommandLine& line);           // backup
void add_bench(CLI::App& parent, CommandLine& line);            // bench
void add_top(CLI::App& parent, CommandLine& line);              // top
void add_completion(CLI::App& parent, CommandLine& line);       // completion
void add_context_admin(CLI::App& parent, CommandLine& line);    // add, use, rm, ls, show

}  // namespace weir::cli
