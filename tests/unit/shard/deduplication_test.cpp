#include "broker/core/record_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

// Sends that are looked up in the store: nothing is stored twice, whatever happens between the
// read and the decision, and nothing overtakes what waits for one.
namespace weir::shard {
namespace {

using core::test::Sending;
using test::Session;
using test::ShardRig;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Known = proto::SentEntry::Place;

class DeduplicationShard : public ::testing::Test {
 protected:
  DeduplicationShard() {
    rig.open(client);
    rig.open(other);
    queue = rig.create_queue(client, "work.fifo", {60'000});
  }
  void send(Session& session, const std::vector<Sending>& messages,
            proto::BatchBuilder::Producer producer = {}) {
    core::SendBatch batch =
        core::test::a_batch_with_ids(proto::LogId{queue.value}, messages, producer);
    batch.send_number = ++sends;
    rig.shard.send(session.id, std::move(batch), 0);
  }
  [[nodiscard]] std::uint64_t messages() { return rig.info("work.fifo").messages(); }

  ShardRig rig;
  Session client;
  Session other;
  proto::QueueId queue;
  std::uint64_t sends = 0;
};

TEST_F(DeduplicationShard, AnswersADuplicateWithTheOriginal) {
  send(client, {{"a", "1"}});
  rig.settle_down();
  send(other, {{"b", "2"}, {"a", "1"}});
  rig.settle_down();
  ASSERT_EQ(other.sent.size(), 1U);
  EXPECT_EQ(other.sent[0].code, 0);
  EXPECT_EQ(other.sent[0].flags, 0);
  EXPECT_EQ(other.sent[0].base_offset, 1);
  EXPECT_THAT(other.sent[0].known, ElementsAre(Known{1, 0}));
  send(other, {{"a", "1"}});
  rig.settle_down();
  EXPECT_EQ(other.sent[1].flags, proto::SentEntry::kDuplicate);
  EXPECT_THAT(other.sent[1].known, ElementsAre(Known{0, 0}));
  EXPECT_EQ(messages(), 2U);
}

TEST_F(DeduplicationShard, KnowsWhatIsNotCommitted) {
  send(client, {{"a", "1"}});
  rig.run();
  ASSERT_TRUE(rig.load_one());
  EXPECT_EQ(rig.log.waiting.size(), 1U);
  send(other, {{"a", "1"}});
  rig.run();
  EXPECT_THAT(rig.loader.waiting, IsEmpty()) << "it is in memory";
  EXPECT_THAT(other.sent, IsEmpty()) << "the original is not durable yet";
  rig.settle_down();
  EXPECT_EQ(other.sent[0].flags, proto::SentEntry::kDuplicate);
  EXPECT_EQ(messages(), 1U);
}

TEST_F(DeduplicationShard, KnowsWhatCameWhileItWasRead) {
  send(client, {{"a", "1"}});
  send(other, {{"a", "1"}});
  rig.run();
  ASSERT_EQ(rig.loader.waiting.size(), 2U);
  auto late = std::move(rig.loader.waiting.back());
  rig.loader.waiting.pop_back();
  const auto before = rig.store.snapshot();
  auto go_on = late(*before);  // the store knew nothing
  ASSERT_TRUE(rig.load_one());
  rig.commit_all();
  EXPECT_EQ(client.sent.size(), 1U) << "the first one is durable, and forgotten but for that read";
  go_on();
  rig.settle_down();
  ASSERT_EQ(other.sent.size(), 1U);
  EXPECT_EQ(other.sent[0].flags, proto::SentEntry::kDuplicate);
  EXPECT_EQ(messages(), 1U);
}

// What is in memory for another's read may be forgotten when this one's is done.
TEST_F(DeduplicationShard, ComesToAnEndWhateverIsForgottenMeanwhile) {
  Session third;
  rig.open(third);
  send(third, {{"x", "9"}});
  rig.run();
  auto open = std::move(rig.loader.waiting.front());
  rig.loader.waiting.pop_front();
  send(client, {{"a", "1"}});
  rig.run();
  ASSERT_TRUE(rig.load_one());
  rig.commit_all();
  EXPECT_EQ(client.sent.size(), 1U);
  send(other, {{"a", "1"}, {"b", "2"}});
  rig.run();
  const auto reader = rig.store.snapshot();
  open (*reader)();
  rig.run();
  rig.settle_down();
  ASSERT_EQ(other.sent.size(), 1U);
  EXPECT_THAT(other.sent[0].known, ElementsAre(Known{0, 0}));
  EXPECT_EQ(messages(), 3U);
}

TEST_F(DeduplicationShard, RemembersNothingWhereNothingIsNew) {
  rig.log.keeps_records = true;
  send(client, {{"a", "1"}});
  rig.settle_down();
  send(client, {{"a", "1"}, {"b"}});
  rig.settle_down();
  for (const CommitUnit& unit : rig.log.kept) {
    for (const std::string& record : unit.records) {
      EXPECT_TRUE(core::records::decode(record)) << "a follower must read it";
    }
  }
  EXPECT_EQ(messages(), 2U);
}

TEST_F(DeduplicationShard, LetsNothingOvertakeWhatIsLookedUp) {
  send(client, {{"a", "1"}});
  send(client, {{"b"}});
  send(client, {{"c", "2"}});
  rig.run();
  EXPECT_EQ(rig.loader.waiting.size(), 2U) << "those behind are looked up meanwhile";
  EXPECT_THAT(rig.log.waiting, IsEmpty());
  rig.settle_down();
  ASSERT_EQ(client.sent.size(), 3U);
  EXPECT_EQ(client.sent[0].base_offset, 0);
  EXPECT_EQ(client.sent[1].base_offset, 1);
  EXPECT_EQ(client.sent[2].base_offset, 2);
}

TEST_F(DeduplicationShard, KeepsTheSequenceOfAProducer) {
  rig.ask(client, 5, core::InitProducer{});
  rig.settle_down();
  const auto info = client.reply<core::ProducerInfo>(5);
  const auto as = [&](std::int32_t sequence) {
    return proto::BatchBuilder::Producer{static_cast<std::int64_t>(info.id.value),
                                         static_cast<std::int16_t>(info.epoch), sequence};
  };
  send(client, {{"a", "1"}}, as(0));
  send(client, {{"a", "1"}, {"b"}}, as(1));
  send(client, {{"a", "1"}}, as(3));
  send(client, {{"c", "3"}}, as(4));
  rig.settle_down();
  ASSERT_EQ(client.sent.size(), 4U);
  for (const proto::SentEntry& entry : client.sent) {
    EXPECT_EQ(entry.code, 0);
  }
  send(client, {{"a", "1"}, {"b"}}, as(1));
  rig.settle_down();
  EXPECT_EQ(client.sent[4].flags, proto::SentEntry::kDuplicate);
  EXPECT_EQ(client.sent[4].base_offset, 1);
  EXPECT_THAT(client.sent[4].known, ElementsAre(Known{0, 0}));
  EXPECT_EQ(messages(), 3U);
}

TEST_F(DeduplicationShard, ReadsAgainWhatWasPurgedMeanwhile) {
  send(client, {{"a", "1"}});
  rig.settle_down();
  send(client, {{"a", "1"}});
  rig.run();
  ASSERT_EQ(rig.loader.waiting.size(), 1U);
  rig.ask(other, 6, core::PurgeQueue{"default", "work.fifo"});
  rig.run();
  rig.settle_down();
  ASSERT_EQ(client.sent.size(), 2U);
  EXPECT_EQ(client.sent[1].flags, 0) << "a purge forgets";
  EXPECT_EQ(messages(), 1U);
}

TEST_F(DeduplicationShard, WaitsForNobodyWhoHasGone) {
  send(client, {{"a", "1"}});
  rig.run();
  rig.shard.close_session(client.id);
  rig.settle_down();
  EXPECT_EQ(messages(), 1U) << "it had come";
  send(other, {{"a", "1"}});
  rig.settle_down();
  EXPECT_EQ(other.sent[0].flags, proto::SentEntry::kDuplicate);
}

}  // namespace
}  // namespace weir::shard
