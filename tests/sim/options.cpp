#include "tests/sim/options.hpp"

#include "proto/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::sim {
namespace {

constexpr std::int64_t kMuch = std::int64_t{1} << 20;

// In the order in which a run is shrunk: what takes away most of it comes first.
constexpr std::array kFields = {
    OptionField{"steps", &Options::steps, 1},
    OptionField{"salt", &Options::salt},
    OptionField{"sdk_clients", &Options::sdk_clients, 0},
    OptionField{"crash_per_mille", &Options::crash_per_mille, 0},
    OptionField{"stop_per_mille", &Options::stop_per_mille, 0},
    OptionField{"reset_per_mille", &Options::reset_per_mille, 0},
    OptionField{"failed_sync_per_mille", &Options::failed_sync_per_mille, 0},
    OptionField{"slow_sync_per_mille", &Options::slow_sync_per_mille, 0},
    OptionField{"lying_sync_per_mille", &Options::lying_sync_per_mille, 0},
    OptionField{"failed_load_per_mille", &Options::failed_load_per_mille, 0},
    OptionField{"slow_load_per_mille", &Options::slow_load_per_mille, 0},
    OptionField{"cut_per_mille", &Options::cut_per_mille, 0},
    OptionField{"stall_per_mille", &Options::stall_per_mille, 0},
    OptionField{"wall_clock_per_mille", &Options::wall_clock_per_mille, 0},
    OptionField{"refuse_per_mille", &Options::refuse_per_mille, 0},
    OptionField{"sdk_fault_per_mille", &Options::sdk_fault_per_mille, 0},
    OptionField{"ghost_per_mille", &Options::ghost_per_mille, 0},
    OptionField{"lost_connect_per_mille", &Options::lost_connect_per_mille, 0},
    OptionField{"drain_per_mille", &Options::drain_per_mille, 0},
    OptionField{"quiet_per_mille", &Options::quiet_per_mille, 0},
    OptionField{"crumble_per_mille", &Options::crumble_per_mille, 0},
    OptionField{"operator_per_mille", &Options::operator_per_mille, 0},
    OptionField{"redrive_per_mille", &Options::redrive_per_mille, 0},
    OptionField{"look_per_mille", &Options::look_per_mille, 0},
    OptionField{"replica_restart_per_mille", &Options::replica_restart_per_mille, 0},
    OptionField{"move_per_mille", &Options::move_per_mille, 0},
    OptionField{"broken_start_per_mille", &Options::broken_start_per_mille, 0},
    OptionField{"deadline_per_mille", &Options::deadline_per_mille, 0},
    OptionField{"readers", &Options::readers, 0},
    OptionField{"topics", &Options::topics, 0},
    OptionField{"partitions", &Options::partitions, 1},
    OptionField{"queues", &Options::queues, 1},
    OptionField{"dead_letter_per_mille", &Options::dead_letter_per_mille, 0},
    OptionField{"bounded_per_mille", &Options::bounded_per_mille, 0},
    OptionField{"max_messages", &Options::max_messages, 0},
    OptionField{"max_bytes", &Options::max_bytes, 0},
    OptionField{"max_in_flight", &Options::max_in_flight, 0},
    OptionField{"redelivery_ms", &Options::redelivery_ms, 0},
    OptionField{"delay_per_mille", &Options::delay_per_mille, 0},
    OptionField{"max_delay_ms", &Options::max_delay_ms, 1},
    OptionField{"queue_delay_ms", &Options::queue_delay_ms, 0},
    OptionField{"ttl_per_mille", &Options::ttl_per_mille, 0},
    OptionField{"max_ttl_ms", &Options::max_ttl_ms, 1},
    OptionField{"expired_per_mille", &Options::expired_per_mille, 0},
    OptionField{"retention_per_mille", &Options::retention_per_mille, 0},
    OptionField{"fifo_per_mille", &Options::fifo_per_mille, 0},
    OptionField{"priority_per_mille", &Options::priority_per_mille, 0},
    OptionField{"strict_per_mille", &Options::strict_per_mille, 0},
    OptionField{"group_per_mille", &Options::group_per_mille, 0},
    OptionField{"deduplication_per_mille", &Options::deduplication_per_mille, 0},
    OptionField{"budget_percent", &Options::budget_percent, 1'000'000},
    OptionField{"consumers", &Options::consumers, 1},
    OptionField{"producers", &Options::producers, 1},
    OptionField{"nack_per_mille", &Options::nack_per_mille, 0},
    OptionField{"lazy_per_mille", &Options::lazy_per_mille, 0},
    OptionField{"patient_per_mille", &Options::patient_per_mille, 0},
    OptionField{"max_batch", &Options::max_batch, 1},
    OptionField{"max_value_bytes", &Options::max_value_bytes, 8},
    OptionField{"max_receive_count", &Options::max_receive_count, 3},
    OptionField{"window_messages", &Options::window_messages, 10},
    OptionField{"window_bytes", &Options::window_bytes, 100'000},
    OptionField{"lease_ms", &Options::lease_ms, 1000},
    OptionField{"tail_cache_bytes", &Options::tail_cache_bytes, kMuch},
    OptionField{"idle_batch_bytes", &Options::idle_batch_bytes, kMuch},
    OptionField{"max_backlog_bytes", &Options::max_backlog_bytes, kMuch},
    OptionField{"settles_per_turn", &Options::settles_per_turn, kMuch},
    OptionField{"max_producers", &Options::max_producers, 1000},
    OptionField{"bulk_room", &Options::bulk_room, kMuch},
    OptionField{"sdk_per_mille", &Options::sdk_per_mille},
    OptionField{"wire_room_bytes", &Options::wire_room_bytes, kMuch},
    OptionField{"send_budget_bytes", &Options::send_budget_bytes, 1 << 30},
    OptionField{"step_us", &Options::step_us, 1000},
    OptionField{"link_us", &Options::link_us, 10},
    OptionField{"commit_us", &Options::commit_us, 1000},
    OptionField{"load_us", &Options::load_us, 10},
    OptionField{"skew_ms", &Options::skew_ms, 0},
    OptionField{"planted_loss", &Options::planted_loss},
};

std::uint32_t draw(Rng& rng, std::int64_t low, std::int64_t high) {
  return static_cast<std::uint32_t>(rng.between(low, high));
}

/// Zero in most runs.
std::uint32_t rate(Rng& rng, std::uint32_t runs_per_mille, std::int64_t most) {
  return rng.per_mille(runs_per_mille) ? draw(rng, 1, most) : 0;
}

/// A message whose lease is hardly longer than the way of its hand-out and of the answer comes back
/// again and again, and nothing comes to rest.
std::int64_t shortest_lease_ms(const Options& o) {
  const std::int64_t way_us = 2 * (2 * o.link_us) + o.commit_us;
  return 3 * way_us / 1000;
}

/// Room for the largest batch of a producer at least, which would wait for ever otherwise.
void draw_bounds(Rng& rng, Options& o) {
  constexpr std::int64_t kMostBesideValueBytes = 20;
  constexpr std::int64_t kMostBesideRecordsBytes = 200;
  const std::int64_t batch_bytes =
      kMostBesideRecordsBytes +
      std::int64_t{o.max_batch} * (o.max_value_bytes + kMostBesideValueBytes);
  o.bounded_per_mille = draw(rng, 300, 1000);
  o.max_messages = draw(rng, o.max_batch, 10 * std::int64_t{o.max_batch});
  o.max_bytes = draw(rng, batch_bytes, 10 * batch_bytes);
  o.max_in_flight = draw(rng, 1, rng.per_mille(500) ? 5 : 50);
}

void draw_faults(Rng& rng, Options& o) {
  if (rng.per_mille(500)) {
    o.crash_per_mille = draw(rng, 1, 10);
    o.failed_sync_per_mille = rate(rng, 500, 5);
    o.lying_sync_per_mille = rate(rng, 400, 10);
  }
  o.stop_per_mille = rate(rng, 300, 3);
  o.slow_sync_per_mille = rate(rng, 300, 3);
  o.failed_load_per_mille = rate(rng, 300, 5);
  o.slow_load_per_mille = rate(rng, 300, 5);
  o.reset_per_mille = rate(rng, 300, 5);
  o.cut_per_mille = rate(rng, 600, 40);
  o.stall_per_mille = rate(rng, 300, 5);
  o.wall_clock_per_mille = rate(rng, 300, 5);
  o.refuse_per_mille = rate(rng, 400, 5);
  o.replica_restart_per_mille = rate(rng, 500, 20);
  o.move_per_mille = rate(rng, 500, 500);
  o.broken_start_per_mille = rate(rng, 500, 500);
}

}  // namespace

std::span<const OptionField> option_fields() {
  return kFields;
}

std::int64_t get(const Options& options, const OptionField& field) {
  return std::visit([&options](auto member) { return static_cast<std::int64_t>(options.*member); },
                    field.member);
}

void set(Options& options, const OptionField& field, std::int64_t value) {
  std::visit(
      [&options, value](auto member) {
        options.*member = static_cast<std::decay_t<decltype(options.*member)>>(value);
      },
      field.member);
}

proto::Result<> set_by_text(Options& options, std::string_view text) {
  const std::size_t equals = text.find('=');
  for (const OptionField& field : kFields) {
    if (equals == std::string_view::npos || text.substr(0, equals) != field.name) {
      continue;
    }
    const std::string_view number = text.substr(equals + 1);
    std::int64_t value = -1;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
    if (parsed.ec == std::errc{} && parsed.ptr == number.data() + number.size() && value >= 0 &&
        value <= UINT32_MAX) {
      set(options, field, value);
      return {};
    }
  }
  return proto::fail(proto::Errc::kInvalidArgument,
                     "'" + std::string(text) + "' sets no option of a run");
}

Options draw_options(Rng& rng, std::uint32_t mean_steps) {
  Options o;
  o.steps = mean_steps / 2 + draw(rng, 0, mean_steps);
  o.queues = draw(rng, 1, 4);
  o.topics = draw(rng, 0, 2);
  o.partitions = draw(rng, 1, 3);
  o.producers = draw(rng, 1, 3);
  o.consumers = draw(rng, 1, 4);
  o.readers = o.topics == 0 ? 0 : draw(rng, 1, 2);
  o.max_batch = rng.per_mille(300) ? 1 : draw(rng, 2, rng.per_mille(100) ? 150 : 12);
  o.max_value_bytes = rng.per_mille(200) ? 2000 : draw(rng, 8, 100);
  o.max_receive_count = draw(rng, 1, 5);
  o.dead_letter_per_mille = draw(rng, 0, 1000);
  o.window_messages = rng.per_mille(400) ? draw(rng, 1, 3) : draw(rng, 4, 100);
  o.window_bytes = rng.per_mille(300) ? draw(rng, 1, 200) : 100'000;
  o.lease_ms = rng.per_mille(500) ? rng.between(20, 200) : rng.between(200, 5000);
  o.tail_cache_bytes =
      rng.per_mille(500) ? static_cast<std::size_t>(rng.between(1, 4000)) : std::size_t{1} << 20;
  o.idle_batch_bytes =
      rng.per_mille(500) ? static_cast<std::size_t>(rng.between(0, 3000)) : std::size_t{1} << 20;
  o.settles_per_turn = rng.per_mille(300) ? static_cast<std::size_t>(rng.between(1, 8)) : 4'096;
  o.max_backlog_bytes =
      rng.per_mille(300) ? static_cast<std::size_t>(rng.between(1, 2000)) : std::size_t{1} << 20;
  o.max_producers = rng.per_mille(200) ? draw(rng, 1, 3) : 1000;
  o.bulk_room =
      rng.per_mille(300) ? static_cast<std::size_t>(rng.between(1, 500)) : std::size_t{1} << 20;
  o.step_us = rng.between(500, 5000);
  o.link_us = rng.between(10, 5000);
  o.commit_us = rng.between(10, 10'000);
  o.load_us = rng.between(10, 5000);
  o.lease_ms = std::max(o.lease_ms, shortest_lease_ms(o));
  o.skew_ms = rng.per_mille(300) ? rng.between(1, 100'000) : 0;
  o.deadline_per_mille = rate(rng, 300, 300);
  o.nack_per_mille = draw(rng, 0, 400);
  o.redelivery_ms = rate(rng, 400, 300);
  o.budget_percent = rng.per_mille(500) ? 1'000'000 : draw(rng, 1, 300);
  o.lazy_per_mille = draw(rng, 0, 400);
  o.patient_per_mille = rate(rng, 500, 1000);
  draw_faults(rng, o);
  if (rng.per_mille(700)) {
    o.sdk_clients = draw(rng, 1, 3);
    o.lying_sync_per_mille = 0;  // what an application was told cannot be untold
    o.sdk_per_mille = draw(rng, 200, 800);
    o.sdk_fault_per_mille = rate(rng, 700, 20);
    o.wire_room_bytes =
        rng.per_mille(300) ? static_cast<std::size_t>(rng.between(50, 4000)) : std::size_t{1} << 20;
    o.crumble_per_mille = draw(rng, 0, 1000);
    o.ghost_per_mille = rate(rng, 500, 200);
    o.lost_connect_per_mille = rate(rng, 500, 200);
    o.drain_per_mille = rate(rng, 300, 5);
    o.quiet_per_mille = rate(rng, 400, 5);
    o.send_budget_bytes = std::size_t{1} << 30;
    if (rng.per_mille(500)) {  // room for no large window, or for a few
      o.send_budget_bytes =
          rng.per_mille(500) ? 0 : static_cast<std::size_t>(rng.between(1 << 20, 4 << 20));
    }
  }
  o.operator_per_mille = rate(rng, 400, 60);
  if (rng.per_mille(300)) {
    draw_bounds(rng, o);
  }
  if (rng.per_mille(400)) {
    o.delay_per_mille = draw(rng, 1, 1000);
    o.max_delay_ms = rng.per_mille(500) ? draw(rng, 1, 100) : draw(rng, 100, 5000);
    o.queue_delay_ms = rate(rng, 400, 500);
  }
  if (rng.per_mille(300)) {
    o.ttl_per_mille = draw(rng, 1, 1000);
    o.max_ttl_ms = rng.per_mille(500) ? draw(rng, 1, 500) : draw(rng, 500, 20'000);
    o.expired_per_mille = draw(rng, 0, 1000);
    o.retention_per_mille = rate(rng, 400, 1000);
  }
  if (rng.per_mille(700)) {
    o.redrive_per_mille = draw(rng, 200, 900);
  }
  o.look_per_mille = rate(rng, 600, 700);
  if (rng.per_mille(400)) {
    o.fifo_per_mille = draw(rng, 200, 1000);
    o.deduplication_per_mille = rate(rng, 600, 1000);
  }
  if (rng.per_mille(400)) {
    o.priority_per_mille = draw(rng, 100, 1000);
    o.strict_per_mille = draw(rng, 0, 1000);
  }
  if (rng.per_mille(300)) {
    o.group_per_mille = draw(rng, 300, 1000);
  }
  return o;
}

std::string to_string(const Options& options) {
  std::string text;
  for (const OptionField& field : kFields) {
    if (const std::int64_t value = get(options, field); value != 0) {
      text += (text.empty() ? "" : " ") + std::string(field.name) + "=" + std::to_string(value);
    }
  }
  return text;
}

}  // namespace weir::sim
