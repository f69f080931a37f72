#include "broker/core/dead_letter_batch.hpp"
#include "proto/batch/record_batch.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

// The history that a dead letter tells: written with each attempt, read when the message is moved.
namespace weir::shard {
namespace {

using proto::SettleKind;
using test::Session;
using test::ShardRig;
using test::values_of;

class History : public ::testing::Test {
 protected:
  History() {
    worker.id =
        rig.shard.open_session(worker, {"mailer", "weir-cpp", "10.0.0.7:4000", "default", 0});
    rig.create_queue(worker, "dead");
    work = rig.create_queue(worker, "work", {1000, 2, "dead"});
  }

  const core::Delivery& receive(std::uint64_t request, const std::string& queue = "work") {
    rig.ask(worker, request, core::Receive{"default", queue, 1, 0, 0, std::nullopt});
    rig.settle_down();
    held = worker.reply<core::Received>(request).deliveries.at(0);
    return held;
  }
  void say(const core::Delivery& delivery, SettleKind kind, const std::string& reason) {
    proto::SettleRange range = core::test::CoreRig::range(delivery, kind);
    range.reason = reason.empty() ? 0 : 1;
    rig.shard.settle(worker.id, delivery.queue, {++rig.settles, 1, {range}, {reason}});
  }
  std::map<std::string, std::string> dead_headers(std::uint64_t request) {
    const core::Delivery& dead = receive(request, "dead");
    const auto record = proto::decode_record(dead.records.view());
    std::map<std::string, std::string> headers;
    for (const proto::Header& header : record->record.headers) {
      headers[std::string(header.key)] = header.value.value_or("");
    }
    return headers;
  }

