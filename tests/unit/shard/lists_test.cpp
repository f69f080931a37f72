#include "proto/limits.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace weir::shard {
namespace {

using proto::Errc;
using test::Session;
using test::ShardRig;

struct ListsTest : testing::Test {
  ListsTest() { rig->open(client); }
  void create(const std::string& name) { rig->create_queue(client, name); }
  core::QueueList queues(const core::ListPage& page) {
    rig->ask(client, ++request, core::ListQueues{"default", page});
    rig->settle_down();
    return client.reply<core::QueueList>(request);
  }
  Errc refusal(const core::ListPage& page) {
    rig->ask(client, ++request, core::ListQueues{"default", page});
    rig->settle_down();
    return client.replies.at(request).error().code;
  }
  static std::vector<std::string> names(const core::QueueList& list) {
    std::vector<std::string> found;
    for (const core::QueueInfo& info : list.queues) {
      found.push_back(info.name);
    }
    return found;
  }
  using Names = std::vector<std::string>;

  std::unique_ptr<ShardRig> rig = std::make_unique<ShardRig>();
  Session client;
  std::uint64_t request = 0;
};

TEST_F(ListsTest, GivesQueuesInTheOrderOfTheirNames) {
  create("b");
  create("a");
  create("c");
  const core::QueueList all = queues({});
  EXPECT_EQ(names(all), (Names{"a", "b", "c"}));
  EXPECT_EQ(all.next, "");
}

TEST_F(ListsTest, ShowsTheCountsOfEach) {
  const proto::QueueId queue = rig->create_queue(client, "work");
  rig->send(client, proto::LogId{queue.value}, 1, test::values_of(5));
  rig->ask(client, 50, core::Subscribe{"default", "work", 1, std::nullopt, 2, 1 << 20});
  rig->settle_down();
  const core::QueueInfo info = queues({}).queues.at(0);
  EXPECT_EQ(info.ready, 3U);
  EXPECT_EQ(info.in_flight, 2U);
  EXPECT_EQ(info.subscribers, 1U);
  EXPECT_EQ(info.bytes, rig->info("work").bytes);
}

TEST_F(ListsTest, GoesOnWhereThePageBeforeEnded) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    create(name);
  }
  const core::QueueList first = queues({"", "", 2});
  EXPECT_EQ(names(first), (Names{"a", "b"}));
  create("bb");
  const core::QueueList second = queues({"", first.next, 3});
  EXPECT_EQ(names(second), (Names{"bb", "c", "d"}));
  const core::QueueList last = queues({"", second.next, 1});
  EXPECT_EQ(names(last), (Names{"e"}));
  EXPECT_EQ(last.next, "") << "nothing follows, so no page is asked for in vain";
}

TEST_F(ListsTest, LooksAtABoundedNumberForOnePage) {
  const std::uint32_t count = proto::kMaxPageResults + 5;
  for (std::uint32_t i = 0; i < count; ++i) {
    rig->ask(client, 10'000 + i, core::CreateQueue{"default", "q" + std::to_string(i), {}, {}});
  }
  create("zz");
  const core::QueueList first = queues({"z*", "", 0});
  EXPECT_TRUE(first.queues.empty());
  ASSERT_NE(first.next, "") << "a page without a match is not the end";
  EXPECT_EQ(names(queues({"z*", first.next, 0})), (Names{"zz"}));
  EXPECT_EQ(queues({}).queues.size(), proto::kMaxPageResults);
}

TEST_F(ListsTest, RefusesPagesAndPatternsThatAreTooLong) {
  EXPECT_EQ(refusal({"", "", proto::kMaxPageResults + 1}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal({std::string(proto::kMaxPatternBytes + 1, 'a'), "", 0}),
            Errc::kInvalidArgument);
  rig->ask(client, 1000, core::ListQueues{"nowhere", {}});
  rig->ask(client, 1001, core::ListTopics{"nowhere", {}});
  rig->settle_down();
  EXPECT_EQ(client.replies.at(1000).error().code, Errc::kNamespaceNotFound);
  EXPECT_EQ(client.replies.at(1001).error().code, Errc::kNamespaceNotFound);
}

TEST_F(ListsTest, EndsAPageOfTopicsByTheirPartitions) {
  for (int i = 0; i < 14; ++i) {
    const std::string name = std::string("t") + static_cast<char>('a' + i);
    rig->ask(client, 100 + static_cast<std::uint64_t>(i),
             core::CreateTopic{"default", name, {1'000}, {}});
  }
  rig->ask(client, 1000, core::ListTopics{"default", {}});
  rig->settle_down();
  const auto first = client.reply<core::TopicList>(1000);
  EXPECT_EQ(first.topics.size(), 10U);
  EXPECT_EQ(first.topics.front().partitions.size(), 1'000U);
  rig->ask(client, 1001, core::ListTopics{"default", {"", first.next, 0}});
  rig->settle_down();
  const auto second = client.reply<core::TopicList>(1001);
  EXPECT_EQ(second.topics.size(), 4U);
  EXPECT_EQ(second.topics.front().name, "tk");
  EXPECT_EQ(second.next, "");
}

}  // namespace
}  // namespace weir::shard
