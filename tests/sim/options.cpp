#include "tests/sim/options.hpp"

#include <sstream>

namespace weir::sim {
namespace {

std::uint32_t draw(Rng& rng, std::int64_t low, std::int64_t high) {
  return static_cast<std::uint32_t>(rng.between(low, high));
}

/// Zero in most runs.
std::uint32_t rate(Rng& rng, std::uint32_t runs_per_mille, std::int64_t most) {
  return rng.per_mille(runs_per_mille) ? draw(rng, 1, most) : 0;
}

}  // namespace

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
  o.max_backlog_bytes =
      rng.per_mille(300) ? static_cast<std::size_t>(rng.between(1, 2000)) : std::size_t{1} << 20;
  o.max_producers = rng.per_mille(200) ? draw(rng, 1, 3) : 1000;
  o.bulk_room =
      rng.per_mille(300) ? static_cast<std::size_t>(rng.between(1, 500)) : std::size_t{1} << 20;
  o.step_us = rng.between(500, 5000);
  o.link_us = rng.between(10, 5000);
  o.commit_us = rng.between(10, 10'000);
  o.load_us = rng.between(10, 5000);
  if (rng.per_mille(500)) {
    o.crash_per_mille = draw(rng, 1, 10);
    o.disk_failure_per_mille = rate(rng, 300, 3);
  }
  o.reset_per_mille = rate(rng, 300, 5);
  o.cut_per_mille = rate(rng, 600, 40);
  o.clock_per_mille = rate(rng, 300, 10);
  o.refuse_per_mille = rate(rng, 200, 5);
  o.deadline_per_mille = rate(rng, 300, 300);
  o.nack_per_mille = draw(rng, 0, 400);
  o.lazy_per_mille = draw(rng, 0, 400);
  o.replica_restart_per_mille = rate(rng, 500, 20);
  o.move_per_mille = rate(rng, 500, 500);
  if (rng.per_mille(700)) {
    o.sdk_clients = draw(rng, 1, 3);
    o.sdk_per_mille = draw(rng, 200, 800);
    o.sdk_fault_per_mille = rate(rng, 700, 20);
    o.wire_room_bytes =
        rng.per_mille(300) ? static_cast<std::size_t>(rng.between(50, 4000)) : std::size_t{1} << 20;
    o.crumble_per_mille = draw(rng, 0, 1000);
    o.ghost_per_mille = rate(rng, 500, 200);
    o.lost_connect_per_mille = rate(rng, 500, 200);
    o.drain_per_mille = rate(rng, 300, 5);
    o.quiet_per_mille = rate(rng, 400, 5);
    o.send_budget_bytes = rng.per_mille(300) ? 0 : std::size_t{1} << 30;
  }
  return o;
}

std::string to_string(const Options& o) {
  std::ostringstream out;
  out << "steps " << o.steps << ", queues " << o.queues << ", topics " << o.topics << " x "
      << o.partitions << ", producers " << o.producers << ", consumers " << o.consumers
      << ", readers " << o.readers << ", batch " << o.max_batch << " x " << o.max_value_bytes
      << " B, max_receive_count " << o.max_receive_count << ", window " << o.window_messages << "/"
      << o.window_bytes << " B, lease " << o.lease_ms << " ms, tail cache " << o.tail_cache_bytes
      << " B, idle " << o.idle_batch_bytes << " B, backlog " << o.max_backlog_bytes
      << " B, max_producers " << o.max_producers << ", room " << o.bulk_room
      << " B, per mille: crash " << o.crash_per_mille << " reset " << o.reset_per_mille << " disk "
      << o.disk_failure_per_mille << " cut " << o.cut_per_mille << " clock " << o.clock_per_mille
      << " refuse " << o.refuse_per_mille << " replica " << o.replica_restart_per_mille << " move "
      << o.move_per_mille << "; library: clients " << o.sdk_clients << ", room "
      << o.wire_room_bytes << " B, per mille: steps " << o.sdk_per_mille << " faults "
      << o.sdk_fault_per_mille << " crumble " << o.crumble_per_mille << " ghost "
      << o.ghost_per_mille << " lost connect " << o.lost_connect_per_mille << " drain "
      << o.drain_per_mille << " quiet " << o.quiet_per_mille;
  return out.str();
}

}  // namespace weir::sim
