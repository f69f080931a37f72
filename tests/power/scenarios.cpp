#include "tests/power/scenarios.hpp"

#include <utility>

namespace weir::power {
namespace {

using proto::SettleKind;

constexpr std::size_t kSmall = 40;
constexpr std::size_t kBlob = 6000;  // large enough for a blob file

core::QueueSettings leased(std::int64_t lease_ms, std::uint32_t max_receive_count,
                           std::string dead_letters = {}) {
  return {.lease_ms = lease_ms,
          .max_receive_count = max_receive_count,
          .dead_letter_queue = std::move(dead_letters)};
}

void start_and_stop(Script& script) {
  script.start();
  script.stop();
  script.start();
  script.stop();
}

// Long enough for zeros ahead of the log (storage/rocks/prefilled_wal.hpp), and for a large commit
// that ends them.
void sends(Script& script) {
  script.start();
  const auto queue = script.queue("q");
  for (int i = 0; i < 14; ++i) {
    script.send(queue, 1, kSmall);
    script.wait();
  }
  script.send(queue, 3, 20'000);
  script.send(queue, 2, kSmall);
  script.wait();
  for (int i = 0; i < 5; ++i) {
    script.send(queue, 2, kBlob);
  }
  script.wait();
}

void acks(Script& script) {
  script.start();
  const auto queue = script.queue("q");
  script.send(queue, 6, kSmall);
  script.send(queue, 4, kSmall);
  script.wait();
  script.receive(queue, 7);
  script.settle(SettleKind::kAck, 2);
  script.wait();
  script.settle_by_handle(SettleKind::kAck);
  script.settle(SettleKind::kAck, 3);
  script.send(queue, 2, kSmall);
  script.wait();
}

void nacks_and_leases(Script& script) {
  script.start();
  const auto queue = script.queue("q", leased(5'000, 5));
  script.send(queue, 8, kSmall);
  script.wait();
  script.receive(queue, 6);
  script.settle(SettleKind::kNack, 1, 0);
  script.settle(SettleKind::kNack, 1, 60'000);
  script.settle(SettleKind::kRelease, 1);
  script.settle(SettleKind::kExtend, 1, 90'000);
  script.wait();
  script.advance(6'000);  // the rest runs out
  script.forget_held();
  script.receive(queue, 8);
  script.settle_by_handle(SettleKind::kExtend, 30'000);
  script.settle(SettleKind::kAck, 2);
  script.wait();
}

void dead_letters(Script& script) {
  script.start();
  script.queue("dlq");
  const auto queue = script.queue("q", leased(1'000, 2, "dlq"));
  const auto parks = script.queue("parks", leased(1'000, 1));
  script.send(queue, 5, kSmall);
  script.send(parks, 2, kSmall);
  script.wait();
  for (int i = 0; i < 2; ++i) {
    script.receive(queue, 3);
    script.settle(SettleKind::kNack, 2);
    script.wait();
    script.advance(1'100);
    script.forget_held();
  }
  script.receive(parks, 1);
  script.settle(SettleKind::kNack, 1);
  script.wait();
  script.advance(1'100);
  script.receive({.name = "dlq"}, 2);
  script.settle(SettleKind::kAck, 1);
  script.wait();
}

// What is put off waits in a lane of its own, and moves when it is due.
void delays(Script& script) {
  script.start();
  const auto queue = script.queue("q", leased(5'000, 3));
  script.send(queue, 4, kSmall, {.delay_ms = 2'000});
  script.send(queue, 2, kSmall);
  script.send(queue, 3, kBlob, {.delay_ms = 60'000});
  script.wait();
  script.receive(queue, 9);
  script.settle(SettleKind::kAck, 1);
  script.settle(SettleKind::kNack, 1, 30'000);
  script.advance(2'100);
  script.receive(queue, 3);
  script.settle(SettleKind::kAck, 2);
  script.wait();
  script.kill();
  script.start();
  script.send(queue, 2, kSmall, {.delay_ms = 3'600'000});
  script.wait();
  script.advance(61'000);
  script.receive(queue, 9);
  script.settle(SettleKind::kAck, 4);
  script.wait();
}

// In one queue what expires is gone, in the other it goes where its dead letters go.
void expiry(Script& script) {
  script.start();
  script.queue("dlq");
  core::QueueSettings keeping = leased(1'000, 3, "dlq");
  keeping.dead_letter_expired = 1;
  const auto keeps = script.queue("keeps", keeping);
  const auto drops = script.queue("drops", leased(1'000, 3));
  for (const auto& queue : {keeps, drops}) {
    script.send(queue, 3, kSmall, {.ttl_ms = 500});
    script.send(queue, 2, kSmall);
    script.send(queue, 2, kSmall, {.delay_ms = 1'000, .ttl_ms = 4'000});
  }
  script.wait();
  script.receive(keeps, 2);
  script.receive(drops, 2);
  script.advance(600);
  script.settle(SettleKind::kAck, 1);
  script.wait();
  script.advance(1'500);
  script.receive(keeps, 4);
  script.receive(drops, 4);
  script.advance(5'000);
  script.receive({.name = "dlq"}, 3);
  script.settle(SettleKind::kAck, 2);
  script.wait();
}

void fifo(Script& script) {
  script.start();
  script.queue("dlq.fifo");
  const auto queue = script.queue("q.fifo", leased(1'000, 2, "dlq.fifo"));
  const Extras in_groups{.groups = kFifoGroups};
  const Extras with_ids{.groups = kFifoGroups, .has_deduplication_id = true};
  script.send(queue, 5, kSmall, in_groups);
  script.send(queue, 4, kSmall, with_ids);
  script.wait();
  script.receive(queue, 4);
  script.settle(SettleKind::kAck, 1);
  script.settle(SettleKind::kNack, 2);
  script.wait();
  script.advance(1'100);
  script.forget_held();
  script.send(queue, 3, kBlob, with_ids);
  script.kill();
  script.start();
  script.send_again();
  script.wait();
  script.receive(queue, 3);
  script.settle(SettleKind::kNack, 3);
  script.wait();
  script.advance(1'100);
  script.receive({.name = "dlq.fifo"}, 2);
  script.settle(SettleKind::kAck, 1);
  script.wait();
}

// Priorities have lanes of their own, and of the groups those that are too many.
void lanes(Script& script) {
  script.start({.idle_batch_bytes = 300});
  const auto queue = script.queue("q", leased(1'000, 0));
  for (int priority = 0; priority < 10; priority += 3) {
    script.send(queue, 3, kSmall, {.priority = priority});
  }
  script.send(queue, 40, kSmall, {.groups = 1});
  script.send(queue, 6, kSmall, {.groups = 5, .priority = 9});
  script.wait();
  script.receive(queue, 20);
  script.settle(SettleKind::kAck, 8);
  script.settle(SettleKind::kNack, 6, 500);
  script.wait();
  script.advance(1'100);
  script.forget_held();
  script.send(queue, 2, kBlob, {.delay_ms = 400, .priority = 7});
  script.wait();
  script.advance(500);
  script.receive(queue, 30);
  script.settle(SettleKind::kAck, 20);
  script.wait();
}

void paging(Script& script) {
  script.start({.idle_batch_bytes = 300});
  const auto queue = script.queue("q", leased(1'000, 0));
  for (int i = 0; i < 6; ++i) {
    script.send(queue, 3, kSmall);
  }
  script.wait();
  script.receive(queue, 18);
  script.settle(SettleKind::kNack, 9, 30'000);
  script.wait();
  script.advance(1'100);
  script.forget_held();
  script.advance(40'000);
  script.receive(queue, 12);
  script.settle(SettleKind::kAck, 6);
  script.wait();
}

void subscriptions(Script& script) {
  script.start();
  const auto queue = script.queue("q");
  script.subscribe(queue, 4);
  for (int i = 0; i < 3; ++i) {
    script.send(queue, 3, kSmall);
  }
  script.wait();
  script.settle(SettleKind::kStarted, 4);
  script.settle(SettleKind::kAck, 3);
  script.wait();
  script.settle(SettleKind::kNack, 1);
  script.settle(SettleKind::kAck, 2);
  script.wait();
}

void topics(Script& script) {
  script.start();
  const auto topic = script.topic("t", 2);
  script.send(topic[0], 4, kSmall);
  script.send(topic[1], 2, kBlob);
  script.wait();
  script.read(topic[0]);
  for (int i = 0; i < 4; ++i) {
    script.send(topic[0], 1, kSmall);
    script.send(topic[1], 2, kSmall);
    script.wait();
  }
  script.stop();
  script.start();
  script.send(topic[0], 1, kSmall);
  script.wait();
}

void creations(Script& script) {
  script.start();
  for (int i = 0; i < 4; ++i) {
    const auto queue = script.queue("q" + std::to_string(i));
    const auto topic = script.topic("t" + std::to_string(i), 1);
    script.send(queue, 1, kSmall);
    script.send(topic[0], 1, kSmall);
  }
  script.wait();
  script.stop();
}

// The write buffer is full again and again: tables, blob files, new logs, old logs that go.
void flushes(Script& script) {
  script.start({.write_buffer_bytes = std::size_t{512} << 10});
  const auto queue = script.queue("q");
  for (int i = 0; i < 16; ++i) {
    script.send(queue, 4, 12'000);
    script.wait();
  }
  script.receive(queue, 8);
  script.settle(SettleKind::kAck, 8);
  script.wait();
}

void compactions(Script& script) {
  script.start();
  const auto queue = script.queue("q");
  for (int i = 0; i < 3; ++i) {
    script.send(queue, 4, kBlob);
    script.wait();
    script.receive(queue, 4);
    script.settle(SettleKind::kAck, 3);
    script.wait();
    static_cast<void>(script.life().store().reclaim(storage::Family::kLog, "", ""));
    static_cast<void>(script.life().store().reclaim(storage::Family::kState, "", ""));
  }
  script.stop();
}

// Logs are switched by their size.
void log_switches(Script& script) {
  script.start({.max_wal_bytes = std::uint64_t{64} << 10});
  const auto queue = script.queue("q");
  const auto topic = script.topic("t", 1);
  for (int i = 0; i < 10; ++i) {
    script.send(queue, 2, kBlob);
    script.send(topic[0], 1, kSmall);
    script.wait();
  }
}

void kills(Script& script) {
  script.start();
  const auto queue = script.queue("q");
  script.send(queue, 3, kSmall);
  script.wait();
  script.receive(queue, 2);
  script.send(queue, 1, kBlob);
  script.kill();
  script.start();
  script.send_again();
  script.wait();
  script.kill();
  script.start();
  script.send(queue, 2, kSmall);
  script.settle(SettleKind::kAck, 1);
  script.wait();
}

void loses_power(Script& script, Loss loss) {
  script.start();
  const auto queue = script.queue("q");
  for (int i = 0; i < 10; ++i) {
    script.send(queue, 1, kSmall);
    script.wait();
  }
  script.receive(queue, 3);
  script.settle(SettleKind::kAck, 1);
  script.send(queue, 3, 9'000);
  script.lose_power(loss);
  script.start();
  script.send_again();
  script.wait();
  script.lose_power(loss);
  script.start();
  script.send(queue, 2, kSmall);
  script.wait();
}

void ballast(Script& script) {
  script.start({.ballast_bytes = std::uint64_t{64} << 10});
  const auto queue = script.queue("q");
  script.send(queue, 2, kSmall);
  script.wait();
  script.stop();
  script.start();  // without one
  script.send(queue, 1, kSmall);
  script.wait();
  script.kill();
  script.start({.ballast_bytes = std::uint64_t{32} << 10});
  script.send(queue, 1, kSmall);
  script.wait();
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"start-stop", start_and_stop},
      {"sends", sends},
      {"acks", acks},
      {"nacks-leases", nacks_and_leases},
      {"dead-letters", dead_letters},
      {"delays", delays},
      {"expiry", expiry},
      {"fifo", fifo},
      {"lanes", lanes},
      {"paging", paging},
      {"subscriptions", subscriptions},
      {"topics", topics},
      {"creations", creations},
      {"flushes", flushes},
      {"compactions", compactions},
      {"log-switches", log_switches},
      {"kills", kills},
      {"power-all-lost", [](Script& script) { loses_power(script, Loss::kAll); }},
      {"power-torn", [](Script& script) { loses_power(script, Loss::kMixed); }},
      {"ballast", ballast},
  };
  return all;
}

}  // namespace weir::power
