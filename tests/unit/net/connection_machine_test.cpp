#include "broker/net/connection_machine.hpp"

#include "broker/core/reply.hpp"
#include "proto/limits.hpp"
#include "proto/wire_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::net {
namespace {

using proto::Errc;
using proto::FrameType;
using testing::ElementsAre;
using testing::IsEmpty;

/// A wire that takes what it is told to, and a shard that writes down what happens to the session.
class ConnectionMachineTest : public testing::Test, public Wire {
 protected:
  class Door final : public ShardDoor {
   public:
    explicit Door(ConnectionMachineTest& test) : test_(test) {}
    void set_port(shard::SessionPort& theirs) override { test_.port = &theirs; }
    BrokerFacts open(const Introduction&) override {
      is_open_ = true;
      return BrokerFacts{.session = proto::SessionId(7), .incarnation = 3, .epoch = 2, .shard = 1};
    }
    void leave() override { test_.left += std::exchange(is_open_, false) ? 1 : 0; }
    void bulk_drained() override { ++test_.drained; }
    void send(core::SendBatch, std::uint32_t) override {}
    void settle(proto::QueueId, proto::Settle) override {}
    void set_credit(const proto::Credit&) override {}
    void request(std::uint64_t, core::Request, std::uint32_t) override {}
    proto::Result<ConfigReload> reload_config() override { return ConfigReload(); }
    void on_bad_batch(const proto::Error&) override {}
    void on_refused(std::uint64_t, const proto::Error&) override {}

   private:
    ConnectionMachineTest& test_;
    bool is_open_ = false;
  };

  void write() override { ++writes; }
  void end_soon(std::string_view why) override { ends.emplace_back(why); }
  void on_goodbye(const proto::Error& why) override { goodbyes.push_back(why.code); }

  void arrive(std::string_view bytes) {
    const std::span<char> room = machine.room();
    ASSERT_LE(bytes.size(), room.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    machine.on_read(bytes.size());
  }
  void greet() {
    v1::Hello hello;
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    std::string frame;
    proto::append_frame(FrameType::kHello, hello, frame);
    arrive(frame);
  }
  /// Everything that waits goes out; gives the types of the frames.
  std::vector<FrameType> written() {
    std::string bytes;
    for (;;) {
      std::string part;
      for (const std::string_view view : machine.to_write(8)) {
        part += view;
      }
      if (part.empty()) {
        break;
      }
      machine.on_written(part.size());
      bytes += part;
    }
    proto::FrameReader reader(proto::kMaxFrameBytes);
    std::vector<FrameType> types;
    while (!bytes.empty()) {
      const std::span<char> room = reader.prepare();
      const std::size_t some = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), some);
      reader.commit(some);
      bytes.erase(0, some);
      while (const auto frame = reader.next().value()) {
        types.push_back(frame->type);
      }
    }
    return types;
  }

  MonoMs now = 1'000'000;
  ConnectionSurroundings surroundings{.budget = std::make_shared<SendBudget>(1 << 20),
                                      .uuid = [] { return core::Uuid{}; },
                                      .now = [this] { return now; }};
  shard::SessionPort* port = nullptr;
  int writes = 0;
  int left = 0;
  int drained = 0;
  std::vector<std::string> ends;
  std::vector<Errc> goodbyes;
  ConnectionMachine machine{*this, std::make_unique<Door>(*this), surroundings};
};

TEST_F(ConnectionMachineTest, TakesFramesHoweverTheirBytesArrive) {
  v1::Hello hello;
  hello.set_protocol_min(1);
  hello.set_protocol_max(1);
  std::string bytes;
  proto::append_frame(FrameType::kHello, hello, bytes);
  proto::encode_frame(FrameType::kPing, {}, bytes);
  for (const char byte : bytes) {
    arrive(std::string_view(&byte, 1));
  }
  EXPECT_THAT(written(), ElementsAre(FrameType::kWelcome, FrameType::kPong));
  EXPECT_GT(writes, 0);
}

