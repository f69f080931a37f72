#pragma once

#include "proto/result.hpp"
#include "tests/sim/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace weir::sim {

/// What one seed plays with. Each seed draws its own, so that every feature and fault is absent in
/// many runs, too.
struct Options {
  std::uint32_t steps = 0;
  std::uint32_t salt = 0;    // another course of events with the same options; never drawn
  std::uint32_t queues = 1;  // without dead-letter queues
  std::uint32_t topics = 0;
  std::uint32_t partitions = 1;
  std::uint32_t producers = 1;
  std::uint32_t consumers = 1;
  std::uint32_t readers = 0;
  std::uint32_t max_batch = 1;
  std::uint32_t max_value_bytes = 16;
  std::uint32_t max_receive_count = 3;
  std::uint32_t dead_letter_per_mille = 500;
  std::uint32_t bounded_per_mille = 0;  // of queues: with some of these bounds
  std::uint32_t max_messages = 0;
  std::uint32_t max_bytes = 0;
  std::uint32_t max_in_flight = 0;
  std::uint32_t redelivery_ms = 0;    // of the queues' policy
  std::uint32_t delay_per_mille = 0;  // of batches for queues: some of their messages are put off
  std::uint32_t max_delay_ms = 1;
  std::uint32_t queue_delay_ms = 0;  // of some queues
  std::uint32_t ttl_per_mille = 0;   // of batches for queues: some of their messages expire
  std::uint32_t max_ttl_ms = 1;
  std::uint32_t expired_per_mille = 0;    // of queues: what expires goes to the dead-letter queue
  std::uint32_t retention_per_mille = 0;  // of queues: the shortest that there is
  std::uint32_t fifo_per_mille = 0;       // of queues
  std::uint32_t priority_per_mille = 0;   // of batches for standard queues: with priorities
  std::uint32_t strict_per_mille = 0;     // of those queues: the most urgent come first
  std::uint32_t group_per_mille = 0;      // of batches for standard queues: of groups
  std::uint32_t deduplication_per_mille = 0;  // of batches without a sequence for FIFO queues
  std::uint32_t budget_percent = 1'000'000;
  std::uint32_t window_messages = 10;
  std::uint32_t window_bytes = 4096;
  std::int64_t lease_ms = 200;
  std::size_t tail_cache_bytes = std::size_t{1} << 20;
  std::size_t idle_batch_bytes = std::size_t{1} << 20;
  std::size_t max_backlog_bytes = std::size_t{1} << 20;
  std::size_t settles_per_turn = 4'096;
  std::uint32_t max_producers = 1000;
  std::size_t bulk_room = std::size_t{1} << 20;
  std::int64_t step_us = 2000;
  std::int64_t link_us = 500;
  std::int64_t commit_us = 1000;
  std::int64_t load_us = 500;
  std::int64_t skew_ms = 0;  // most that a client's clock is off
  // Chance of a fault per step.
  std::uint32_t crash_per_mille = 0;
  std::uint32_t stop_per_mille = 0;
  std::uint32_t reset_per_mille = 0;
  std::uint32_t failed_sync_per_mille = 0;
  std::uint32_t slow_sync_per_mille = 0;
  std::uint32_t lying_sync_per_mille = 0;
  std::uint32_t failed_load_per_mille = 0;
  std::uint32_t slow_load_per_mille = 0;
  std::uint32_t cut_per_mille = 0;
  std::uint32_t stall_per_mille = 0;
  std::uint32_t wall_clock_per_mille = 0;
  std::uint32_t refuse_per_mille = 0;
  std::uint32_t operator_per_mille = 0;  // of steps are an operator's; 0: there is none
  std::uint32_t redrive_per_mille = 0;   // of the operator's steps are about redrives
  std::uint32_t look_per_mille = 0;      // of the others are looks at a queue's messages
  std::uint32_t replica_restart_per_mille = 0;
  std::uint32_t move_per_mille = 0;          // of restarts: with an import of what was exported
  std::uint32_t broken_start_per_mille = 0;  // of restarts: the start ends before it is done
  std::uint32_t deadline_per_mille = 0;      // of sends
  // How consumers behave, per mille of their operations.
  std::uint32_t nack_per_mille = 100;
  std::uint32_t lazy_per_mille = 100;   // leaves leases to expire
  std::uint32_t patient_per_mille = 0;  // of subscriptions: with a lease for the healed phase
  // Clients of the library, over the real protocol.
  std::uint32_t sdk_clients = 0;
  std::uint32_t sdk_per_mille = 0;                       // of steps are theirs
  std::uint32_t sdk_fault_per_mille = 0;                 // per step
  std::size_t wire_room_bytes = std::size_t{1} << 20;    // of a connection, in each direction
  std::uint32_t crumble_per_mille = 0;                   // of connections: reads of any size
  std::uint32_t ghost_per_mille = 0;                     // of connects: doubled
  std::uint32_t lost_connect_per_mille = 0;              // of connects
  std::uint32_t drain_per_mille = 0;                     // per step: the broker drains and ends
  std::uint32_t quiet_per_mille = 0;                     // per step: nothing for many seconds
  std::size_t send_budget_bytes = std::size_t{1} << 30;  // of the broker, for open sends
  /// Never drawn: every end of the process loses the last thing that the disk called durable, and
  /// nobody is told. The simulator must find that, and shrink it: a test of the simulator.
  std::uint32_t planted_loss = 0;
};

/// One option by its name.
struct OptionField {
  std::string_view name;
  std::variant<std::uint32_t Options::*, std::int64_t Options::*, std::size_t Options::*> member;
  /// Where the option matters least: what a run is shrunk towards. None: it is left alone.
  std::int64_t simplest = -1;
};
std::span<const OptionField> option_fields();
std::int64_t get(const Options& options, const OptionField& field);
void set(Options& options, const OptionField& field, std::int64_t value);
/// Takes "name=value"; INVALID_ARGUMENT where there is no such option or the value is no number.
proto::Result<> set_by_text(Options& options, std::string_view text);

/// The options of a seed; about `mean_steps` steps.
Options draw_options(Rng& rng, std::uint32_t mean_steps);
/// Every option that is not zero, as "name=value".
std::string to_string(const Options& options);

}  // namespace weir::sim
