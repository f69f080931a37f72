#include "client/core/request_table.hpp"

#include "tests/unit/client/start_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RequestTableTest : public testing::Test {
 protected:
  void add(RequestPolicy policy, const char* queue = "q") {
    v1::Request request;
    request.mutable_describe_queue()->set_name(queue);
    table_.add(std::move(request), policy, [this](proto::Result<v1::Response> result) {
      outcomes_.push_back(result ? "ok" : std::string(proto::name(result.error().code)));
    });
  }
  static RequestPolicy within(Duration time) {
    RequestPolicy policy;
    policy.deadline = kStart + time;
    return policy;
  }
  void send(TimePoint now) { table_.send_ready(now, sink_); }
  static v1::Response answer(std::uint64_t id) {
    v1::Response response;
    response.set_id(id);
    response.mutable_done();
    return response;
  }
  static v1::Response refusal(std::uint64_t id, proto::Errc code, std::uint32_t retry_after = 0) {
    v1::Response response;
    response.set_id(id);
    response.mutable_error()->set_code(static_cast<std::uint32_t>(code));
    response.mutable_error()->set_retry_after_ms(retry_after);
    return response;
  }

  RequestTable table_{1};
  std::vector<v1::Request> sent_;
  std::vector<std::string> outcomes_;
  RequestTable::Sink sink_ = [this](const v1::Request& request) { sent_.push_back(request); };
};

