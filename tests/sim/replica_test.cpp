#include "tests/sim/replica.hpp"

#include "broker/core/record_codec.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>

namespace weir::sim {
namespace {

using core::test::CoreRig;
using core::test::kNow;
using core::test::values_of;
using storage::Family;
using storage::KeyKind;

/// A primary that writes what a shard would write, and a replica that hears of it. What it hears is
/// in the test's hand.
struct Pair {
  using Alter = std::function<void(shard::CommitUnit&)>;

  Pair() { write({}, core::ShardState(1).decide_start()); }  // which the rig has applied

  /// Applies the records to the primary and writes the unit, unsynced; the replica hears it as
  /// `alter` leaves it.
  void unit(const Alter& alter, const std::vector<core::Record>& records) {
    rig.apply(records);
    write(alter, records);
  }
  void write(const Alter& alter, const std::vector<core::Record>& records) {
    shard::CommitUnit made;
    made.index = proto::CommitIndex{written.index.value + 1};
    made.time = kNow;
    for (const core::Record& record : records) {
      made.records.push_back(core::records::encode(record));
    }
    made.rows = rig.state.take_rows();
    written = storage::next_point(written, made.index, made.time, made.rows);
    storage::WriteBatch point;
    storage::put_commit_point(point, written);
    const std::array<const storage::WriteBatch*, 2> all = {&made.rows, &point};
    store.write_unsynced(all).value();
    if (alter) {
      alter(made);
    }
    replica.hear(made);
  }
  void unit(const std::vector<core::Record>& records) { unit({}, records); }
  void create_queue(const std::string& name) {
    unit(rig.state.decide(core::CreateQueue{"default", name, {}, {}}).value());
    queue = rig.state.catalog().queue("default", name).value();
  }
  void send(std::uint32_t count) {
    core::SendBatch batch = core::test::a_batch(proto::LogId{queue.value}, values_of(count));
    unit({*rig.decide(batch, kNow).value().record});
  }
  /// The lease of the next messages, decided and not applied.
  core::Leased lease(std::uint32_t count) {
    const auto step = rig.state.decide(rig.wish(queue, count), rig.batches, kNow);
    return std::get<core::ShardState::DispatchStep>(step).record;
  }
  std::optional<std::string> sync_and_follow() {
    store.sync().value();
    return replica.follow(store);
  }

