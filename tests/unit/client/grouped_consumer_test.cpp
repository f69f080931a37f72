#include "proto/batch/record_batch.hpp"
#include "tests/unit/client/consumer_machine_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// What a consumer of a FIFO queue begins, and what it does not.
namespace weir::sdk {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

/// A grant of a FIFO queue: what comes before the dash is each message's group.
class GroupedConsumerTest : public ConsumerMachineTest {
 protected:
  GroupedConsumerTest() : ConsumerMachineTest(true) {}
  std::shared_ptr<Grant> grouped(std::uint64_t id, const std::vector<std::string>& texts,
                                 std::uint16_t attempts = 0) {
    proto::BatchBuilder builder;
    for (const std::string& text : texts) {
      const std::string group = text.substr(0, text.find('-'));
      const std::array<proto::Header, 1> headers = {{{proto::kHeaderGroup, group}}};
      proto::RecordInput record;
      record.value = text;
      record.headers = headers;
      builder.add(record);
    }
    const std::string records =
        builder.finish({}, proto::Compression::kNone).substr(proto::kBatchHeaderBytes);
    proto::Deliver frame;
    frame.grant = proto::GrantId(id);
    frame.base_offset = static_cast<proto::Offset>(100 * id);
    frame.first_index = 2;
    frame.count = static_cast<std::uint32_t>(texts.size());
    frame.span = frame.count;
    frame.attempts = frame.failures = frame.losses = attempts;
    frame.lease_ms = 30'000;
    frame.records = records;
    auto made = std::make_shared<Grant>(frame, GrantOrigin(), sink_);
    EXPECT_TRUE(made->read_groups());
    return made;
  }
  /// The next message, if one may begin.
  std::optional<Delivery> next(TimePoint now = kStart) {
    const auto chunk = machine_.begin_chunk(now, true);
    if (!chunk) {
      return std::nullopt;
    }
    EXPECT_EQ(chunk->count, 1U);
    proto::Result<Delivery> delivery = chunk->grant->at(chunk->index_of(0));
    Taken<Delivery>::mark(*delivery);
    return std::move(*delivery);
  }
  static std::string body(const std::optional<Delivery>& delivery) {
    return delivery ? std::string(delivery->body()) : "(none)";
  }
};

TEST_F(GroupedConsumerTest, BeginsOneOfAGroupAtATime) {
  machine_.add_grant(grouped(1, {"a-1", "a-2", "b-1", "a-3"}), kStart);
  std::optional<Delivery> a1 = next();
  EXPECT_EQ(body(a1), "a-1");
  EXPECT_EQ(a1->group(), "a");
  EXPECT_EQ(a1->offset(), 102);
  std::optional<Delivery> b1 = next();
  EXPECT_EQ(body(b1), "b-1");
  EXPECT_EQ(body(next()), "(none)");
  EXPECT_EQ(machine_.waiting_messages(), 2U);
  EXPECT_THAT(said(), ElementsAre("started 1 2+1", "started 1 4+1"));
  a1->ack();
  std::optional<Delivery> a2 = next();
  EXPECT_EQ(body(a2), "a-2");
  EXPECT_EQ(body(next()), "(none)");
  a2->ack();
  EXPECT_EQ(body(next()), "a-3");
  EXPECT_EQ(machine_.waiting_messages(), 0U);
}

TEST_F(GroupedConsumerTest, DropsWhatFollowsOneThatWasNotAcked) {
  machine_.add_grant(grouped(1, {"a-1", "b-1", "a-2", "b-2", "a-3"}), kStart);
  std::optional<Delivery> a1 = next();
  std::optional<Delivery> b1 = next();
  a1->nack();
  EXPECT_EQ(machine_.waiting_messages(), 1U) << "the broker has taken the others back";
  b1->ack();
  std::optional<Delivery> b2 = next();
  EXPECT_EQ(body(b2), "b-2");
  EXPECT_EQ(body(next()), "(none)");
  static_cast<void>(said());
  machine_.tick(kStart + seconds(16));
  EXPECT_THAT(said(), ElementsAre("extend 1 5+1")) << "what is left of it";
  // They come again, in another grant.
  machine_.add_grant(grouped(2, {"a-1", "a-2", "a-3"}, 1), kStart);
  EXPECT_EQ(body(next()), "a-1");
  b2->ack();
}

TEST_F(GroupedConsumerTest, WaitsForWhatItHandlesThoughItsLeaseIsOver) {
  machine_.add_grant(grouped(1, {"a-1"}), kStart);
  std::optional<Delivery> a1 = next();
  machine_.add_grant(grouped(2, {"a-1", "c-1"}, 1), kStart + seconds(40));
  std::optional<Delivery> c1 = next(kStart + seconds(40));
  EXPECT_EQ(body(c1), "c-1");
  EXPECT_EQ(body(next(kStart + seconds(40))), "(none)") << "the application has it still";
  a1->ack();
  EXPECT_EQ(body(next(kStart + seconds(40))), "a-1");
  c1->ack();
}

TEST_F(GroupedConsumerTest, LosesWhatFollowsOneThatIsLost) {
  machine_.add_grant(grouped(1, {"a-1", "b-1", "a-2", "b-2"}), kStart);
  std::optional<Delivery> a1 = next();
  machine_.on_failed({{.grant = proto::GrantId(1), .first_index = 2, .count = 1, .code = 16}});
  EXPECT_EQ(machine_.waiting_messages(), 2U) << "a-2 is gone, too";
  a1->ack();
  EXPECT_EQ(body(next()), "b-1");
  machine_.on_failed({{.grant = proto::GrantId(1), .first_index = 0, .count = 4000, .code = 16}});
  EXPECT_EQ(machine_.waiting_messages(), 0U);
  EXPECT_EQ(body(next()), "(none)");
}

TEST_F(GroupedConsumerTest, LosesNothingToAWordThatAskedTooMuch) {
  machine_.add_grant(grouped(1, {"a-1", "a-2"}), kStart);
  std::optional<Delivery> a1 = next();
  machine_.on_failed({{.grant = proto::GrantId(1), .first_index = 2, .count = 1, .code = 26}});
  EXPECT_EQ(machine_.waiting_messages(), 1U) << "the lease is as it was";
  a1->ack();
  EXPECT_EQ(body(next()), "a-2");
}

TEST_F(GroupedConsumerTest, ALeaseOfNothingGivesBackWhatFollows) {
  machine_.add_grant(grouped(1, {"a-1", "a-2", "b-1"}), kStart);
  std::optional<Delivery> a1 = next();
  a1->extend(std::chrono::milliseconds(0));
  a1->ack();
  EXPECT_EQ(body(next()), "b-1") << "a-2 has gone back";
  EXPECT_EQ(machine_.waiting_messages(), 0U);
}

TEST_F(GroupedConsumerTest, GivesBackWhatItHasNoTimeFor) {
  machine_.add_grant(grouped(1, {"a-1", "a-2"}), kStart);
  std::optional<Delivery> a1 = next();
  static_cast<void>(said());
  a1->ack();
  EXPECT_EQ(body(next(kStart + seconds(10))), "a-2");
  machine_.add_grant(grouped(2, {"c-1", "c-2"}), kStart);
  std::optional<Delivery> c1 = next(kStart + seconds(10));
  for (int held = 15; held <= 300; held += 5) {
    machine_.tick(kStart + seconds(held));
    machine_.on_answered(machine_.take_settlements().ranges);
  }
  c1->ack();
  static_cast<void>(said());
  EXPECT_EQ(body(next(kStart + seconds(305))), "(none)");
  EXPECT_THAT(said(), ElementsAre("release 2 3+1"));
}

TEST_F(GroupedConsumerTest, SaysWhatItSaysInItsOrder) {
  machine_.add_grant(grouped(1, {"a-1", "b-1", "c-1", "d-1"}), kStart);
  std::vector<std::optional<Delivery>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(next());
  }
  static_cast<void>(said());
  all[0]->ack();
  all[1]->nack();
  all[2]->ack();
  all[3]->ack();
  EXPECT_THAT(said(), ElementsAre("ack 1 2+1", "nack 1 3+1", "ack 1 4+2"));
}

