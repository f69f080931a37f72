#include "proto/handle.hpp"
#include "weir/weir.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace weir {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  Result<std::string> good = std::string("x");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, "x");
  EXPECT_EQ(good->size(), 1U);
  EXPECT_EQ(good.value_or("y"), "x");

  const Result<std::string> bad = Error(ErrorCode::kQueueNotFound, "no queue");
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::kQueueNotFound);
  EXPECT_EQ(bad.value_or("y"), "y");
}

TEST(Result, ThrowsTheErrorByValueAlone) {
  Result<int> bad = Error(ErrorCode::kQueueFull, "full");
  try {
    static_cast<void>(bad.value());
    FAIL();
  } catch (const Exception& thrown) {
    EXPECT_EQ(thrown.error().code, ErrorCode::kQueueFull);
    EXPECT_STREQ(thrown.what(), "QUEUE_FULL: full");
  }
  Result<> nothing = Error(ErrorCode::kCancelled);
  EXPECT_THROW(nothing.value(), Exception);
  EXPECT_NO_THROW(Result<>().value());
}

TEST(Result, CarriesWhatIsOnlyMovable) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 3);
}

TEST(ErrorCode, HasTheNumbersOfTheProtocol) {
  EXPECT_EQ(static_cast<int>(ErrorCode::kInternal), static_cast<int>(proto::Errc::kInternal));
  EXPECT_EQ(name(ErrorCode::kUnknownOutcome), "UNKNOWN_OUTCOME");
  EXPECT_EQ(name(static_cast<ErrorCode>(999)), "UNKNOWN_ERROR");
  EXPECT_TRUE(is_retriable(ErrorCode::kOverloaded));
  EXPECT_FALSE(is_retriable(ErrorCode::kQueueNotFound));
  EXPECT_EQ(Error(ErrorCode::kCancelled).message, describe(ErrorCode::kCancelled));
}

TEST(UniqueFunction, KeepsSmallCapturesInside) {
  int calls = 0;
  UniqueFunction<int(int)> twice = [&calls](int x) {
    ++calls;
    return 2 * x;
  };
  UniqueFunction<int(int)> moved = std::move(twice);
  EXPECT_FALSE(static_cast<bool>(twice));  // NOLINT: moved from on purpose
  EXPECT_EQ(moved(4), 8);
  EXPECT_EQ(calls, 1);
}

TEST(UniqueFunction, DestroysItsCaptureOnce) {
  auto counted = std::make_shared<int>(0);
  for (const bool large : {false, true}) {
    std::array<char, 100> ballast{};
    UniqueFunction<void()> function;
    if (large) {
      function = [counted, ballast] { *counted += ballast[0]; };
    } else {
      function = [counted] { ++*counted; };
    }
    EXPECT_EQ(counted.use_count(), 2);
    UniqueFunction<void()> other = std::move(function);
    EXPECT_EQ(counted.use_count(), 2);
    other();
    other = nullptr;
    EXPECT_EQ(counted.use_count(), 1);
  }
}

TEST(UniqueFunction, KnowsTheTypeInside) {
  auto one = [] { return 1; };
  const UniqueFunction<int()> function = one;
  EXPECT_NE(function.target<decltype(one)>(), nullptr);
  EXPECT_EQ(function.target<int (*)()>(), nullptr);
  EXPECT_EQ(UniqueFunction<int()>().target<decltype(one)>(), nullptr);
}

