#pragma once

#include "weir/admin.hpp"

#include <CLI/App.hpp>

#include <cstdint>
#include <span>
#include <string>

// The settings of a queue on the command line: one list for `create`, `update` and `info`.
namespace weir::cli {

/// A setting that is a number.
struct QueueNumber {
  const char* name;  // in the JSON form; the flag is the same with dashes
  std::int64_t least;
  std::int64_t most;
  std::int64_t standard;  // what the broker gives a queue; 0: no bound
  const char* description;
  std::int64_t (*of)(const QueueSettings& settings);
  void (*set)(QueueSettings& settings, std::int64_t value);
  void (*change)(QueueChanges& changes, std::int64_t value);
};
/// In the order in which they are shown.
[[nodiscard]] std::span<const QueueNumber> queue_numbers();

/// What one command line says of a queue's settings, the same for both: lives until it is parsed
/// and used.
class QueueOptions {
 public:
  /// Of a queue that is made.
  void add_to_create(CLI::App& command);
  /// Of one that is there: its dead-letter queue can be taken away, too.
  void add_to_update(CLI::App& command);

  [[nodiscard]] const QueueSettings& settings() const { return settings_; }
  [[nodiscard]] const QueueChanges& changes() const { return changes_; }

 private:
  void add_numbers(CLI::App& command, bool with_defaults);
  CLI::Option* add_dead_letter_queue(CLI::App& command);
  void add_dead_letter_sources(CLI::App& command);

  QueueSettings settings_;
  QueueChanges changes_;
};

}  // namespace weir::cli