TEST_F(GroupedConsumerTest, GivesBackTheLastOnesFirst) {
  machine_.add_grant(grouped(1, {"a-1", "b-1", "a-2", "b-2"}), kStart);
  std::optional<Delivery> a1 = next();
  static_cast<void>(said());
  machine_.release_waiting_beyond(1);
  EXPECT_EQ(machine_.waiting_messages(), 1U);
  EXPECT_THAT(said(), ElementsAre("release 1 5+1", "release 1 4+1"));
  EXPECT_EQ(body(next()), "b-1");
  a1->ack();
  EXPECT_EQ(body(next()), "(none)");
  machine_.keep_waiting_within(0, 0);
  EXPECT_EQ(machine_.waiting_messages(), 0U);
}

TEST_F(GroupedConsumerTest, RefusesRecordsThatCannotBeRead) {
  proto::Deliver frame;
  frame.grant = proto::GrantId(1);
  frame.span = 2;
  frame.count = 2;
  frame.records = "what is this";
  Grant broken(frame, GrantOrigin(), sink_);
  EXPECT_FALSE(broken.read_groups());
  const std::string records = test::FakeBroker::records({"a", "b"});
  frame.records = records;
  EXPECT_TRUE(Grant(frame, GrantOrigin(), sink_).read_groups());
  frame.span = 3;
  EXPECT_FALSE(Grant(frame, GrantOrigin(), sink_).read_groups()) << "places left out";
}

}  // namespace
}  // namespace weir::sdk
