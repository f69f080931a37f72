#include "proto/limits.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

// Namespaces, and who is connected.
namespace weir::shard {
namespace {

using proto::Errc;
using test::Session;
using test::ShardRig;
using test::values_of;

struct NamespacesTest : testing::Test {
  NamespacesTest() { rig->open(client); }
  proto::Result<core::Reply> ask(core::Request request) {
    rig->ask(client, ++last, std::move(request));
    rig->settle_down();
    return client.replies.at(last);
  }
  template <class T>
  T answer(core::Request request) {
    return std::get<T>(ask(std::move(request)).value());
  }
  Errc refusal(core::Request request) { return ask(std::move(request)).error().code; }

  std::unique_ptr<ShardRig> rig = std::make_unique<ShardRig>();
  Session client;
  std::uint64_t last = 0;
};

TEST_F(NamespacesTest, KeepsNamesApart) {
  EXPECT_EQ(refusal(core::CreateQueue{"billing", "work", {}, {}}), Errc::kNamespaceNotFound);
  EXPECT_TRUE(answer<core::NamespaceInfo>(core::CreateNamespace{"billing"}).created);
  EXPECT_FALSE(answer<core::NamespaceInfo>(core::CreateNamespace{"billing"}).created);
  const auto here = answer<core::QueueInfo>(core::CreateQueue{"default", "work", {}, {}});
  const auto there = answer<core::QueueInfo>(core::CreateQueue{"billing", "work", {}, {}});
  EXPECT_NE(here.id, there.id);
  const auto info = answer<core::NamespaceInfo>(core::DescribeNamespace{"billing"});
  EXPECT_EQ(info.queues, 1U);
  EXPECT_EQ(info.topics, 0U);
  answer<core::TopicInfo>(core::CreateTopic{"billing", "news", {2}, {}});
  answer<core::QueueInfo>(core::DeleteQueue{"billing", "work"});
  const auto later = answer<core::NamespaceInfo>(core::DescribeNamespace{"billing"});
  EXPECT_EQ(later.queues, 0U);
  EXPECT_EQ(later.topics, 1U);
}

TEST_F(NamespacesTest, ListsThem) {
  for (const char* name : {"c", "a", "b"}) {
    answer<core::NamespaceInfo>(core::CreateNamespace{name});
  }
  const auto first = answer<core::NamespaceList>(core::ListNamespaces{{"", "", 2}});
  ASSERT_EQ(first.namespaces.size(), 2U);
  EXPECT_EQ(first.namespaces[1].name, "b");
  const auto rest = answer<core::NamespaceList>(core::ListNamespaces{{"", first.next, 10}});
  ASSERT_EQ(rest.namespaces.size(), 2U);
  EXPECT_EQ(rest.namespaces[1].name, "default");
  EXPECT_EQ(rest.next, "");
}

TEST_F(NamespacesTest, DeletesOnlyWhatIsEmptyAndNotTheDefault) {
  answer<core::NamespaceInfo>(core::CreateNamespace{"billing"});
  answer<core::QueueInfo>(core::CreateQueue{"billing", "work", {}, {}});
  const auto refused = ask(core::DeleteNamespace{"billing"});
  EXPECT_EQ(refused.error().code, Errc::kInUse);
  EXPECT_NE(refused.error().message.find("1 queues and 0 topics"), std::string::npos);
  answer<core::QueueInfo>(core::DeleteQueue{"billing", "work"});
  answer<core::NamespaceInfo>(core::DeleteNamespace{"billing"});
  EXPECT_EQ(refusal(core::DescribeNamespace{"billing"}), Errc::kNamespaceNotFound);
  EXPECT_EQ(refusal(core::DeleteNamespace{"billing"}), Errc::kNamespaceNotFound);
  EXPECT_EQ(refusal(core::DeleteNamespace{"default"}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(core::CreateNamespace{"No"}), Errc::kInvalidName);
  ASSERT_TRUE(rig->shard.reset());
  rig->settle_down();
  rig->open(client);
  EXPECT_EQ(answer<core::NamespaceList>(core::ListNamespaces{}).namespaces.size(), 1U);
  EXPECT_TRUE(core::test::check_rows(rig->store));
}

TEST_F(NamespacesTest, BoundsThem) {
  for (std::uint64_t i = 1; i < proto::kMaxNamespaces; ++i) {
    rig->ask(client, 100 + i, core::CreateNamespace{"n" + std::to_string(i)});
  }
  EXPECT_EQ(refusal(core::CreateNamespace{"more"}), Errc::kLimitExceeded);
  EXPECT_FALSE(answer<core::NamespaceInfo>(core::CreateNamespace{"n1"}).created);
}

struct ClientsTest : NamespacesTest {
  ClientsTest() {
    rig->now += 5;
    other.id = rig->shard.open_session(other, {.service = "checkout",
                                               .client = "weir-cpp/1",
                                               .address = "10.0.0.1:5",
                                               .name_space = "default"});
    rig->create_queue(client, "work");
  }
  Session other;
};

TEST_F(ClientsTest, ShowsWhoIsThereAndWhatTheyHold) {
  rig->ask(other, 1, core::Subscribe{"default", "work", 1, 60'000, 2, 1 << 20});
  const auto queue = answer<core::QueueInfo>(core::DescribeQueue{"default", "work"}).id;
  rig->send(client, proto::LogId{queue.value}, 1, values_of(3));
  rig->create_topic(client, "news");
  rig->ask(other, 2, core::SubscribeTopic{"default", "news", 2, {}, {}, 10, 1000});
  rig->settle_down();
  const auto all = answer<core::ClientList>(core::ListClients{});
  ASSERT_EQ(all.clients.size(), 2U);
  const core::ClientInfo& info = all.clients[1];
  EXPECT_EQ(info.session, other.id);
  EXPECT_EQ(info.facts.service, "checkout");
  EXPECT_EQ(info.facts.client, "weir-cpp/1");
  EXPECT_EQ(info.facts.address, "10.0.0.1:5");
  EXPECT_EQ(info.facts.since, test::kNow + 5);
  EXPECT_EQ(info.subscriptions, 2U);
  EXPECT_EQ(info.in_flight, 2U);
  const auto some = answer<core::ClientList>(core::ListClients{{"check*", "", 0}});
  EXPECT_EQ(some.clients.size(), 1U);
  const auto first = answer<core::ClientList>(core::ListClients{{"", "", 1}});
  EXPECT_EQ(first.clients.at(0).session, client.id);
  EXPECT_EQ(answer<core::ClientList>(core::ListClients{{"", first.next, 1}}).clients.at(0).session,
            other.id);
  EXPECT_EQ(refusal(core::ListClients{{"", "x1", 1}}), Errc::kInvalidArgument);
}

TEST_F(ClientsTest, KicksByItselfWhenItIsAnswered) {
  rig->ask(client, 77, core::KickClient{other.id});
  rig->run();
  rig->settle_down();
  EXPECT_EQ(client.reply<core::ClientInfo>(77).facts.service, "checkout");
  ASSERT_EQ(other.kicked.size(), 1U);
  EXPECT_EQ(other.kicked[0].code, Errc::kKicked);
  EXPECT_TRUE(client.kicked.empty());
  rig->shard.close_session(other.id);
  rig->settle_down();
  EXPECT_EQ(refusal(core::KickClient{other.id}), Errc::kInvalidArgument);
  EXPECT_EQ(answer<core::ClientList>(core::ListClients{}).clients.size(), 1U);
}

TEST_F(ClientsTest, DoesNotKickWhoHasLeftMeanwhile) {
  rig->ask(client, 76, core::CreateNamespace{"billing"});  // for which the kick has to wait
  rig->ask(client, 77, core::KickClient{other.id});
  rig->run();
  EXPECT_TRUE(other.kicked.empty());
  rig->shard.close_session(other.id);
  rig->settle_down();
  EXPECT_TRUE(other.kicked.empty());
  EXPECT_TRUE(client.replies.at(77));
}

}  // namespace
}  // namespace weir::shard
