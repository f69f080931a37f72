#include "broker/core/queue/touched_batch.hpp"

#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace weir::core {
namespace {

using proto::GrantId;

core::Run lease_of(std::uint64_t grant, proto::TimeMs deadline, bool started = false) {
  core::Run run;
  run.grant = GrantId{grant};
  run.nonce = grant * 10;
  run.when = deadline;
  run.started = started;
  return run;
}

TEST(TouchedBatch, KeepsOneRunForOneLease) {
  TouchedBatch batch(100, 199, 5000, 0);
  batch.lease(0, 100, lease_of(1, 50));
  ASSERT_EQ(batch.runs().size(), 1U);
  EXPECT_EQ(batch.counts().leased, 100U);
  EXPECT_EQ(batch.next_deadline(), 50);
  EXPECT_EQ(batch.next_due(), TouchedBatch::kNever);
  EXPECT_EQ(batch.bytes(), 5000U);
  EXPECT_FALSE(batch.done());
}

TEST(TouchedBatch, SplitsARunWhereAPartOfItChangesAndMergesItAgain) {
  TouchedBatch batch(0, 9, 100, 0);
  batch.lease(0, 10, lease_of(1, 50));
  batch.update(3, 4, [](core::Run& run, std::uint32_t live) {
    EXPECT_EQ(live, 4U);
    run.when = 90;
  });
  ASSERT_EQ(batch.runs().size(), 3U);
  EXPECT_EQ(batch.runs()[1].first, 3U);
  EXPECT_EQ(batch.runs()[1].count, 4U);
  EXPECT_EQ(batch.next_deadline(), 50);
  batch.update(0, 10, [](core::Run& run, std::uint32_t) { run.when = 90; });
  EXPECT_EQ(batch.runs().size(), 1U);
  EXPECT_EQ(batch.next_deadline(), 90);
}

TEST(TouchedBatch, CountsAnAckOnceAndTellsWhichLeaseItFreed) {
  TouchedBatch batch(0, 129, 100, 0);
  batch.lease(0, 65, lease_of(1, 50));
  batch.lease(65, 65, lease_of(2, 60));
  std::map<GrantId, std::uint32_t> freed;
  const auto note = [&freed](GrantId grant, std::uint32_t live) { freed[grant] += live; };
  EXPECT_EQ(batch.ack(60, 10, note), 10U);
  EXPECT_EQ(batch.ack(60, 10, note), 0U);
  EXPECT_EQ(freed[GrantId{1}], 5U);
  EXPECT_EQ(freed[GrantId{2}], 5U);
  EXPECT_EQ(batch.counts().leased, 120U);
  batch.ack(0, 65, note);
  EXPECT_EQ(batch.next_deadline(), 60) << "a lease of which all is done has no deadline";
  batch.ack(65, 65, note);
  EXPECT_TRUE(batch.done());
  EXPECT_TRUE(batch.runs().empty());
}

TEST(TouchedBatch, KeepsTheAttemptsOfEachMessageThroughANewLease) {
  TouchedBatch batch(0, 3, 100, 0);
  batch.lease(0, 2, lease_of(1, 50, true));
  batch.update(0, 2, [](core::Run& run, std::uint32_t) {
    run.state = RunState::kReturned;
    run.started = false;
  });
  batch.lease(0, 4, lease_of(2, 70, true));
  EXPECT_EQ(batch.run_at(0)->attempts, 2);
  EXPECT_EQ(batch.run_at(1)->attempts, 2);
  EXPECT_EQ(batch.run_at(2)->attempts, 1);
  EXPECT_EQ(batch.run_at(3)->attempts, 1);
}

TEST(TouchedBatch, FindsItsWayAroundAckedMessages) {
  TouchedBatch batch(0, 9, 100, 0);
  batch.lease(0, 10, lease_of(1, 50));
  batch.ack(2, 3, [](GrantId, std::uint32_t) {});
  EXPECT_EQ(batch.next_live(2, 10), 5U);
  EXPECT_EQ(batch.live_end(0, 10), 2U);
  EXPECT_EQ(batch.next_live(2, 4), 4U);
  EXPECT_EQ(batch.live_end(5, 10), 10U);
}

TEST(TouchedBatch, RefusesRowsThatContradictThemselves) {
  const auto restores = [](std::vector<std::uint64_t> acked, std::vector<core::Run> runs) {
    TouchedBatch batch(0, 9, 100, 0);
    return batch.restore(std::move(acked), std::move(runs));
  };
  const auto run = [](std::uint32_t first, std::uint32_t count) {
    core::Run one;
    one.first = first;
    one.count = count;
    return one;
  };
  EXPECT_TRUE(restores({}, {run(0, 10)}));
  EXPECT_TRUE(restores({0x3ff}, {}));
  EXPECT_FALSE(restores({0x400}, {})) << "a bit behind the batch";
  EXPECT_FALSE(restores({0, 0}, {})) << "more words than messages";
  EXPECT_FALSE(restores({}, {run(5, 6)})) << "a run behind the batch";
  EXPECT_FALSE(restores({}, {run(5, 0)})) << "an empty run";
  EXPECT_FALSE(restores({}, {run(4, 3), run(5, 1)})) << "runs that overlap";
  EXPECT_FALSE(restores({}, {run(UINT32_MAX, 2)})) << "a run whose end overflows";
}

// One message at a time: what TouchedBatch must amount to.
struct ModelMessage {
  bool acked = false;
  std::optional<RunState> state;
  bool started = false;
  std::uint16_t attempts = 0;
  GrantId grant;
  proto::TimeMs when = 0;
};

struct Model {
  explicit Model(std::uint32_t size) : messages(size) {}
  std::vector<ModelMessage> messages;

