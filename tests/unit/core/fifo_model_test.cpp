#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/core/same_after_restore.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

// A FIFO queue under everything that can happen to it, against what its promise says of single
// messages: who is handed out has none of its group before it that is not done, but for those that
// its taker holds already.
namespace weir::core {
namespace {

using proto::QueueId;
using proto::SettleKind;
using test::CoreRig;
using test::Grouped;
using test::kNow;
using test::Rng;

struct Model : CoreRig {
  explicit Model(std::uint64_t seed) : rng(seed) {
    dead = create_queue("dead.fifo");
    queue = create_queue("work.fifo", {.max_receive_count = 3,
                                       .dead_letter_queue = seed % 2 == 0 ? "dead.fifo" : "",
                                       .retention_ms = seed % 3 == 0 ? 60'000 : 0});
    groups = 1 + static_cast<std::uint32_t>(seed % 7);
  }

  struct Held {
    Delivery delivery;
    int taker = 0;
  };

  void send() {
    std::vector<Grouped> messages;
    const std::uint32_t count = 1 + rng.below(8);
    for (std::uint32_t i = 0; i < count; ++i) {
      messages.push_back({std::to_string(rng.below(groups)), "v"});
    }
    SendBatch batch = test::a_grouped_batch(proto::LogId{queue.value}, messages);
    const auto decision = decide(batch, now).value();
    for (std::uint32_t i = 0; i < count; ++i) {
      group_of[decision.base_offset + i] = messages[i].group;
    }
    apply(Record{*decision.record});
  }

  /// Whether that message is still to be done before those behind it.
  [[nodiscard]] bool is_open(proto::Offset offset) const {
    const Queue& has = *state.queue(queue);
    if (offset >= has.counters().cursor) {
      return true;
    }
    const auto it = has.touched_batches().lower_bound(offset);
    if (it == has.touched_batches().end() || it->second.base_offset() > offset) {
      return false;
    }
    const auto index = static_cast<std::uint32_t>(offset - it->second.base_offset());
    const Run* run = it->second.run_at(index);
    return !it->second.acked(index) && (run == nullptr || run->state != RunState::kParked);
  }

  void expect_in_order(const Delivery& delivery, int taker) {
    const proto::Offset first = delivery.base_offset + delivery.first_index;
    for (std::uint32_t i = 0; i < delivery.count; ++i) {
      const proto::Offset offset = first + i;
      for (const auto& [other, group] : group_of) {
        if (other >= first || group != group_of.at(offset) || !is_open(other)) {
          continue;
        }
        const auto holder = held_by.find(other);
        EXPECT_TRUE(holder != held_by.end() && holder->second == taker)
            << offset << " of group " << group << " is handed out before " << other;
      }
    }
    for (std::uint32_t i = 0; i < delivery.count; ++i) {
      held_by[first + i] = taker;
    }
  }

  void receive() {
    const int taker = ++takers;
    std::optional<proto::GrantId> since;
    std::uint64_t group = 0;
    for (std::uint32_t left = 1 + rng.below(10); left > 0;) {
      auto wanted = wish(queue, left);
      wanted.started = rng.one_in(2);
      wanted.since = since;
      wanted.group = group;
      wanted.is_alone = !since;
      auto step = state.decide(wanted, batches, now);
      if (const auto* aside = std::get_if<Passed>(&step)) {
        apply(Record{*aside});
        continue;
      }
      if (const auto* over = std::get_if<Expired>(&step)) {
        apply(Record{*over});
        continue;
      }
      const auto* given = std::get_if<ShardState::DispatchStep>(&step);
      if (given == nullptr) {
        break;
      }
      expect_in_order(given->delivery, taker);
      apply(Record{given->record});
      since = since.value_or(given->record.grant);
      group = given->group;
      left -= given->delivery.count;
      held.push_back({given->delivery, taker});
      if (given->must_be_alone) {
        break;
      }
    }
  }

  void settle() {
    if (held.empty()) {
      return;
    }
    const Held& one = held[rng.below(static_cast<std::uint32_t>(held.size()))];
    proto::SettleRange range = CoreRig::range(one.delivery, SettleKind::kAck);
    range.first_index += rng.below(one.delivery.count);
    range.count = 1 + rng.below(one.delivery.first_index + one.delivery.count - range.first_index);
    constexpr std::array kKinds = {
        SettleKind::kAck,     SettleKind::kAck,    SettleKind::kAck,
        SettleKind::kNack,    SettleKind::kPoison, SettleKind::kTransient,
        SettleKind::kRelease, SettleKind::kExtend, SettleKind::kStarted};
    range.kind = kKinds[rng.below(kKinds.size())];
    const bool may_wait = range.kind == SettleKind::kNack || range.kind == SettleKind::kTransient ||
                          range.kind == SettleKind::kRelease;
    range.value = may_wait && rng.one_in(2) ? rng.below(3000) : 0;
    if (range.kind == SettleKind::kExtend) {
      range.value = rng.below(5000);
    }
    CoreRig::settle(queue, range, now);
  }

  void step() {
    now += rng.below(200);
    switch (rng.below(12)) {
      case 0:
      case 1:
        send();
        break;
      case 2:
        expire(now, rng.one_in(2));
        break;
      case 3:
        if (const auto records = dead_letters(queue, now)) {
          apply(*records);
        }
        break;
      case 4:
        if (!held.empty()) {
          const Held& one = held[rng.below(static_cast<std::uint32_t>(held.size()))];
          apply(state.decide_unsaid(queue, one.delivery.base_offset, one.delivery.grant, now));
        }
        break;
      case 5:
        if (rng.one_in(8)) {
          apply(state.decide_restart(now, 100));
        }
        break;
      case 6:
        if (const auto step = state.decide_retention(queue, 0, batches, now);
            std::holds_alternative<Expired>(step)) {
          apply(Record{std::get<Expired>(step)});
        }
        break;
      case 7:
      case 8:
      case 9:
        settle();
        break;
      default:
        receive();
        break;
    }
  }

  Rng rng;
  QueueId queue;
  QueueId dead;
  std::uint32_t groups = 1;
  proto::TimeMs now = kNow;
  int takers = 0;
  std::map<proto::Offset, std::string> group_of;
  std::map<proto::Offset, int> held_by;  // the last who was given it
  std::vector<Held> held;
};

TEST(FifoUnderEverything, KeepsTheOrderWithinGroupsAndEqualsItsRows) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    storage::MemoryStore store;
    for (int i = 0; i < 300 && !testing::Test::HasFailure(); ++i) {
      model.step();
      const Queue& queue = *model.state.queue(model.queue);
      ASSERT_EQ(test::count_one_by_one(queue), queue.counters().runs);
      if (i % 10 == 0) {
        model.commit(store);
        test::expect_same_after_restore(model, store, model.now);
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace weir::core