TEST(CallOptions, AreMadeOfWhatIsAtHand) {
  const auto moment = std::chrono::steady_clock::now();
  const std::stop_source source;
  EXPECT_EQ(CallOptions(std::chrono::seconds(2)).timeout(), std::chrono::milliseconds(2'000));
  EXPECT_EQ(CallOptions(std::chrono::microseconds(1)).timeout(), std::chrono::milliseconds(1));
  EXPECT_EQ(CallOptions(moment).deadline(), moment);
  EXPECT_EQ(CallOptions(source.get_token()).stop_token(), source.get_token());
  EXPECT_FALSE(CallOptions().timeout() || CallOptions().deadline() ||
               CallOptions().stop_token().stop_possible());
}

TEST(UniqueFunction, TakesMoveOnlyCapturesAndArguments) {
  UniqueFunction<int(std::unique_ptr<int>)> sum =
      [held = std::make_unique<int>(2)](std::unique_ptr<int> given) { return *held + *given; };
  EXPECT_EQ(sum(std::make_unique<int>(3)), 5);
}

TEST(MessageId, IsPrintedAsTheProtocolPrintsIt) {
  const MessageId id(0x01020304, 0x0a0b0c0d0e0f, 77);
  EXPECT_EQ(id.to_string(), proto::message_id(0x01020304, 0x0a0b0c0d0e0f, 77));
  EXPECT_FALSE(id.is_nil());
  EXPECT_TRUE(MessageId().is_nil());
}

TEST(MessageId, ReadsWhatItPrints) {
  const MessageId id(5, 6, 7);
  EXPECT_EQ(MessageId::parse(id.to_string()), id);
  EXPECT_EQ(MessageId::parse(""), std::nullopt);
  EXPECT_EQ(MessageId::parse(std::string(36, '0')), std::nullopt);
  EXPECT_EQ(MessageId::parse(id.to_string() + "0"), std::nullopt);
}

TEST(Message, GivesViewsOfItself) {
  Message message("body");
  message.set_key("k").add_header("a", "1").add_header("b", std::nullopt).set_partition(3);
  std::vector<HeaderView> headers;
  const MessageView view = message.view(headers);
  EXPECT_EQ(view.body(), "body");
  EXPECT_EQ(view.key(), "k");
  ASSERT_EQ(view.headers().size(), 2U);
  EXPECT_EQ(view.headers()[0], HeaderView("a", "1"));
  EXPECT_EQ(view.headers()[1], HeaderView("b", std::nullopt));
  EXPECT_EQ(view.partition(), 3U);
  EXPECT_EQ(message.set_tombstone().view(headers).body(), std::nullopt);
}

TEST(ReaderOptions, ResolvesPartitionsByTheCommonStart) {
  ReaderOptions options;
  options.add_partition(2)
      .add_partition(4, StartPosition::offset(9))
      .set_from(StartPosition::end());
  const auto partitions = options.partitions();
  ASSERT_EQ(partitions.size(), 2U);
  EXPECT_EQ(partitions[0].from, StartPosition::end());
  EXPECT_EQ(partitions[1].from, StartPosition::offset(9));
}

// g++ 12 destroys aggregate temporaries within a co_await expression twice.
static_assert(!std::is_aggregate_v<ClientOptions> && !std::is_aggregate_v<ProducerOptions> &&
              !std::is_aggregate_v<ConsumerOptions> && !std::is_aggregate_v<ReceiveOptions> &&
              !std::is_aggregate_v<ReaderOptions> && !std::is_aggregate_v<QueueSettings> &&
              !std::is_aggregate_v<TopicSettings> && !std::is_aggregate_v<Error> &&
              !std::is_aggregate_v<SendReceipt> && !std::is_aggregate_v<HeaderView> &&
              !std::is_aggregate_v<PartitionStart> && !std::is_aggregate_v<CallOptions> &&
              !std::is_aggregate_v<Message> && !std::is_aggregate_v<MessageView> &&
              !std::is_aggregate_v<StartPosition> && !std::is_aggregate_v<ClientEvent> &&
              !std::is_aggregate_v<Record> && !std::is_aggregate_v<PartitionPosition> &&
              !std::is_aggregate_v<Future<int>> && !std::is_aggregate_v<Promise<int>>);
static_assert(std::is_move_constructible_v<Delivery> && !std::is_copy_constructible_v<Delivery>);

}  // namespace
}  // namespace weir