  void expect_same(const TouchedBatch& batch) const {
    RunCounts counts;
    proto::TimeMs deadline = TouchedBatch::kNever;
    proto::TimeMs due = TouchedBatch::kNever;
    bool done = true;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
      const ModelMessage& message = messages[i];
      ASSERT_EQ(batch.acked(i), message.acked) << i;
      done = done && message.acked;
      if (message.acked) {
        continue;
      }
      const core::Run* run = batch.run_at(i);
      ASSERT_EQ(run != nullptr, message.state.has_value()) << i;
      if (run == nullptr) {
        continue;
      }
      ASSERT_EQ(run->state, *message.state) << i;
      ASSERT_EQ(run->attempts, message.attempts) << i;
      ASSERT_EQ(run->started, message.started) << i;
      ASSERT_EQ(run->grant, message.grant) << i;
      ASSERT_EQ(run->when, message.when) << i;
      if (run->state == RunState::kLeased) {
        ++counts.leased;
        deadline = std::min(deadline, message.when);
      } else if (run->state == RunState::kReturned) {
        ++counts.returned;
        due = std::min(due, message.when);
      } else if (run->state == RunState::kDying) {
        ++counts.dying;
      } else {
        ++counts.parked;
      }
    }
    ASSERT_EQ(batch.counts(), counts);
    ASSERT_EQ(batch.next_deadline(), deadline);
    ASSERT_EQ(batch.next_due(), due);
    ASSERT_EQ(batch.done(), done);
    std::uint32_t end = 0;
    for (const core::Run& run : batch.runs()) {
      ASSERT_GE(run.first, end) << "runs are sorted and disjoint";
      end = run.end();
    }
  }
};

TEST(TouchedBatch, AmountsToAModelOfSingleMessages) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    test::Rng rng(seed);
    const std::uint32_t size = 1 + rng.below(150);
    TouchedBatch batch(1000, 1000 + size - 1, 77, 0);
    Model model(size);
    for (int step = 0; step < 80; ++step) {
      const std::uint32_t first = rng.below(size);
      const std::uint32_t count = 1 + rng.below(size - first);
      const std::uint32_t action = rng.below(5);
      if (action == 0) {
        // Leases cover live messages only, as every hand-out does.
        const std::uint32_t from = batch.next_live(first, first + count);
        const std::uint32_t to = batch.live_end(from, first + count);
        if (from < to) {
          const core::Run like =
              lease_of(static_cast<std::uint64_t>(step) + 1, 100 + rng.below(4), rng.one_in(2));
          batch.lease(from, to - from, like);
          for (std::uint32_t i = from; i < to; ++i) {
            ModelMessage& message = model.messages[i];
            message.state = RunState::kLeased;
            message.started = like.started;
            message.attempts = static_cast<std::uint16_t>(message.attempts + like.started);
            message.grant = like.grant;
            message.when = like.when;
          }
        }
      } else if (action == 1) {
        std::uint32_t freed = 0;
        std::uint32_t expected_freed = 0;
        std::uint32_t expected = 0;
        for (std::uint32_t i = first; i < first + count; ++i) {
          ModelMessage& message = model.messages[i];
          expected += message.acked ? 0 : 1;
          expected_freed += !message.acked && message.state == RunState::kLeased ? 1 : 0;
          message.acked = true;
        }
        EXPECT_EQ(batch.ack(first, count, [&](GrantId, std::uint32_t n) { freed += n; }), expected);
        EXPECT_EQ(freed, expected_freed);
      } else {
        const auto state = static_cast<RunState>(1 + rng.below(4));
        const proto::TimeMs when = 200 + rng.below(3);
        std::uint32_t seen = 0;
        std::uint32_t expected = 0;
        batch.update(first, count, [&](core::Run& run, std::uint32_t live) {
          seen += live;
          run.state = state;
          run.when = when;
          run.started = false;
        });
        for (std::uint32_t i = first; i < first + count; ++i) {
          ModelMessage& message = model.messages[i];
          if (message.state && !message.acked) {
            ++expected;
            message.state = state;
            message.when = when;
            message.started = false;
          }
        }
        EXPECT_EQ(seen, expected);
      }
      model.expect_same(batch);
      if (HasFatalFailure()) {
        return;
      }
    }
    TouchedBatch again(1000, 1000 + size - 1, 77, 0);
    ASSERT_TRUE(again.restore(batch.acked_words(), batch.runs()));
    model.expect_same(again);
    EXPECT_EQ(again.runs(), batch.runs());
  }
}

}  // namespace
}  // namespace weir::core
