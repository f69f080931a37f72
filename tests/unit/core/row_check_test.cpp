#include "broker/core/row_check.hpp"

#include "broker/core/row_codec.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::core {
namespace {

using proto::Errc;
using storage::Family;
using storage::KeyKind;
using test::check_rows;
using test::CoreRig;
using test::kNow;
using test::values_of;
using testing::HasSubstr;

/// A shard with some of everything, and its rows.
class RowCheckTest : public ::testing::Test {
 protected:
  RowCheckTest() {
    queue = rig.create_queue("work");
    topic = rig.create_topic("news", 2);
    const ProducerStarted producer = rig.start_producer();
    for (int i = 0; i < 5; ++i) {
      rig.send(queue, values_of(3), kNow, {static_cast<std::int64_t>(producer.id.value), 0, i * 3});
      SendBatch batch =
          test::a_batch(proto::LogId{topic.partitions[1].value}, values_of(4), {}, true);
      rig.apply(Record{*rig.decide(batch, kNow + 1000 * i).value().record});
    }
    rig.take(queue, 3, kNow);
    rig.take(queue, 2, kNow);
    rig.commit(store);
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> rows(Family family) const {
    std::vector<std::pair<std::string, std::string>> all;
    const auto reader = store.snapshot();
    for (const auto scan = reader->scan(family, "", "", {}); scan->valid(); scan->next()) {
      all.emplace_back(scan->key(), scan->value());
    }
    return all;
  }
  [[nodiscard]] std::string batch(std::uint64_t log, std::uint32_t generation,
                                  proto::Offset last) const {
    return storage::batch_key(KeyKind::kBatch, log, generation, last).to_string();
  }
  [[nodiscard]] std::string queue_batch(proto::Offset last) const {
    return batch(queue.value, 1, last);
  }
  [[nodiscard]] std::string topic_batch(proto::Offset last) const {
    return batch(topic.partitions[1].value, 0, last);
  }
  void put(Family family, std::string_view key, const std::string& value) {
    storage::WriteBatch change;
    change.put(family, key, value);
    commit(change);
  }
  void remove(Family family, const std::string& key) {
    storage::WriteBatch change;
    change.remove(family, key);
    commit(change);
  }
  void commit(const storage::WriteBatch& change) {
    const std::array<const storage::WriteBatch*, 1> all = {&change};
    store.commit(all).value();
  }
  [[nodiscard]] std::string value(Family family, const std::string& key) const {
    return store.snapshot()->get(family, key).value().value();
  }
  [[nodiscard]] std::string damage() const {
    const auto checked = check_rows(store);
    EXPECT_FALSE(checked);
    return checked ? std::string() : checked.error().to_string();
  }

  CoreRig rig;
  storage::MemoryStore store;
  proto::QueueId queue;
  TopicCreated topic;
};

TEST_F(RowCheckTest, CountsWhatIsThere) {
  const auto counts = check_rows(store);
  ASSERT_TRUE(counts) << counts.error().to_string();
  EXPECT_EQ(counts->namespaces, 1U);
  EXPECT_EQ(counts->queues, 1U);
  EXPECT_EQ(counts->topics, 1U);
  EXPECT_EQ(counts->partitions, 2U);
  EXPECT_EQ(counts->producers, 1U);
  EXPECT_EQ(counts->batches, 10U);
  EXPECT_EQ(counts->records, 35U);
  EXPECT_TRUE(check_rows(storage::MemoryStore()));
}

TEST_F(RowCheckTest, FindsEveryRowThatIsMissing) {
  for (const Family family : {Family::kState, Family::kLog}) {
    for (const auto& [key, row] : rows(family)) {
      const bool is_hint = key.front() == static_cast<char>(KeyKind::kTimeIndex) ||
                           key.front() == static_cast<char>(KeyKind::kProducerWindow) ||
                           key == storage::meta_key(storage::MetaRow::kAllocator);
      remove(family, key);
      EXPECT_EQ(check_rows(store).has_value(), is_hint && family == Family::kState)
          << static_cast<int>(key.front());
      put(family, key, row);
    }
  }
  EXPECT_TRUE(check_rows(store));
}

TEST_F(RowCheckTest, FindsAnyChangedBitOfABatch) {
  const std::string key = topic_batch(3);
  const std::string whole = value(Family::kLog, key);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    put(Family::kLog, key, changed);
    EXPECT_THAT(damage(), HasSubstr("CORRUPT_BATCH: partition 1 of topic 'news' is damaged at"));
  }
}

TEST_F(RowCheckTest, SaysWhatIsMissingAndWhere) {
  const std::string third = value(Family::kLog, topic_batch(11));
  remove(Family::kLog, topic_batch(11));
  EXPECT_EQ(damage(),
            "CORRUPT_BATCH: partition 1 of topic 'news' is damaged at offset 8: batches "
            "are missing up to offset 12");
  put(Family::kLog, topic_batch(11), third);
  remove(Family::kLog, topic_batch(19));
  EXPECT_THAT(damage(), HasSubstr("at offset 16: batches are missing up to offset 20"));
}

TEST_F(RowCheckTest, FindsAWaitingMessageThatIsMissing) {
  remove(Family::kLog, queue_batch(11));
  EXPECT_THAT(damage(), HasSubstr("queue 'work' is damaged at offset 9"));
}

TEST_F(RowCheckTest, FindsALeasedBatchThatIsMissing) {
  remove(Family::kLog, queue_batch(2));
  EXPECT_THAT(damage(),
              HasSubstr("queue 'work' is damaged at offset 2: a batch of which messages"));
}

TEST_F(RowCheckTest, FindsAValueInAnothersPlace) {
  put(Family::kLog, queue_batch(8), value(Family::kLog, queue_batch(11)));
  EXPECT_THAT(damage(), HasSubstr("the batch belongs to other offsets"));
}

TEST_F(RowCheckTest, FindsNumbersThatAreNotThoseOfTheBatches) {
  Queue::Counters counters = rig.state.queue(queue)->counters();
  counters.runs.leased += 1;
  put(Family::kState, storage::object_key(KeyKind::kQueueState, queue.value),
      rows::encode(counters));
  EXPECT_THAT(damage(), HasSubstr("queue 'work' is damaged: its numbers"));
  counters.runs.leased -= 1;
  counters.bytes += 1;
  put(Family::kState, storage::object_key(KeyKind::kQueueState, queue.value),
      rows::encode(counters));
  EXPECT_THAT(damage(), HasSubstr("queue 'work' is damaged: its numbers"));
}

TEST_F(RowCheckTest, FindsRowsOfNobody) {
  const std::vector<std::pair<Family, std::string>> keys = {
      {Family::kState, storage::object_key(KeyKind::kQueueState, 99).to_string()},
      {Family::kState, storage::object_key(KeyKind::kPartitionState, queue.value).to_string()},
      {Family::kState, storage::batch_key(KeyKind::kTouchedBatch, 99, 1, 2).to_string()},
      {Family::kState,
       storage::timed_batch_key(KeyKind::kReturnedIndex, 99, 1, kNow, 2).to_string()},
      {Family::kState,
       storage::timed_batch_key(KeyKind::kReturnedIndex, queue.value, 1, kNow, 8).to_string()},
      {Family::kState,
       storage::timed_batch_key(KeyKind::kTimeIndex, queue.value, 1, kNow, 2).to_string()},
      {Family::kState, storage::producer_window_key(proto::ProducerId{99}, {}).to_string()},
      {Family::kState, "\x7f"},
      {Family::kState, std::string("\x01\x09", 2)},
      {Family::kLog, batch(99, 1, 2)},
      {Family::kLog, queue_batch(14).substr(1)}};
  for (const auto& [family, key] : keys) {
    put(family, key, "");
    EXPECT_FALSE(check_rows(store)) << testing::PrintToString(key);
    remove(family, key);
    EXPECT_TRUE(check_rows(store));
  }
}

TEST_F(RowCheckTest, KnowsWhatWasPagedOut) {
  rig.expire(kNow + 100'000);
  while (const auto record = rig.state.decide_page_out(0, {}, kNow)) {
    rig.apply(Record{*record});
  }
  rig.commit(store);
  const auto checked = check_rows(store);
  EXPECT_TRUE(checked) << checked.error().to_string();
}

TEST_F(RowCheckTest, NoticesWhatIsMissingOfWhatIsPutOff) {
  rig.send_delayed(queue, {"a", "b"}, {100, 200});
  rig.commit(store);
  ASSERT_TRUE(check_rows(store));
  const proto::Offset first = Queue::DelayLane::kFirstOffset;
  const auto row = [&](proto::TimeMs due, proto::Offset last) {
    return storage::timed_batch_key(KeyKind::kDelayed, queue.value, 1, due, last).to_string();
  };
  const std::string index =
      storage::batch_key(KeyKind::kDelayIndex, queue.value, 1, first).to_string();
  const std::string messages = value(Family::kLog, row(kNow + 100, first));
  const std::string place = value(Family::kState, index);

  remove(Family::kState, index);
  EXPECT_THAT(damage(), HasSubstr("queue 'work' is damaged: what is put off and its index"));
  put(Family::kState, index, rows::encode(rows::DelayIndex{kNow + 101, 1}));
  EXPECT_THAT(damage(), HasSubstr("its index do not agree"));
  put(Family::kState, index, "no row");
  EXPECT_THAT(damage(), HasSubstr("delay index"));
  put(Family::kState, index, place);
  ASSERT_TRUE(check_rows(store));

  remove(Family::kLog, row(kNow + 100, first));
  EXPECT_THAT(damage(), HasSubstr("its index do not agree"));
  put(Family::kLog, row(kNow + 101, first), messages);
  EXPECT_THAT(damage(), HasSubstr("its index do not agree"));
  remove(Family::kLog, row(kNow + 101, first));
  put(Family::kLog, row(kNow + 100, first), "no batch");
  EXPECT_THAT(damage(), HasSubstr("queue 'work' is damaged at offset"));
  put(Family::kLog, row(kNow + 100, first), messages);
  ASSERT_TRUE(check_rows(store));

  remove(Family::kLog, row(kNow + 100, first));
  remove(Family::kState, index);
  EXPECT_THAT(damage(), HasSubstr("its numbers are not those of its batches"));
  put(Family::kState, index, place);
  put(Family::kLog, row(kNow + 100, first + 9), messages);
  EXPECT_THAT(damage(), HasSubstr("belongs to other offsets"));
  remove(Family::kLog, row(kNow + 100, first + 9));
  put(Family::kLog, std::string(1, '\x03'), "x");
  EXPECT_THAT(damage(), HasSubstr("a key that this version does not know"));
}

}  // namespace
}  // namespace weir::core