TEST_F(ConnectionMachineTest, EndsAMalformedPeerWithAGoodbyeAndListensNoMore) {
  greet();
  std::string ping;
  proto::encode_frame(FrameType::kPing, {}, ping);
  std::string bad;
  proto::encode_frame(FrameType::kWelcome, {}, bad);
  arrive(bad + ping);
  EXPECT_THAT(goodbyes, ElementsAre(Errc::kMalformed));
  EXPECT_EQ(left, 1);
  EXPECT_FALSE(machine.has_said_all());
  EXPECT_THAT(written(), ElementsAre(FrameType::kWelcome, FrameType::kGoAway));
  EXPECT_TRUE(machine.has_said_all());
  arrive(ping);
  EXPECT_THAT(written(), IsEmpty());
  EXPECT_EQ(port->bulk_room(), 0U);
}

TEST_F(ConnectionMachineTest, WaitsForAGoodbyeToBeReadOnlySoLong) {
  greet();
  machine.say_goodbye(proto::make_error(Errc::kShuttingDown));
  machine.say_goodbye(proto::make_error(Errc::kInternal));
  EXPECT_THAT(goodbyes, ElementsAre(Errc::kShuttingDown));
  machine.tick(now + ConnectionMachine::kLingerMs - 1);
  EXPECT_THAT(ends, IsEmpty());
  machine.tick(now + ConnectionMachine::kLingerMs);
  EXPECT_EQ(ends.size(), 1U);
}

TEST_F(ConnectionMachineTest, EndsAPeerThatDoesNotRead) {
  greet();
  ASSERT_FALSE(machine.to_write(8).empty());
  // Bytes from the peer show that it lives, not that it reads.
  for (int i = 0; i < 3; ++i) {
    now += 9'000;
    std::string ping;
    proto::encode_frame(FrameType::kPing, {}, ping);
    arrive(ping);
    machine.tick(now);
  }
  EXPECT_THAT(ends, IsEmpty());
  now += 2'999;
  machine.tick(now);
  EXPECT_THAT(ends, IsEmpty());
  machine.tick(now + 1);
  EXPECT_EQ(ends.size(), 1U);
}

TEST_F(ConnectionMachineTest, DoesNotHoldAStallOfItsOwnAgainstThePeer) {
  greet();
  ASSERT_FALSE(machine.to_write(8).empty());
  now += ConnectionMachine::kWriteStallMs + 20'000;
  machine.on_stall(20'000 + 1);
  machine.tick(now);
  EXPECT_THAT(ends, IsEmpty());
}

TEST_F(ConnectionMachineTest, EndsAPeerThatLetsItsAnswersPileUp) {
  greet();
  std::string pings;
  for (int i = 0; i < 800; ++i) {
    proto::encode_frame(FrameType::kPing, {}, pings);
  }
  for (std::size_t said = 0; said <= Outbox::kMaxControlBytes; said += pings.size()) {
    EXPECT_THAT(ends, IsEmpty());
    arrive(pings);
  }
  EXPECT_FALSE(ends.empty());
}

TEST_F(ConnectionMachineTest, AsksForMoreOnceHalfOfTheBulkIsRead) {
  greet();
  written();
  shard::TopicBatch batch;
  batch.alias = 1;
  batch.batch = proto::SharedBytes(std::string(Outbox::kBulkRoom, 'x'));
  port->on_topic_batch(batch);
  port->flush();
  EXPECT_EQ(port->bulk_room(), 0U);
  written();
  EXPECT_EQ(drained, 1);
  EXPECT_EQ(port->bulk_room(), Outbox::kBulkRoom);
}

TEST_F(ConnectionMachineTest, LeavesTheShardOnce) {
  greet();
  machine.close();
  machine.close();
  EXPECT_EQ(left, 1);
}

}  // namespace
}  // namespace weir::net