TEST_F(RequestTableTest, SendsWithTheRemainingDeadlineAndAnswers) {
  add(within(seconds(5)));
  send(kStart + seconds(2));
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_EQ(sent_[0].deadline_ms(), 3'000U);
  EXPECT_TRUE(table_.is_waiting_for_answers());
  EXPECT_TRUE(table_.on_response(answer(sent_[0].id()), kStart));
  EXPECT_THAT(outcomes_, testing::ElementsAre("ok"));
  EXPECT_FALSE(table_.on_response(answer(sent_[0].id()), kStart));
  EXPECT_TRUE(table_.empty());
}

TEST_F(RequestTableTest, SendsEachOnce) {
  add(within(seconds(5)));
  add(within(seconds(5)));
  send(kStart);
  send(kStart);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_NE(sent_[0].id(), sent_[1].id());
}

TEST_F(RequestTableTest, RetriesARetriableRefusalAfterAPause) {
  add(within(seconds(5)));
  send(kStart);
  table_.on_response(refusal(sent_[0].id(), proto::Errc::kOverloaded, 700), kStart);
  send(kStart + milliseconds(699));
  EXPECT_EQ(sent_.size(), 1U);
  EXPECT_EQ(table_.next_deadline(true), kStart + milliseconds(700));
  send(kStart + milliseconds(700));
  EXPECT_EQ(sent_.size(), 2U);
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(RequestTableTest, GivesUpWhenTheNextTryWouldBeTooLate) {
  add(within(seconds(5)));
  send(kStart);
  table_.on_response(refusal(sent_[0].id(), proto::Errc::kOverloaded, 5'000), kStart);
  EXPECT_THAT(outcomes_, testing::ElementsAre("OVERLOADED"));
}

TEST_F(RequestTableTest, PassesOnAFinalRefusalAtOnce) {
  add(within(seconds(5)));
  send(kStart);
  table_.on_response(refusal(sent_[0].id(), proto::Errc::kQueueNotFound), kStart);
  EXPECT_THAT(outcomes_, testing::ElementsAre("QUEUE_NOT_FOUND"));
}

TEST_F(RequestTableTest, GoesOnInTheNextSession) {
  add(within(seconds(5)));
  send(kStart);
  table_.on_session_lost();
  EXPECT_FALSE(table_.is_waiting_for_answers());
  send(kStart + seconds(1));
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_FALSE(table_.on_response(answer(sent_[0].id()), kStart));
  EXPECT_TRUE(table_.on_response(answer(sent_[1].id()), kStart));
}

TEST_F(RequestTableTest, ForgetsWhatMeansSomethingOnOneSessionOnly) {
  RequestPolicy policy;
  policy.is_for_session = true;
  add(policy);
  send(kStart);
  add(policy);
  table_.on_session_lost();
  EXPECT_TRUE(table_.empty());
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(RequestTableTest, TriesAgainWhenOneTryTakesTooLong) {
  RequestPolicy policy = within(seconds(15));
  policy.try_timeout = seconds(5);
  add(policy);
  send(kStart);
  EXPECT_EQ(table_.next_deadline(true), kStart + seconds(5));
  table_.expire(kStart + seconds(5), std::nullopt);
  send(kStart + seconds(5));
  EXPECT_EQ(sent_.size(), 2U);
  table_.expire(kStart + seconds(15), std::nullopt);
  EXPECT_THAT(outcomes_, testing::ElementsAre("DEADLINE_EXCEEDED"));
}

TEST_F(RequestTableTest, SaysWhyThereIsNoSession) {
  add(within(seconds(5)));
  table_.expire(kStart + seconds(5), proto::make_error(proto::Errc::kConnectFailed));
  EXPECT_THAT(outcomes_, testing::ElementsAre("CONNECT_FAILED"));
}

TEST_F(RequestTableTest, LeavesTheOutcomeOpenOnlyWhereSomethingMayHaveChanged) {
  RequestPolicy policy = within(seconds(5));
  policy.changes_something = true;
  add(policy);
  table_.expire(kStart + seconds(5), std::nullopt);
  EXPECT_THAT(outcomes_, testing::ElementsAre("DEADLINE_EXCEEDED"));
  add(policy);
  send(kStart);
  table_.expire(kStart + seconds(5), std::nullopt);
  EXPECT_EQ(outcomes_.back(), "UNKNOWN_OUTCOME");
  add(policy);
  send(kStart);
  table_.on_response(refusal(sent_.back().id(), proto::Errc::kPaused), kStart);
  table_.expire(kStart + seconds(5), std::nullopt);
  EXPECT_EQ(outcomes_.back(), "PAUSED");
}

TEST_F(RequestTableTest, CancelsEverything) {
  add(within(seconds(5)));
  send(kStart);
  add(within(seconds(5)));
  table_.cancel_all(proto::make_error(proto::Errc::kCancelled));
  EXPECT_THAT(outcomes_, testing::ElementsAre("CANCELLED", "CANCELLED"));
}

TEST_F(RequestTableTest, WithdrawsWhatHasNotLeft) {
  RequestPolicy policy = within(seconds(5));
  policy.ticket = 4;
  add(policy);
  EXPECT_FALSE(table_.withdraw(3));
  EXPECT_TRUE(table_.withdraw(4));
  EXPECT_FALSE(table_.withdraw(4));
  send(kStart);
  EXPECT_TRUE(sent_.empty());
  EXPECT_TRUE(table_.empty());
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(RequestTableTest, SaysThatAWithdrawnRequestMayHaveBeenCarriedOut) {
  RequestPolicy policy = within(seconds(5));
  policy.ticket = 4;
  add(policy);
  send(kStart);
  // Its answer is on the way.
  EXPECT_FALSE(table_.withdraw(4));
  EXPECT_TRUE(table_.is_waiting_for_answers());
  // No answer can come any more, and it is not to be sent again.
  table_.on_session_lost();
  EXPECT_FALSE(table_.withdraw(4));
  EXPECT_TRUE(table_.empty());
}

TEST_F(RequestTableTest, KnowsThatARefusedRequestWasNotCarriedOut) {
  RequestPolicy policy = within(seconds(5));
  policy.ticket = 4;
  add(policy);
  send(kStart);
  table_.on_response(refusal(sent_[0].id(), proto::Errc::kOverloaded), kStart);
  EXPECT_TRUE(table_.withdraw(4));
}

// The broker refused the first try; what became of the second nobody knows.
TEST_F(RequestTableTest, DoesNotTakeAnEarlierRefusalForTheAnswerToALostTry) {
  RequestPolicy policy = within(seconds(5));
  policy.changes_something = true;
  add(policy);
  send(kStart);
  table_.on_response(refusal(sent_[0].id(), proto::Errc::kOverloaded), kStart);
  send(kStart + seconds(1));
  ASSERT_EQ(sent_.size(), 2U);
  table_.on_session_lost();
  table_.expire(kStart + seconds(5), std::nullopt);
  EXPECT_THAT(outcomes_, testing::ElementsAre("UNKNOWN_OUTCOME"));
}

}  // namespace
}  // namespace weir::sdk
