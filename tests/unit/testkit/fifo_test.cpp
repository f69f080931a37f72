#include "weir/client.hpp"
#include "weir/testkit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

// Order within groups, through the library: whoever handles a message of a FIFO queue has none of
// its group before it that is not done.
namespace weir::testkit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kLongWait = 30s;

class Fifo : public testing::Test {
 protected:
  Fifo() : client(Client::connect(ClientOptions(broker.url())).value()) {
    EXPECT_TRUE(client.create_queue("work.fifo"));
    producer.emplace(client.queue_producer("work.fifo", ProducerOptions()).value());
  }
  void send(const std::string& group, const std::string& body) {
    const Result<SendReceipt> sent = producer->send(Message(body).set_group(group));
    ASSERT_TRUE(sent) << sent.error().message;
  }

  Broker broker;
  Client client;
  std::optional<Producer> producer;
};

TEST_F(Fifo, AsksForAGroup) {
  const Result<SendReceipt> sent = producer->send(Message("x"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kInvalidArgument);
  const Result<SendReceipt> other = producer->send(Message("x").set_group(std::string(129, 'g')));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Fifo, TakesWhatIsSentTwiceOnce) {
  const auto once = [&](const std::string& body, const std::string& id) {
    return producer->send(Message(body).set_group("a").set_deduplication_id(id)).value();
  };
  const SendReceipt first = once("1", "x");
  EXPECT_FALSE(first.duplicate);
  const SendReceipt again = once("2", "x");
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.message_id, first.message_id);
  broker.restart();
  EXPECT_EQ(once("3", "x").message_id, first.message_id) << "known across a restart";
  // In one batch with others: each has its own answer.
  std::vector<Future<SendReceipt>> sent;
  for (const char* id : {"y", "x", "z", "y"}) {
    sent.push_back(producer->async_send(Message(id).set_group("a").set_deduplication_id(id)));
  }
  std::vector<SendReceipt> receipts;
  for (Future<SendReceipt>& one : sent) {
    receipts.push_back(one.get().value());
  }
  EXPECT_FALSE(receipts[0].duplicate);
  EXPECT_EQ(receipts[1].message_id, first.message_id);
  EXPECT_FALSE(receipts[2].duplicate);
  EXPECT_EQ(receipts[3].message_id, receipts[0].message_id);
  EXPECT_EQ(client.describe_queue("work.fifo").value().ready, 3U);
  broker.advance(std::chrono::minutes(5));
  EXPECT_FALSE(once("4", "x").duplicate) << "its time is over";
}

TEST_F(Fifo, AConsumerGetsTheNextOfAGroupWhenTheOneBeforeIsDone) {
  send("a", "a1");
  send("a", "a2");
  send("b", "b1");
  QueueConsumer consumer = client.subscribe("work.fifo", ConsumerOptions()).value();
  Delivery a1 = std::move(*consumer.next(kLongWait).value());
  EXPECT_EQ(a1.body(), "a1");
  EXPECT_EQ(a1.group(), "a");
  Delivery b1 = std::move(*consumer.next(kLongWait).value());
  EXPECT_EQ(b1.body(), "b1");
  EXPECT_FALSE(consumer.next(50ms).value()) << "a2 waits for a1";
  a1.nack(std::chrono::milliseconds(0));
  Delivery again = std::move(*consumer.next(kLongWait).value());
  EXPECT_EQ(again.body(), "a1");
  EXPECT_EQ(again.attempt(), 2U);
  again.ack();
  Delivery a2 = std::move(*consumer.next(kLongWait).value());
  EXPECT_EQ(a2.body(), "a2");
  EXPECT_EQ(a2.attempt(), 1U);
  a2.ack();
  b1.ack();
}

TEST_F(Fifo, AReceiveBringsSeveralOfAGroupInOrder) {
  for (const char* body : {"1", "2", "3"}) {
    send("a", body);
  }
  std::vector<Delivery> got =
      client.receive("work.fifo", ReceiveOptions().set_max_messages(10)).value();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_THAT(client.receive("work.fifo", ReceiveOptions()).value(), IsEmpty());
  EXPECT_TRUE(got[0].async_ack().get());
  EXPECT_TRUE(got[1].async_nack(std::chrono::milliseconds(0)).get());
  const Result<> in_vain = got[2].async_ack().get();
  ASSERT_FALSE(in_vain) << "what comes before it is not done";
  EXPECT_EQ(in_vain.error().code, ErrorCode::kReceiptExpired);
  std::vector<Delivery> again =
      client.receive("work.fifo", ReceiveOptions().set_max_messages(10)).value();
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0].body(), "2");
  EXPECT_EQ(again[1].body(), "3");
}

TEST_F(Fifo, WorkersHandleEachGroupInItsOrderWhateverFails) {
  constexpr int kGroups = 7;
  constexpr int kMessages = 60;  // of each group
  for (int i = 0; i < kMessages; ++i) {
    for (int group = 0; group < kGroups; ++group) {
      send(std::to_string(group), std::to_string(i));
    }
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, int> next;      // of each group, the one that must come
  std::map<std::string, int> attempts;  // of the one that came last
  std::set<std::string> at_work;
  std::vector<std::string> faults;
  int done = 0;
  const auto handle = [&](Delivery& delivery) -> Outcome {
    const std::string group(delivery.group().value());
    const int number = std::stoi(std::string(delivery.body()));
    {
      const std::lock_guard lock(mutex);
      if (!at_work.insert(group).second) {
        faults.push_back("two of group " + group + " at a time");
      }
      if (number != next[group]) {
        faults.push_back(std::to_string(number) + " of group " + group + " instead of " +
                         std::to_string(next[group]));
      }
    }
    std::this_thread::yield();
    const std::lock_guard lock(mutex);
    at_work.erase(group);
    if ((number * 7 + attempts[group]) % 5 == 0 && attempts[group]++ < 2) {
      return (number % 2 == 0) ? Outcome::nack(0ms, "not yet") : Outcome::release();
    }
    attempts[group] = 0;
    ++next[group];
    ++done;
    changed.notify_all();
    return Outcome::ack();
  };
  const auto options = WorkerPoolOptions().set_concurrency(8);
  WorkerPool one = client.start_workers("work.fifo", options, handle).value();
  WorkerPool other = client.start_workers("work.fifo", options, handle).value();
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kLongWait, [&] { return done == kGroups * kMessages; }))
        << done;
  }
  EXPECT_TRUE(one.drain());
  EXPECT_TRUE(other.drain());
  EXPECT_THAT(faults, IsEmpty());
}

}  // namespace
}  // namespace weir::testkit
