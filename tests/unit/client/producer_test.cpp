#include "weir/producer.hpp"

#include "client/core/partitioner.hpp"
#include "tests/unit/client/client_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;
using test::Latch;

class ProducerTest : public ClientTest {
 protected:
  using Answer = FakeBroker::Answer;

  [[nodiscard]] std::vector<std::string> log(std::uint32_t partition = 0) {
    return broker_.with([&] { return broker_.model.logs[partition]; });
  }
  [[nodiscard]] std::uint64_t out_of_order() {
    return broker_.with([&] { return broker_.model.out_of_order; });
  }
  void answer_sends() {
    broker_.with([&] { broker_.on_send = nullptr; });
  }
};

TEST_F(ProducerTest, ConfirmsOneMessage) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value()) << producer.error().to_string();
  Message message("body");
  message.set_key("k").add_header("h", "v").set_timestamp(Timestamp(milliseconds(5'000)));
  const Result<SendReceipt> receipt = producer->send(message);
  ASSERT_TRUE(receipt.has_value()) << receipt.error().to_string();
  EXPECT_EQ(receipt->offset, 0);
  EXPECT_EQ(receipt->message_id, MessageId(9, 77, 0));
  EXPECT_EQ(receipt->append_time, Timestamp(milliseconds(1'234)));
  EXPECT_FALSE(receipt->duplicate);
  EXPECT_EQ(producer->send("second")->offset, 1);
  ASSERT_TRUE(producer->flush().has_value());
  EXPECT_EQ(producer->buffered_messages(), 0U);
  EXPECT_EQ(producer->buffered_bytes(), 0U);
  broker_.with([&] {
    EXPECT_EQ(broker_.sends[0].header.base_timestamp, 5'000);
    EXPECT_EQ(broker_.sends[0].header.producer_id, 1);
    EXPECT_GT(broker_.sends[0].deadline_ms, 14'000U);
  });
}

TEST_F(ProducerTest, ConfirmsManyInOrderAndFewBatches) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  constexpr int kCount = 20'000;
  std::vector<std::int64_t> offsets(kCount, -1);
  std::atomic<int> answers{0};
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(producer->send(std::to_string(i), [&, i](const Result<SendReceipt>& result) {
      offsets[static_cast<std::size_t>(i)] = result->offset;
      ++answers;
    }));
  }
  ASSERT_TRUE(producer->flush().has_value());
  EXPECT_EQ(answers, kCount);
  const std::vector<std::string> stored = log();
  ASSERT_EQ(stored.size(), std::size_t{kCount});
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(stored[static_cast<std::size_t>(i)], std::to_string(i));
    ASSERT_EQ(offsets[static_cast<std::size_t>(i)], i);
  }
  broker_.with([&] { EXPECT_LT(broker_.sends.size(), std::size_t{kCount} / 2); });
  EXPECT_EQ(out_of_order(), 0U);
}

TEST_F(ProducerTest, TakesMessagesFromManyThreads) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  std::atomic<int> confirmed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1'000; ++i) {
        EXPECT_TRUE(producer->send(
            std::to_string(t) + "/" + std::to_string(i),
            [&](const Result<SendReceipt>& result) { confirmed += result.has_value() ? 1 : 0; }));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_TRUE(producer->flush().has_value());
  EXPECT_EQ(confirmed, 4'000);
  std::map<char, int> next;
  for (const std::string& text : log()) {
    EXPECT_EQ(std::stoi(text.substr(2)), next[text[0]]++);
  }
}

TEST_F(ProducerTest, SendsAgainUnderTheSameSequenceAfterALostConnection) {
  broker_.with([&] {
    broker_.on_send = [&](FakeBroker::Peer& peer, const proto::Send& send) {
      if (peer.number() == 1) {
        // Stored, but the word of it is lost.
        broker_.model.append(send.partition, send.batch);
        peer.hang_up();
        return Answer::kNothing;
      }
      return Answer::kUsual;
    };
  });
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  const Result<SendReceipt> receipt = producer->send("once");
  ASSERT_TRUE(receipt.has_value()) << receipt.error().to_string();
  EXPECT_TRUE(receipt->duplicate);
  EXPECT_EQ(receipt->offset, 0);
  EXPECT_THAT(log(), testing::ElementsAre("once"));
  broker_.with([&] {
    ASSERT_EQ(broker_.sends.size(), 2U);
    EXPECT_EQ(broker_.sends[0].header.base_sequence, broker_.sends[1].header.base_sequence);
    EXPECT_EQ(broker_.sends[1].number, 1U);
  });
}

TEST_F(ProducerTest, ReportsAnUnknownOutcomeAndGoesOn) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  ASSERT_TRUE(producer->send("first").has_value());
  swallow_sends();
  EXPECT_EQ(producer->send("lost?", milliseconds(50)).error().code, ErrorCode::kUnknownOutcome);
  answer_sends();
  broker_.hang_up();
  const Result<SendReceipt> next = producer->send("next");
  ASSERT_TRUE(next.has_value()) << next.error().to_string();
  EXPECT_THAT(log(), testing::ElementsAre("first", "lost?", "next"));
  EXPECT_EQ(out_of_order(), 0U);
}

TEST_F(ProducerTest, ReportsWhatNeverLeftAsNotStored) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  broker_.set_accepting(false);
  broker_.hang_up();
  ASSERT_TRUE(broker_.wait([&] { return broker_.last_peer() == nullptr; }));
  while (client.connected()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(producer->send("x", milliseconds(30)).error().code, ErrorCode::kDeadlineExceeded);
  broker_.set_accepting(true);
  ASSERT_TRUE(producer->send("y").has_value());
  EXPECT_THAT(log(), testing::ElementsAre("y"));
}

TEST_F(ProducerTest, RetriesWhatIsRefusedForTheMoment) {
  int refusals = 0;
  broker_.with([&] {
    broker_.on_send = [&](FakeBroker::Peer& peer, const proto::Send& send) {
      if (refusals++ > 1) {
        return Answer::kUsual;
      }
      proto::Sent sent;
      sent.entries.emplace_back();
      sent.entries[0].send_number = send.send_number;
      sent.entries[0].code = static_cast<std::uint16_t>(proto::Errc::kQueueFull);
      sent.entries[0].retry_after_ms = 5;
      peer.write_frame(sent);
      return Answer::kNothing;
    };
  });
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  ASSERT_TRUE(producer->send("x").has_value());
  EXPECT_THAT(log(), testing::ElementsAre("x"));
}

TEST_F(ProducerTest, RefusesWhatDoesNotFitItsBuffer) {
  swallow_sends();
  Client client = connect();
  ProducerOptions options;
  options.set_max_buffered_messages(2);
  Result<Producer> producer = client.queue_producer("q", options);
  ASSERT_TRUE(producer.has_value());
  const auto ignore = [](const Result<SendReceipt>&) {};
  ASSERT_TRUE(producer->try_send("1", ignore));
  ASSERT_TRUE(producer->try_send("2", ignore));
  EXPECT_EQ(producer->try_send("3", ignore).error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(producer->send("3", milliseconds(20)).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(producer->buffered_messages(), 2U);
  client.close(milliseconds(0));
  EXPECT_EQ(producer->buffered_messages(), 0U);
  EXPECT_EQ(producer->buffered_bytes(), 0U);
}

TEST_F(ProducerTest, BoundsItsBufferInBytesButTakesOneLargeMessage) {
  swallow_sends();
  Client client = connect();
  ProducerOptions options;
  options.set_max_buffered_bytes(100);
  Result<Producer> producer = client.queue_producer("q", options);
  ASSERT_TRUE(producer.has_value());
  const auto ignore = [](const Result<SendReceipt>&) {};
  EXPECT_TRUE(producer->try_send(std::string(10'000, 'x'), ignore));
  EXPECT_EQ(producer->try_send("y", ignore).error().code, ErrorCode::kOverloaded);
  client.close(milliseconds(0));
}

TEST_F(ProducerTest, BlocksUntilThereIsRoom) {
  swallow_sends();
  Client client = connect();
  ProducerOptions options;
  options.set_max_buffered_messages(1);
  Result<Producer> producer = client.queue_producer("q", options);
  ASSERT_TRUE(producer.has_value());
  ASSERT_TRUE(producer->send("1", [](const Result<SendReceipt>&) {}));
  ASSERT_TRUE(broker_.wait([&] { return broker_.sends.size() == 1; }));
  std::thread other([&] { EXPECT_TRUE(producer->send("2").has_value()); });
  answer_sends();
  broker_.hang_up();  // the first is sent again, and makes room
  other.join();
  EXPECT_THAT(log(), testing::ElementsAre("1", "2"));
}

TEST_F(ProducerTest, ChecksMessagesBeforeTheyLeave) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  EXPECT_EQ(producer->send(std::string((1U << 20U) + 1, 'x')).error().code,
            ErrorCode::kMessageTooLarge);
  EXPECT_EQ(producer->send(Message("x").add_header("weir.id", "1")).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(producer->send(Message("x").add_header("a\nb", "1")).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(producer->send(Message("x").set_partition(1)).error().code,
            ErrorCode::kPartitionNotFound);
  ProducerOptions compressed;
  compressed.set_compression(Compression::kLz4);
  EXPECT_EQ(client.queue_producer("q", compressed).error().code, ErrorCode::kInvalidArgument);
  broker_.with([&] { EXPECT_TRUE(broker_.sends.empty()); });
}

TEST_F(ProducerTest, PutsKeysWhereKafkaPutsThem) {
  Client client = connect();
  Result<Producer> producer = client.topic_producer("t", {});
  ASSERT_TRUE(producer.has_value());
  EXPECT_EQ(producer->partitions(), 4U);
  for (const char* key : {"21", "foobar", "abc"}) {
    const Result<SendReceipt> receipt = producer->send(Message(key).set_key(key));
    ASSERT_TRUE(receipt.has_value());
    EXPECT_EQ(receipt->partition, partition_of_key(key, 4));
    EXPECT_TRUE(receipt->message_id.is_nil());
  }
  EXPECT_EQ(producer->send(Message("x").set_partition(3))->partition, 3U);
}

TEST_F(ProducerTest, SpreadsMessagesWithoutAKey) {
  Client client = connect();
  Result<Producer> producer = client.topic_producer("t", {});
  ASSERT_TRUE(producer.has_value());
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 8; ++i) {
    seen.insert(producer->send("x")->partition);
  }
  EXPECT_EQ(seen.size(), 4U);
}

TEST_F(ProducerTest, CompressesWhatGoesToATopic) {
  Client client = connect();
  ProducerOptions options;
  options.set_compression(Compression::kZstd);
  Result<Producer> producer = client.topic_producer("t", options);
  ASSERT_TRUE(producer.has_value());
  const std::string text(10'000, 'x');
  const Result<SendReceipt> receipt = producer->send(text);
  ASSERT_TRUE(receipt.has_value());
  EXPECT_THAT(log(receipt->partition), testing::ElementsAre(text));
  broker_.with([&] {
    EXPECT_EQ(broker_.sends[0].header.compression(), proto::Compression::kZstd);
    EXPECT_LT(broker_.sends[0].header.total_bytes(), 1'000U);
  });
}

TEST_F(ProducerTest, FlushWaitsForWhatWasTakenBefore) {
  swallow_sends();
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  EXPECT_TRUE(producer->flush(milliseconds(0)).has_value());
  ASSERT_TRUE(producer->send("x", [](const Result<SendReceipt>&) {}));
  EXPECT_EQ(producer->flush(milliseconds(20)).error().code, ErrorCode::kDeadlineExceeded);
  answer_sends();
  broker_.hang_up();
  EXPECT_TRUE(producer->flush().has_value());
}

TEST_F(ProducerTest, StillSendsWhatItTookWhenItsLastHandleGoes) {
  Client client = connect();
  Latch confirmed;
  {
    Result<Producer> producer = client.queue_producer("q", {});
    ASSERT_TRUE(producer.has_value());
    const Producer copy = *producer;
    ASSERT_TRUE(producer->send("x", [&](const Result<SendReceipt>& result) {
      EXPECT_TRUE(result.has_value());
      confirmed.open();
    }));
  }
  EXPECT_TRUE(confirmed.wait());
}

TEST_F(ProducerTest, SendsFromWithinACallback) {
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  Latch done;
  ASSERT_TRUE(producer->send("1", [&](const Result<SendReceipt>&) {
    EXPECT_TRUE(producer->send("2", [&](const Result<SendReceipt>& result) {
      EXPECT_TRUE(result.has_value());
      done.open();
    }));
  }));
  EXPECT_TRUE(done.wait());
}

TEST_F(ProducerTest, FinishesWhatIsOutWhenTheBrokerDrains) {
  std::optional<std::uint64_t> held;
  broker_.with([&] {
    broker_.on_send = [&](FakeBroker::Peer& peer, const proto::Send& send) {
      if (peer.number() != 1) {
        return Answer::kUsual;
      }
      held = send.send_number;
      v1::GoAway go_away;
      go_away.set_draining(true);
      go_away.set_drain_ms(10'000);
      peer.write(proto::FrameType::kGoAway, go_away);
      // The answer comes while the connection drains.
      proto::Sent sent;
      sent.entries.push_back(broker_.model.append(send.partition, send.batch));
      sent.entries[0].send_number = send.send_number;
      peer.write_frame(sent);
      return Answer::kNothing;
    };
  });
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  const Result<SendReceipt> first = producer->send("1");
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->duplicate);
  ASSERT_TRUE(producer->send("2").has_value());
  broker_.with([&] { EXPECT_EQ(broker_.connections, 2); });
  EXPECT_THAT(log(), testing::ElementsAre("1", "2"));
}

TEST_F(ProducerTest, KeepsToASmallSendCredit) {
  broker_.with([&] { broker_.send_window_bytes = 2'000; });
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(producer->send(std::string(300, 'x'), [](const Result<SendReceipt>&) {}));
  }
  ASSERT_TRUE(producer->flush().has_value());
  EXPECT_EQ(log().size(), 500U);
}

TEST_F(ProducerTest, LosesAndDoublesNothingWhileConnectionsBreak) {
  int seen = 0;
  broker_.with([&] {
    broker_.on_send = [&](FakeBroker::Peer& peer, const proto::Send& send) {
      switch (++seen % 7) {
        case 3:  // never arrived
          peer.hang_up();
          return Answer::kNothing;
        case 5:  // stored, and nobody learns of it
          broker_.model.append(send.partition, send.batch);
          peer.hang_up();
          return Answer::kNothing;
        default:
          return Answer::kUsual;
      }
    };
  });
  Client client = connect();
  Result<Producer> producer = client.queue_producer("q", {});
  ASSERT_TRUE(producer.has_value());
  std::vector<std::string> expected;
  std::atomic<int> confirmed{0};
  for (int i = 0; i < 300; ++i) {
    expected.push_back(std::to_string(i));
    ASSERT_TRUE(producer->send(expected.back(), [&](const Result<SendReceipt>& result) {
      confirmed += result.has_value() ? 1 : 0;
    }));
    if (i % 10 == 0) {
      ASSERT_TRUE(producer->flush().has_value());
    }
  }
  ASSERT_TRUE(producer->flush().has_value());
  EXPECT_EQ(confirmed, 300);
  EXPECT_EQ(log(), expected);
  EXPECT_EQ(out_of_order(), 0U);
}

}  // namespace
}  // namespace weir::sdk
