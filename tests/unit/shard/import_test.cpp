#include "storage/import.hpp"

#include "storage/export.hpp"
#include "storage/key_codec.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace weir::shard {
namespace {

using proto::Errc;
using proto::LogId;
using test::handle_of;
using test::Session;
using test::ShardRig;
using test::values_of;

std::string export_of(const storage::MemoryStore& store) {
  std::string stream;
  storage::export_shard(store.snapshot(), [&](std::string_view bytes) -> proto::Result<> {
    stream += bytes;
    return {};
  }).value();
  return stream;
}

proto::Result<storage::TransferSummary> import_into(storage::MemoryStore& store, std::string stream,
                                                    const storage::ImportOptions& options = {}) {
  return storage::import_shard(
      store,
      [stream = std::move(stream),
       at = std::size_t{0}](std::span<char> into) mutable -> proto::Result<std::size_t> {
        const std::size_t bytes = std::min(into.size(), stream.size() - at);
        std::memcpy(into.data(), stream.data() + at, bytes);
        at += bytes;
        return bytes;
      },
      options);
}

/// A shard with a queue of which one message is leased, and its copy elsewhere.
class ImportedShard : public ::testing::Test {
 protected:
  ImportedShard() {
    original = std::make_unique<ShardRig>();
    original->open(client);
    const LogId log{original->create_queue(client, "work").value};
    original->send(client, log, 1, values_of(3));
    original->ask(client, 2, core::Receive{"default", "work", 1, 0, 0, 60'000});
    original->settle_down();
    held = client.reply<core::Received>(2).deliveries.at(0);
    import_into(copy, export_of(original->store)).value();
  }
  /// An ack of the lease, as if it had been given in this incarnation.
  [[nodiscard]] core::SettleByHandle ack(std::uint32_t incarnation) const {
    return {handle_of(held, incarnation), proto::SettleKind::kAck, 0, "", ""};
  }
  /// A process on the copy.
  std::unique_ptr<Shard> start(test::FakeLog& log) {
    Ports ports = original->ports();
    ports.store = &copy;
    auto shard = std::make_unique<Shard>(ShardRig::options(1 << 20, 1 << 20), ports);
    shard->start(log).value();
    return shard;
  }
  void run(Shard& shard, test::FakeLog& log) {
    original->run();
    while (const auto index = log.commit_one()) {
      shard.on_committed(*index);
      original->run();
    }
  }

  Session client;
  std::unique_ptr<ShardRig> original;
  core::Delivery held;
  storage::MemoryStore copy;
};

TEST_F(ImportedShard, HoldsWhatTheOriginalHolds) {
  core::ShardState before(100);
  core::ShardState after(100);
  ASSERT_TRUE(before.restore(*original->store.snapshot()));
  ASSERT_TRUE(after.restore(*copy.snapshot()));
  const proto::QueueId queue = held.queue;
  EXPECT_EQ(after.queue(queue)->counters(), before.queue(queue)->counters());
  EXPECT_EQ(after.next_deadline(), before.next_deadline());
  EXPECT_EQ(after.next_grant(), before.next_grant());
  EXPECT_EQ(after.catalog().objects(), before.catalog().objects());
  EXPECT_EQ(after.identity().incarnation, 1U) << "raised by a record, not by reading";
  EXPECT_TRUE(before.decide_start().empty());
  EXPECT_EQ(after.decide_start().size(), 1U);
}

TEST_F(ImportedShard, BeginsANewIncarnationInWhichOldHandlesAreInvalid) {
  test::FakeLog log(copy);
  const auto shard = start(log);
  run(*shard, log);
  EXPECT_EQ(shard->incarnation(), 2U);
  Session other;
  other.id = shard->open_session(other);
  shard->request(other.id, 1, ack(1), 0);
  shard->request(other.id, 2, ack(2), 0);
  run(*shard, log);
  EXPECT_EQ(other.replies.at(1).error().code, Errc::kReceiptInvalid);
  EXPECT_TRUE(other.replies.at(2)) << "the lease itself was imported";
  original->shard.request(client.id, 3, ack(1), 0);
  original->settle_down();
  EXPECT_TRUE(client.replies.at(3)) << "the original goes on as it was";
}

TEST_F(ImportedShard, TakesNoProducerOfTheOriginalForOneOfItsOwn) {
  test::FakeLog log(copy);
  const auto shard = start(log);
  Session other;
  other.id = shard->open_session(other);
  shard->request(other.id, 1, core::InitProducer{}, 0);
  run(*shard, log);
  original->ask(client, 4, core::InitProducer{});
  original->settle_down();
  const auto own = other.reply<core::ProducerInfo>(1).id;
  const auto foreign = client.reply<core::ProducerInfo>(4).id;
  EXPECT_NE(own, foreign) << "both began after the copy was made";
  const auto id = static_cast<std::int64_t>(foreign.value);
  core::SendBatch batch = test::a_batch(LogId{held.queue.value}, values_of(1), {id, 0, 0});
  batch.send_number = 1;
  shard->send(other.id, std::move(batch), 0);
  run(*shard, log);
  ASSERT_EQ(other.sent.size(), 1U);
  EXPECT_EQ(other.sent[0].code, static_cast<std::uint16_t>(Errc::kProducerFenced));
}

TEST_F(ImportedShard, RaisesItOnceHoweverOftenItStarts) {
  {
    test::FakeLog log(copy);
    const auto shard = start(log);
    EXPECT_EQ(shard->incarnation(), 2U);
    original->posted.clear();  // the process ends before its first unit is committed
  }
  EXPECT_TRUE(storage::was_imported(*copy.snapshot()).value());
  {
    test::FakeLog log(copy);
    const auto shard = start(log);
    run(*shard, log);
    EXPECT_EQ(shard->incarnation(), 2U);
  }
  EXPECT_FALSE(storage::was_imported(*copy.snapshot()).value());
  test::FakeLog log(copy);
  const auto shard = start(log);
  run(*shard, log);
  EXPECT_EQ(shard->incarnation(), 2U);
  ASSERT_TRUE(shard->reset());
  EXPECT_EQ(shard->incarnation(), 2U);
  original->posted.clear();
}

TEST_F(ImportedShard, RaisesTheIncarnationOfACopyOfACopy) {
  {
    test::FakeLog log(copy);
    const auto shard = start(log);
    run(*shard, log);
  }
  storage::MemoryStore second;
  ASSERT_TRUE(import_into(second, export_of(copy)));
  core::ShardState state(100);
  ASSERT_TRUE(state.restore(*second.snapshot()));
  const auto records = state.decide_start();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(std::get<core::IncarnationRaised>(records.front()).incarnation, 3U);
}

TEST_F(ImportedShard, BeginsInTheIncarnationThatItsImportAskedFor) {
  for (const std::uint32_t least : {0U, 2U, 700U}) {
    storage::MemoryStore other;
    ASSERT_TRUE(import_into(other, export_of(original->store), {.least_incarnation = least}));
    core::ShardState state(100);
    ASSERT_TRUE(state.restore(*other.snapshot()));
    const auto records = state.decide_start();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(std::get<core::IncarnationRaised>(records.front()).incarnation, std::max(least, 2U));
  }
}

TEST_F(ImportedShard, DoesNotStartOnAnImportThatWasNotFinished) {
  std::string stream = export_of(original->store);
  stream.pop_back();
  storage::MemoryStore broken;
  ASSERT_FALSE(import_into(broken, stream));
  test::FakeLog log(broken);
  Ports ports = original->ports();
  ports.store = &broken;
  Shard shard(ShardRig::options(1 << 20, 1 << 20), ports);
  const auto started = shard.start(log);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::kStorageFailed);
}

}  // namespace
}  // namespace weir::shard