  ShardRig rig;
  Session worker;
  proto::QueueId work;
  core::Delivery held;
};

TEST_F(History, TellsOfTheLastAttemptOnceThatIsStored) {
  rig.send(worker, proto::LogId{work.value}, 1, values_of(1));
  say(receive(1), SettleKind::kNack, "no route to host");
  say(receive(2), SettleKind::kNack, "");
  rig.run();
  while (rig.load_one()) {
  }
  EXPECT_EQ(rig.info("work").dying, 1U) << "its last attempt is not stored yet";
  EXPECT_EQ(rig.info("dead").ready, 0U);
  rig.settle_down();
  EXPECT_EQ(rig.info("work").messages(), 0U);
  auto headers = dead_headers(3);
  EXPECT_EQ(headers["weir.dead-error"], "no route to host");
  EXPECT_EQ(headers["weir.dead-attempts"], "2");
  const std::string& history = headers["weir.dead-history"];
  EXPECT_NE(history.find("\"attempt\":2"), std::string::npos) << history;
  EXPECT_NE(history.find("\"consumer\":\"mailer 10.0.0.7:4000\""), std::string::npos) << history;
}

TEST_F(History, KeepsUpWithMessagesThatDieWhileItReads) {
  rig.send(worker, proto::LogId{work.value}, 1, values_of(20));
  std::uint64_t request = 0;
  for (int i = 0; i < 40; ++i) {
    rig.ask(worker, ++request, core::Receive{"default", "work", 1, 0, 0, std::nullopt});
    rig.run();
    rig.commit_all();
    say(worker.reply<core::Received>(request).deliveries.at(0), SettleKind::kNack,
        "attempt " + std::to_string(i));
    rig.run();
    if (i % 3 == 0) {
      rig.load_one();
    }
  }
  rig.settle_down();
  EXPECT_EQ(rig.info("work").messages(), 0U);
  EXPECT_EQ(rig.info("dead").ready, 20U);
  for (int i = 0; i < 20; ++i) {
    EXPECT_NE(dead_headers(++request)["weir.dead-history"].find("\"attempt\":2"),
              std::string::npos);
  }
}

/// They share a row, and part of what it tells of is gone when it is read.
TEST_F(History, IsThatOfEachWhereNeighboursFailTogether) {
  rig.send(worker, proto::LogId{work.value}, 1, values_of(100));
  rig.ask(worker, 1, core::Receive{"default", "work", 100, 0, 0, std::nullopt});
  rig.settle_down();
  const core::Delivery all = worker.reply<core::Received>(1).deliveries.at(0);
  ASSERT_EQ(all.count, 100U);
  proto::Settle said{++rig.settles, 1, {}, {"no route to host"}};
  for (const SettleKind kind : {SettleKind::kAck, SettleKind::kNack}) {
    for (std::uint32_t i = kind == SettleKind::kAck ? 0 : 1; i < 100; i += 2) {
      proto::SettleRange range = core::test::CoreRig::range(all, kind);
      range.first_index = i;
      range.count = 1;
      range.reason = kind == SettleKind::kAck ? 0 : 1;
      said.ranges.push_back(range);
    }
  }
  rig.shard.settle(worker.id, all.queue, said);
  rig.settle_down();
  EXPECT_EQ(rig.info("work").ready, 50U);
  EXPECT_EQ(rig.shard.queue_counters(work).nacked_messages, 50U);
  std::uint64_t request = 1;
  for (int i = 0; i < 50; ++i) {
    const core::Delivery one = receive(++request);
    say(one, i % 2 == 0 ? SettleKind::kAck : SettleKind::kNack, "still none");
  }
  rig.settle_down();
  EXPECT_EQ(rig.info("work").messages(), 0U);
  EXPECT_EQ(rig.info("dead").ready, 25U);
  for (int i = 0; i < 25; ++i) {
    auto headers = dead_headers(++request);
    EXPECT_EQ(headers["weir.dead-error"], "still none");
    const std::string& history = headers["weir.dead-history"];
    EXPECT_NE(history.find("\"attempt\":1,"), std::string::npos) << history;
    EXPECT_NE(history.find("\"attempt\":2,"), std::string::npos) << history;
  }
}

TEST_F(History, SaysThatWhoeverHadTheMessageIsGone) {
  rig.send(worker, proto::LogId{work.value}, 1, values_of(1));
  for (std::uint64_t request = 1; request <= 2; ++request) {
    receive(request);
    if (request == 2) {
      rig.shard.close_session(worker.id);
    }
    rig.pass(1000);
  }
  rig.open(worker);
  const std::string history = dead_headers(3)["weir.dead-history"];
  const std::size_t expired = history.find("\"outcome\":\"expired\"");
  EXPECT_NE(expired, std::string::npos) << history;
  EXPECT_GT(history.find("\"outcome\":\"lost\""), expired) << history;
  EXPECT_NE(history.find("\"outcome\":\"lost\""), std::string::npos) << history;
}

TEST_F(History, IsThereAfterAStart) {
  rig.send(worker, proto::LogId{work.value}, 1, values_of(1));
  say(receive(1), SettleKind::kNack, "first");
  receive(2);
  rig.settle_down();
  ASSERT_TRUE(rig.shard.reset());
  rig.settle_down();
  rig.open(worker);
  rig.pass(60'000);
  auto headers = dead_headers(3);
  EXPECT_EQ(headers["weir.dead-error"], "first");
  const std::string& history = headers["weir.dead-history"];
  EXPECT_NE(history.find("\"outcome\":\"lost\",\"consumer\":\"mailer 10.0.0.7:4000\""),
            std::string::npos)
      << "who held it is known from before; " << history;
}

TEST_F(History, GoesWithAPurgeWhileItIsRead) {
  rig.send(worker, proto::LogId{work.value}, 1, values_of(1));
  say(receive(1), SettleKind::kPoison, "never");
  rig.run();
  rig.commit_all();
  rig.ask(worker, 2, core::PurgeQueue{"default", "work"});
  rig.settle_down();
  EXPECT_EQ(rig.info("work").messages() + rig.info("dead").messages(), 0U);
  EXPECT_TRUE(core::test::check_rows(rig.store));
}

}  // namespace
}  // namespace weir::shard
