#include "broker/shard/damaged_places.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

// Stored message data that can not be read any more: it fails who reads it, and nothing else.
namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;
using testing::HasSubstr;

class Damage : public ::testing::Test {
 protected:
  // A tail cache that holds one batch: all others come from the store.
  Damage() : rig(1) { rig.open(client); }

  [[nodiscard]] storage::Key row_of(LogId log, proto::Offset last_offset) const {
    return storage::batch_key(storage::KeyKind::kBatch, log.value, generation_of(log), last_offset);
  }
  [[nodiscard]] std::uint32_t generation_of(LogId log) const { return log == topic_log ? 0 : 1; }
  void write(const storage::WriteBatch& rows) {
    const std::array<const storage::WriteBatch*, 1> all = {&rows};
    rig.store.commit(all).value();
  }
  /// Changes one byte of a stored batch and gives the bytes as they were.
  std::string flip(LogId log, proto::Offset last_offset) {
    const storage::Key key = row_of(log, last_offset);
    const std::string was = rig.store.snapshot()->get(storage::Family::kLog, key)->value();
    std::string bytes = was;
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    put(log, last_offset, bytes);
    return was;
  }
  void put(LogId log, proto::Offset last_offset, const std::string& bytes) {
    storage::WriteBatch rows;
    rows.put(storage::Family::kLog, row_of(log, last_offset), bytes);
    write(rows);
  }
  void remove(LogId log, proto::Offset last_offset) {
    storage::WriteBatch rows;
    rows.remove(storage::Family::kLog, row_of(log, last_offset));
    write(rows);
  }
  /// `count` batches of two messages each.
  void send(LogId log, int count) {
    for (int i = 0; i < count; ++i) {
      rig.send(client, log, ++sends, values_of(2), {}, log == topic_log);
      rig.settle_down();
    }
  }
  LogId queue(const std::string& name, core::QueueSettings settings = {}) {
    return LogId{rig.create_queue(client, name, std::move(settings)).value};
  }
  proto::Result<core::Reply> receive(const std::string& name, std::uint32_t messages = 10) {
    rig.ask(client, ++requests, core::Receive{"default", name, messages, 0, 20'000, 1000});
    rig.settle_down();
    const auto reply = client.replies.find(requests);
    return reply != client.replies.end() ? reply->second : proto::make_error(Errc::kInternal);
  }
  static std::uint64_t messages_of(const proto::Result<core::Reply>& reply) {
    std::uint64_t messages = 0;
    for (const core::Delivery& delivery : std::get<core::Received>(reply.value()).deliveries) {
      messages += delivery.count;
    }
    return messages;
  }
  void subscribe(std::uint32_t alias, const std::string& name) {
    rig.ask(client, ++requests, core::Subscribe{"default", name, alias, 1000, 10, 1 << 20});
    rig.settle_down();
  }
  void read_topic(std::uint32_t alias, core::StartPosition from,
                  const std::string& name = "events") {
    rig.ask(client, ++requests,
            core::SubscribeTopic{"default", name, alias, {}, from, 1000, 1 << 20});
    rig.settle_down();
  }
  void create_topic() { topic_log = rig.create_topic(client, "events"); }
  [[nodiscard]] std::vector<proto::Offset> read_up_to(std::uint32_t alias) const {
    std::vector<proto::Offset> offsets;
    for (const TopicBatch& batch : client.topic_batches) {
      if (batch.alias == alias) {
        offsets.push_back(batch.next_offset);
      }
    }
    return offsets;
  }
  void expect_damage_seen(std::uint64_t places) {
    EXPECT_TRUE(rig.failures.empty());
    EXPECT_EQ(rig.damages.size(), places);
    EXPECT_EQ(rig.shard.metrics().corrupt_batches, places);
  }

  LogId topic_log;
  ShardRig rig;
  Session client;
  std::uint64_t sends = 0;
  std::uint64_t requests = 0;
};

TEST_F(Damage, IsTheAnswerToAReceiveAndConcernsNoOtherQueue) {
  const LogId work = queue("work");
  const LogId other = queue("other");
  send(work, 3);
  send(other, 2);
  flip(work, 1);
  const auto refused = receive("work");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kCorruptBatch);
  EXPECT_THAT(refused.error().message, HasSubstr("queue 'work' at offset 0"));
  expect_damage_seen(1);
  EXPECT_EQ(messages_of(receive("other")), 2U);
  send(work, 1);
  EXPECT_EQ(client.sent.back().code, 0);

  const std::uint64_t reads = rig.shard.metrics().storage_reads;
  EXPECT_EQ(receive("work").error().code, Errc::kCorruptBatch);
  EXPECT_EQ(rig.shard.metrics().storage_reads, reads) << "what is known is not read again";
  expect_damage_seen(1);
}

TEST_F(Damage, OfARowThatIsMissingIsDamageToo) {
  const LogId work = queue("work");
  send(work, 3);
  remove(work, 1);
  EXPECT_EQ(receive("work").error().code, Errc::kCorruptBatch);
  expect_damage_seen(1);
}

TEST_F(Damage, OfARowWithTheContentOfAnotherIsSeen) {
  const LogId work = queue("work");
  send(work, 3);
  put(work, 3, flip(work, 1));
  EXPECT_EQ(receive("work").error().code, Errc::kCorruptBatch);
  EXPECT_EQ(receive("work").error().code, Errc::kCorruptBatch);
  expect_damage_seen(1);
}

TEST_F(Damage, HoldsNothingBackThatLiesBeforeIt) {
  const LogId work = queue("work");
  send(work, 4);
  flip(work, 3);
  EXPECT_EQ(messages_of(receive("work")), 2U);
  EXPECT_EQ(receive("work").error().code, Errc::kCorruptBatch);
  expect_damage_seen(1);
}

TEST_F(Damage, EndsASubscriptionOnceItHoldsNothingElse) {
  const LogId work = queue("work");
  send(work, 4);
  flip(work, 3);
  subscribe(1, "work");
  ASSERT_EQ(client.delivered(), 2U);
  EXPECT_TRUE(client.ended.empty()) << "its messages are still its own";
  rig.settle(client, client.deliveries[0], SettleKind::kAck);
  rig.settle_down();
  ASSERT_EQ(client.ended.size(), 1U);
  EXPECT_EQ(client.ended[0].first, 1U);
  EXPECT_EQ(client.ended[0].second.code, Errc::kCorruptBatch);
  EXPECT_EQ(client.delivered(), 2U);
  EXPECT_EQ(rig.info("work").subscribers, 0U);
  EXPECT_EQ(rig.info("work").ready, 6U) << "nothing is lost";

  const std::uint64_t reads = rig.shard.metrics().storage_reads;
  subscribe(2, "work");
  ASSERT_EQ(client.ended.size(), 2U);
  EXPECT_EQ(client.ended[1].first, 2U);
  EXPECT_EQ(rig.shard.metrics().storage_reads, reads);
  expect_damage_seen(1);
}

TEST_F(Damage, EndsTheIdleSubscriptionsWhileAnotherWorks) {
  const LogId work = queue("work");
  send(work, 3);
  flip(work, 3);
  subscribe(1, "work");
  subscribe(2, "work");
  ASSERT_EQ(client.ended.size(), 1U);
  EXPECT_EQ(client.ended[0].first, 2U);
  EXPECT_EQ(rig.info("work").subscribers, 1U);
}

TEST_F(Damage, IsLookedAtAgainAfterARestart) {
  const LogId work = queue("work");
  send(work, 3);
  const std::string was = flip(work, 1);
  EXPECT_FALSE(receive("work"));
  rig.shard.reset().value();
  client = {};
  rig.open(client);
  EXPECT_FALSE(receive("work"));
  expect_damage_seen(2);
  put(work, 1, was);
  rig.shard.reset().value();
  client = {};
  rig.open(client);
  EXPECT_EQ(messages_of(receive("work")), 2U);
}

TEST_F(Damage, OfADyingMessageHoldsUpOnlyItsOwnWayOut) {
  queue("dead");
  core::QueueSettings settings;
  settings.max_receive_count = 1;
  settings.dead_letter_queue = "dead";
  const LogId work = queue("work", settings);
  const LogId other = queue("other", settings);
  send(work, 1);
  const auto received = receive("work");
  send(other, 1);
  const auto others = receive("other");
  send(work, 2);
  flip(work, 1);
  for (const auto* held : {&received, &others}) {
    rig.settle(client, std::get<core::Received>(held->value()).deliveries.at(0), SettleKind::kNack);
    rig.settle_down();
  }
  EXPECT_EQ(rig.info("work").dying, 2U);
  EXPECT_EQ(rig.info("other").dying, 0U);
  EXPECT_EQ(rig.info("dead").ready, 2U);
  EXPECT_EQ(messages_of(receive("work")), 2U);
  expect_damage_seen(1);
  const std::uint64_t reads = rig.shard.metrics().storage_reads;
  rig.pass(1000);
  EXPECT_EQ(rig.shard.metrics().storage_reads, reads);
}

TEST_F(Damage, EndsTheReadingOfATopicBehindWhatIsGood) {
  create_topic();
  send(topic_log, 4);
  flip(topic_log, 3);
  read_topic(1, {});
  EXPECT_THAT(read_up_to(1), testing::ElementsAre(2));
  ASSERT_EQ(client.ended.size(), 1U);
  EXPECT_EQ(client.ended[0].first, 1U);
  EXPECT_EQ(client.ended[0].second.code, Errc::kCorruptBatch);
  EXPECT_THAT(client.ended[0].second.message,
              HasSubstr("partition 0 of topic 'events' cannot be read at offset 2"));
  EXPECT_THAT(client.ended[0].second.message, HasSubstr("later offset"));
  EXPECT_GT(client.flushes, 0);
  expect_damage_seen(1);

  read_topic(2, {core::StartPosition::At::kOffset, 4});
  EXPECT_THAT(read_up_to(2), testing::ElementsAre(6, 8));
  send(topic_log, 1);
  EXPECT_THAT(read_up_to(2), testing::ElementsAre(6, 8, 10));
  EXPECT_THAT(read_up_to(1), testing::ElementsAre(2)) << "it has ended";
  read_topic(3, {});
  EXPECT_EQ(client.ended.size(), 2U);
  expect_damage_seen(1);
}

TEST_F(Damage, EndsTheReadingOfATopicWhereABatchIsMissing) {
  create_topic();
  send(topic_log, 4);
  remove(topic_log, 3);
  read_topic(1, {});
  EXPECT_THAT(read_up_to(1), testing::ElementsAre(2));
  ASSERT_EQ(client.ended.size(), 1U);
  expect_damage_seen(1);
}

TEST_F(Damage, IsNothingThatADiskWhichFailsIsExcusedBy) {
  const LogId work = queue("work");
  send(work, 3);
  rig.store.fail_reads(true);
  receive("work");
  ASSERT_EQ(rig.failures.size(), 1U);
  EXPECT_EQ(rig.failures[0].code, Errc::kStorageFailed);
}

TEST_F(Damage, IsNothingThatADiskWhichFailsUnderATopicIsExcusedBy) {
  create_topic();
  send(topic_log, 3);
  rig.store.fail_reads(true);
  read_topic(1, {});
  ASSERT_EQ(rig.failures.size(), 1U);
  EXPECT_EQ(rig.failures[0].code, Errc::kStorageFailed);
  EXPECT_TRUE(client.ended.empty());
}

TEST(DamagedPlaces, ForgetsTheFirstBeyondItsBound) {
  DamagedPlaces places;
  const auto at = [](std::size_t i) {
    return DamagedPlaces::Place{LogId{1}, 0, static_cast<proto::Offset>(i)};
  };
  const proto::Error why = proto::make_error(Errc::kCorruptBatch);
  for (std::size_t i = 0; i <= DamagedPlaces::kMaxPlaces; ++i) {
    EXPECT_TRUE(places.add(at(i), why));
    EXPECT_FALSE(places.add(at(i), why));
  }
  EXPECT_EQ(places.find(at(0)), nullptr);
  EXPECT_NE(places.find(at(1)), nullptr);
  EXPECT_NE(places.find(at(DamagedPlaces::kMaxPlaces)), nullptr);
}

}  // namespace
}  // namespace weir::shard
