#include "broker/shard/backups.hpp"
#include "storage/import.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

// A copy of everything, read block by block by one client while others go on.
namespace weir::shard {
namespace {

using core::BackupBlock;
using core::ReadBackup;
using proto::Errc;
using test::Session;
using test::ShardRig;
using test::values_of;

class Backup : public ::testing::Test {
 protected:
  Backup() {
    rig.open(client);
    rig.open(other);
    log = proto::LogId{rig.create_queue(client, "work").value};
    send(50);
  }
  /// Each of a size that fills a block with three of them.
  void send(int messages) {
    for (int i = 0; i < messages; ++i) {
      ++sends;
      rig.send(client, log, sends, {std::string(100'000, 'x') + std::to_string(sends)});
    }
    rig.settle_down();
  }
  const proto::Result<core::Reply>& ask(Session& session, const ReadBackup& what) {
    rig.ask(session, ++requests, what);
    rig.settle_down();
    return session.replies.at(requests);
  }
  BackupBlock block(const ReadBackup& what) {
    return std::get<BackupBlock>(ask(client, what).value());
  }
  Errc refusal(Session& session, const ReadBackup& what) { return ask(session, what).error().code; }

  ShardRig rig;
  Session client;
  Session other;
  proto::LogId log;
  std::uint64_t sends = 0;
  std::uint64_t requests = 0;
};

TEST_F(Backup, HoldsWhatWasThereWhenItBeganAndNothingLater) {
  storage::CommitPoint begin = storage::read_commit_point(*rig.store.snapshot()).value();
  core::ShardState before(100);
  ASSERT_TRUE(before.restore(*rig.store.snapshot()));
  BackupBlock last = block({});
  const std::uint64_t backup = last.backup;
  std::string stream;
  while (true) {
    stream += last.bytes;
    if (last.summary) {
      break;
    }
    send(1);
    last = block({.backup = backup, .block = last.block + 1});
    EXPECT_EQ(last.backup, backup);
  }
  EXPECT_GT(last.block, 10U);
  EXPECT_EQ(last.summary->point, begin);
  EXPECT_EQ(last.summary->incarnation, 1U);

  storage::MemoryStore copy;
  const auto imported = storage::import_shard(
      copy,
      [&stream, at = std::size_t{0}](std::span<char> into) mutable -> proto::Result<std::size_t> {
        const std::size_t bytes = std::min(into.size(), stream.size() - at);
        std::memcpy(into.data(), stream.data() + at, bytes);
        at += bytes;
        return bytes;
      });
  ASSERT_TRUE(imported) << imported.error().to_string();
  EXPECT_EQ(imported->digest, last.summary->rows_digest);
  EXPECT_EQ(imported->rows, last.summary->rows);
  EXPECT_EQ(imported->bytes, last.summary->row_bytes);
  core::ShardState after(100);
  ASSERT_TRUE(after.restore(*copy.snapshot()));
  const proto::QueueId queue{log.value};
  EXPECT_EQ(after.queue(queue)->counters(), before.queue(queue)->counters());
}

TEST_F(Backup, ComesInBlocksThatHoldNobodyUp) {
  BackupBlock last = block({});
  const std::uint64_t backup = last.backup;
  while (!last.summary) {
    EXPECT_LE(last.bytes.size(), proto::kMaxPieceBytes + 101'000) << "one row on top";
    last = block({.backup = backup, .block = last.block + 1});
  }
  // While a block is read, everybody else goes on.
  rig.ask(client, ++requests, ReadBackup{});
  rig.run();
  ASSERT_EQ(rig.loader.waiting.size(), 1U);
  rig.send(other, log, 1, values_of(1));
  rig.run();
  rig.commit_all();
  EXPECT_EQ(other.sent.size(), 1U);
  EXPECT_FALSE(client.replies.contains(requests));
}

TEST_F(Backup, IsReadInOrderByItsOwnSession) {
  const BackupBlock first = block({});
  EXPECT_EQ(refusal(client, {.backup = first.backup, .block = 0}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(client, {.backup = first.backup, .block = 2}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(client, {.backup = first.backup + 1, .block = 1}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(client, {.backup = 0, .block = 1}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(other, {.backup = first.backup, .block = 1}), Errc::kInvalidArgument);
  EXPECT_EQ(block({.backup = first.backup, .block = 1}).block, 1U) << "it was not disturbed";
}

TEST_F(Backup, GivesABlockOnlyWhenTheOneBeforeWasGiven) {
  const BackupBlock first = block({});
  rig.ask(client, 101, ReadBackup{.backup = first.backup, .block = 1});
  rig.ask(client, 102, ReadBackup{.backup = first.backup, .block = 1});
  rig.ask(client, 103, ReadBackup{.backup = first.backup, .block = 2});
  rig.settle_down();
  EXPECT_TRUE(client.replies.at(101));
  EXPECT_EQ(client.replies.at(102).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.replies.at(103).error().code, Errc::kInvalidArgument);
  EXPECT_TRUE(ask(client, {.backup = first.backup, .block = 2}));
}

TEST_F(Backup, IsOneAtATime) {
  const BackupBlock first = block({});
  EXPECT_EQ(refusal(other, {}), Errc::kLimitExceeded);
  BackupBlock last = block({.backup = first.backup, .block = 1});
  while (!last.summary) {
    last = block({.backup = first.backup, .block = last.block + 1});
  }
  EXPECT_EQ(refusal(client, {.backup = first.backup, .block = last.block + 1}),
            Errc::kInvalidArgument);
  EXPECT_TRUE(ask(other, {})) << "its end makes room for the next";
}

TEST_F(Backup, EndsWithItsSessionAlsoInTheMiddleOfABlock) {
  ASSERT_TRUE(ask(client, {}));
  rig.shard.close_session(client.id);
  rig.settle_down();
  ASSERT_TRUE(ask(other, {}));
  rig.ask(other, 200, ReadBackup{});
  rig.run();
  ASSERT_EQ(rig.loader.waiting.size(), 1U);
  rig.shard.close_session(other.id);
  rig.settle_down();
  EXPECT_FALSE(other.replies.contains(200));
  Session third;
  rig.open(third);
  EXPECT_TRUE(ask(third, {}));
}

TEST_F(Backup, GivesWayToAnotherOfItsSession) {
  rig.ask(client, 101, ReadBackup{});
  rig.run();
  rig.ask(client, 102, ReadBackup{});
  rig.settle_down();
  EXPECT_EQ(client.replies.at(101).error().code, Errc::kInvalidArgument);
  const auto second = client.reply<BackupBlock>(102);
  EXPECT_EQ(second.block, 0U);
  EXPECT_TRUE(ask(client, {.backup = second.backup, .block = 1}));
}

TEST_F(Backup, EndsWhenNobodyReadsOn) {
  const BackupBlock first = block({});
  rig.pass(Backups::kIdleMs - 1);
  const BackupBlock second = block({.backup = first.backup, .block = 1});
  EXPECT_EQ(second.block, 1U);
  ASSERT_TRUE(rig.timer);
  EXPECT_LE(*rig.timer, rig.now + Backups::kIdleMs);
  rig.pass(Backups::kIdleMs);
  EXPECT_EQ(refusal(client, {.backup = first.backup, .block = 2}), Errc::kInvalidArgument);
  EXPECT_TRUE(ask(other, {}));
}

TEST_F(Backup, EndsWithWhatCannotBeRead) {
  const BackupBlock first = block({});
  rig.store.fail_reads(true);
  EXPECT_EQ(refusal(client, {.backup = first.backup, .block = 1}), Errc::kStorageFailed);
  rig.store.fail_reads(false);
  EXPECT_EQ(refusal(client, {.backup = first.backup, .block = 1}), Errc::kInvalidArgument);
  EXPECT_TRUE(rig.failures.empty()) << "the shard goes on";
  EXPECT_TRUE(ask(other, {}));
}

TEST_F(Backup, DoesNotOutliveTheShardsMemory) {
  rig.ask(client, 101, ReadBackup{});
  rig.run();
  rig.log.forget();
  ASSERT_TRUE(rig.shard.reset());
  rig.shard.on_leadership(true, 0);
  rig.settle_down();
  EXPECT_FALSE(client.replies.contains(101));
  Session again;
  rig.open(again);
  EXPECT_TRUE(ask(again, {}));
}

TEST_F(Backup, TellsOfItsBeginningAndItsEnd) {
  using What = BackupEvent::What;
  BackupBlock last = block({});
  ASSERT_EQ(rig.backups.size(), 1U);
  EXPECT_EQ(rig.backups[0].what, What::kBegun);
  EXPECT_EQ(rig.backups[0].session, client.id);
  std::uint64_t bytes = last.bytes.size();
  EXPECT_EQ(last.expected_bytes, 5'000'000U);
  rig.pass(70);
  while (!last.summary) {
    last = block({.backup = last.backup, .block = last.block + 1});
    bytes += last.bytes.size();
    EXPECT_EQ(last.expected_bytes, 0U) << "it was said";
  }
  ASSERT_EQ(rig.backups.size(), 2U);
  EXPECT_EQ(rig.backups[1].what, What::kDone);
  EXPECT_EQ(rig.backups[1].bytes, bytes);
  EXPECT_EQ(rig.backups[1].took_ms, 70);
  const BackupCounts counts = rig.shard.metrics().backups;
  EXPECT_EQ(counts.done, 1U);
  EXPECT_EQ(counts.last_bytes, bytes);
  EXPECT_EQ(counts.last_took_ms, 70);
  EXPECT_EQ(counts.last_time, rig.now);
}

TEST_F(Backup, TellsWhyItHasNotComeToItsEnd) {
  const auto ended = [this](BackupEvent::What what) {
    const BackupEvent& event = rig.backups.back();
    return event.what == what ? event.why : "it did not";
  };
  using What = BackupEvent::What;
  ASSERT_TRUE(ask(client, {}));
  ASSERT_TRUE(ask(client, {}));
  EXPECT_EQ(rig.backups.at(1).why, "its client has begun another one");
  rig.pass(Backups::kIdleMs);
  EXPECT_EQ(ended(What::kAbandoned), "nobody has read on for 60 s");
  const BackupBlock first = block({});
  rig.store.fail_reads(true);
  refusal(client, {.backup = first.backup, .block = 1});
  rig.store.fail_reads(false);
  EXPECT_EQ(ended(What::kFailed).find("STORAGE_FAILED"), 0U) << ended(What::kFailed);
  ASSERT_TRUE(ask(client, {}));
  rig.shard.close_session(client.id);
  rig.settle_down();
  EXPECT_EQ(ended(What::kAbandoned), "its connection has ended");
  ASSERT_TRUE(ask(other, {}));
  ASSERT_TRUE(rig.shard.reset());
  EXPECT_EQ(ended(What::kAbandoned), "the shard begins anew");
  const BackupCounts counts = rig.shard.metrics().backups;
  EXPECT_EQ(counts.done, 0U);
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(counts.abandoned, 4U);
  EXPECT_EQ(counts.last_time, 0);
}

}  // namespace
}  // namespace weir::shard