  CoreRig rig;
  storage::MemoryStore store;
  storage::CommitPoint written;
  Replica replica{100};
  proto::QueueId queue;
};

class ReplicaTest : public ::testing::Test, public Pair {};

TEST_F(ReplicaTest, BecomesEqualFromTheRecordsAlone) {
  create_queue("work");
  send(5);
  const core::Leased leased = lease(3);
  unit({leased, core::Started{leased.range}});
  EXPECT_EQ(replica.applied().value, 0U) << "nothing is committed";
  EXPECT_EQ(replica.follow(store), std::nullopt);
  EXPECT_EQ(replica.applied().value, 0U);
  EXPECT_EQ(sync_and_follow(), std::nullopt);
  EXPECT_EQ(replica.applied(), written.index);
  EXPECT_EQ(replica.difference(store), std::nullopt);
}

TEST_F(ReplicaTest, GoesOnFromItsOwnRowsAfterARestart) {
  create_queue("work");
  send(5);
  const core::Leased leased = lease(3);
  unit({leased});
  ASSERT_EQ(sync_and_follow(), std::nullopt);
  ASSERT_EQ(replica.restart(), std::nullopt);
  unit({core::Acked{leased.range}});
  send(2);
  unit({lease(2)});
  EXPECT_EQ(sync_and_follow(), std::nullopt);
  EXPECT_EQ(replica.difference(store), std::nullopt);
}

TEST(ReplicaOfACrash, FollowsExactlyWhatWasKept) {
  std::set<std::uint64_t> kept_units;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Pair pair;
    pair.create_queue("work");
    ASSERT_EQ(pair.sync_and_follow(), std::nullopt);
    pair.send(1);
    pair.send(2);
    pair.send(3);
    kept_units.insert(pair.store.crash(seed));
    const auto kept = storage::read_commit_point(*pair.store.snapshot()).value();
    ASSERT_EQ(pair.replica.follow(pair.store), std::nullopt);
    EXPECT_EQ(pair.replica.applied(), kept.index);
    EXPECT_EQ(pair.replica.difference(pair.store), std::nullopt);
  }
  EXPECT_EQ(kept_units, (std::set<std::uint64_t>{0, 1, 2, 3}));
}

TEST_F(ReplicaTest, NoticesARecordThatIsLeftOut) {
  create_queue("work");
  send(5);
  const core::Leased leased = lease(3);
  unit([](shard::CommitUnit& heard) { heard.records.pop_back(); },
       {leased, core::Started{leased.range}});
  const auto wrong = sync_and_follow();
  ASSERT_TRUE(wrong);
  EXPECT_EQ(*wrong, "after unit 4: touched batch of queue 2, generation 1, last offset 4 differs");
}

TEST_F(ReplicaTest, NoticesARecordThatWasAltered) {
  create_queue("work");
  send(5);
  core::Leased leased = lease(3);
  unit(
      [leased](shard::CommitUnit& heard) mutable {
        ++leased.deadline;
        heard.records.back() = core::records::encode(leased);
      },
      {leased});
  const auto wrong = sync_and_follow();
  ASSERT_TRUE(wrong);
  EXPECT_NE(wrong->find("touched batch of queue 2"), std::string::npos) << *wrong;
}

TEST_F(ReplicaTest, NoticesADifferenceThatALaterUnitHides) {
  create_queue("work");
  send(3);
  core::Leased leased = lease(3);
  unit(
      [leased](shard::CommitUnit& heard) mutable {
        ++leased.nonce;
        heard.records.back() = core::records::encode(leased);
      },
      {leased});
  unit({core::Acked{leased.range}});
  const auto wrong = sync_and_follow();
  ASSERT_TRUE(wrong);
  EXPECT_NE(wrong->find("were not written by equal units"), std::string::npos) << *wrong;
}

TEST_F(ReplicaTest, NoticesRowsThatNoRecordExplains) {
  create_queue("work");
  storage::WriteBatch rows;
  rows.put(Family::kLog, storage::batch_key(KeyKind::kBatch, 9, 1, 7), std::string("x"));
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  store.write_unsynced(all).value();
  EXPECT_EQ(sync_and_follow(), std::nullopt) << "the commit point alone does not show it";
  EXPECT_EQ(replica.difference(store),
            "after unit 2: batch of log 9, generation 1, last offset 7 is missing in the replica");
}

TEST_F(ReplicaTest, NoticesAUnitThatItNeverHeard) {
  create_queue("work");
  replica.forget_unfollowed();
  EXPECT_EQ(sync_and_follow(), "unit 1 is committed, but not heard");
}

TEST_F(ReplicaTest, NoticesAUnitWithoutRecordsOrWithADamagedOne) {
  create_queue("work");
  ASSERT_EQ(sync_and_follow(), std::nullopt);
  Replica second(100);
  shard::CommitUnit empty;
  empty.index = proto::CommitIndex{1};
  second.hear(empty);
  EXPECT_EQ(second.follow(store), "unit 1: INTERNAL: it has no records");
  Replica third(100);
  empty.records.emplace_back("damaged");
  third.hear(empty);
  EXPECT_NE(third.follow(store)->find("CORRUPT_BATCH"), std::string::npos);
}

TEST(DescribeKey, NamesKindAndObject) {
  EXPECT_EQ(describe_key(Family::kState, storage::meta_key(storage::MetaRow::kAllocator)),
            "meta row 3");
  EXPECT_EQ(describe_key(Family::kState, storage::object_key(KeyKind::kQueueState, 5)),
            "state of queue 5");
  EXPECT_EQ(
      describe_key(Family::kState, storage::timed_batch_key(KeyKind::kTimeIndex, 6, 0, 1000, 12)),
      "time index of log 6, generation 0, time 1000, last offset 12");
  EXPECT_EQ(describe_key(Family::kState,
                         storage::producer_window_key(proto::ProducerId{3}, proto::LogId{4})),
            "window of producer 3 in log 4");
  EXPECT_EQ(describe_key(Family::kState, "\x7f"), "row of unknown kind 127 of a key of 1 bytes");
}

}  // namespace
}  // namespace weir::sim
