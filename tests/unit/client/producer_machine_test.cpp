#include "client/core/producer_machine.hpp"

#include "tests/unit/client/producer_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ProducerRig;
using testing::ElementsAre;

class ProducerMachineTest : public testing::Test {
 protected:
  /// Brings the producer to where the broker knows its sequence, and the window is open.
  void warm_up(std::uint32_t partition = 0) {
    if (!rig_.is_up) {
      rig_.connect();
    }
    const std::string text = "warm" + std::to_string(partition);
    rig_.say(text, partition);
    rig_.turn();
    rig_.answer();
    ASSERT_EQ(rig_.outcome(text), "ok");
    rig_.turn();
  }
  /// One batch for each message.
  void say_apart(const std::vector<std::string>& texts, std::uint32_t partition = 0) {
    for (const std::string& text : texts) {
      rig_.say(text, partition);
      rig_.turn();
    }
  }
  [[nodiscard]] std::vector<std::int32_t> sequences() const {
    std::vector<std::int32_t> sequences;
    for (const OutgoingBatch& batch : rig_.wire) {
      sequences.push_back(ProducerRig::header(batch).base_sequence);
    }
    return sequences;
  }
  std::vector<std::string>& log(std::uint32_t partition = 0) { return rig_.broker.logs[partition]; }

  ProducerRig rig_;
};

TEST_F(ProducerMachineTest, SendsWhatWaitsAsOneBatchAndConfirmsEachMessage) {
  rig_.connect();
  rig_.say("a");
  rig_.say("b");
  rig_.turn();
  ASSERT_EQ(rig_.wire.size(), 1U);
  EXPECT_EQ(rig_.wire[0].alias, 4U);
  EXPECT_EQ(rig_.wire[0].deadline_ms, 15'000U);
  EXPECT_EQ(ProducerRig::header(rig_.wire[0]).record_count, 2);
  EXPECT_EQ(rig_.outcome("a"), "-");
  rig_.answer();
  EXPECT_EQ(rig_.outcome("a"), "ok");
  EXPECT_EQ(rig_.receipt("a").offset, 0);
  EXPECT_EQ(rig_.receipt("b").offset, 1);
  EXPECT_EQ(rig_.receipt("b").message_id, MessageId(9, 77, 1));
  EXPECT_EQ(rig_.buffered_messages, 0U);
  EXPECT_EQ(rig_.buffered_bytes, 0U);
  EXPECT_TRUE(rig_.machine.is_idle());
}

TEST_F(ProducerMachineTest, TellsWhereEachMessageOfADividedBatchIs) {
  rig_.connect();
  for (const char* text : {"a", "b", "c", "d", "e"}) {
    rig_.say(text);
  }
  rig_.turn();
  proto::SentEntry entry;
  entry.base_offset = 10;
  entry.known = {{1, 3}};
  entry.elsewhere = {{0, 500}, {3, 501}};
  rig_.answer(entry);
  EXPECT_EQ(rig_.receipt("a").offset, 500);
  EXPECT_EQ(rig_.receipt("b").offset, 3);
  EXPECT_EQ(rig_.receipt("c").offset, 10);
  EXPECT_EQ(rig_.receipt("d").offset, 501);
  EXPECT_EQ(rig_.receipt("e").offset, 11);
  EXPECT_TRUE(rig_.receipt("b").duplicate);
  EXPECT_FALSE(rig_.receipt("d").duplicate);
  EXPECT_EQ(rig_.receipt("d").message_id, MessageId(9, 77, 501));
}

TEST_F(ProducerMachineTest, WaitsForASessionAndItsIdentity) {
  rig_.say("a");
  rig_.turn();
  EXPECT_TRUE(rig_.wire.empty());
  rig_.is_up = true;
  rig_.machine.on_session_up(9);
  rig_.turn();
  EXPECT_TRUE(rig_.wire.empty());
  rig_.grant_requests();
  rig_.turn();
  EXPECT_EQ(rig_.wire.size(), 1U);
}

TEST_F(ProducerMachineTest, HasOneBatchOutUntilTheBrokerKnowsItsSequence) {
  rig_.connect();
  say_apart({"a", "b", "c"});
  EXPECT_EQ(rig_.wire.size(), 1U);
  rig_.answer();
  rig_.turn();
  ASSERT_EQ(rig_.wire.size(), 1U);
  EXPECT_EQ(ProducerRig::header(rig_.wire[0]).record_count, 2);
}

TEST_F(ProducerMachineTest, HasAtMostFiveBatchesOutAndLetsTheNextGrow) {
  warm_up();
  say_apart({"1", "2", "3", "4", "5", "6", "7", "8"});
  EXPECT_THAT(sequences(), ElementsAre(1, 2, 3, 4, 5));
  rig_.answer();
  rig_.turn();
  EXPECT_THAT(sequences(), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_EQ(ProducerRig::header(rig_.wire.back()).record_count, 3);
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "1", "2", "3", "4", "5", "6", "7", "8"));
}

TEST_F(ProducerMachineTest, KeepsSequencesOfPartitionsApart) {
  warm_up(0);
  warm_up(3);
  say_apart({"a", "b"}, 0);
  say_apart({"c", "d"}, 3);
  EXPECT_THAT(sequences(), ElementsAre(1, 2, 1, 2));
  rig_.answer_all();
  EXPECT_EQ(rig_.receipt("d").partition, 3U);
  EXPECT_EQ(rig_.receipt("d").offset, 2);
}

TEST_F(ProducerMachineTest, StaysWithinTheSendCredit) {
  warm_up();
  rig_.ledger.set_window(200);
  for (const char* text : {"a", "b", "c", "d"}) {
    rig_.say(text + std::string(50, '.'));
    rig_.turn();
  }
  EXPECT_EQ(rig_.wire.size(), 1U);
  rig_.answer();
  rig_.turn();
  // What waited has grown beyond the window, and leaves alone.
  ASSERT_EQ(rig_.wire.size(), 1U);
  EXPECT_EQ(ProducerRig::header(rig_.wire[0]).record_count, 3);
}

TEST_F(ProducerMachineTest, SendsAgainWithTheSameSequenceAfterALostSession) {
  warm_up();
  say_apart({"a", "b", "c"});
  // "a" and "b" are stored, and nobody learns of it.
  rig_.broker.append(0, *rig_.wire[0].batch);
  rig_.broker.append(0, *rig_.wire[1].batch);
  rig_.disconnect();
  rig_.connect();
  rig_.turn();
  EXPECT_THAT(sequences(), ElementsAre(1, 2, 3));
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "a", "b", "c"));
  EXPECT_TRUE(rig_.receipt("a").duplicate);
  EXPECT_EQ(rig_.receipt("b").offset, 2);
  EXPECT_FALSE(rig_.receipt("c").duplicate);
  EXPECT_EQ(rig_.broker.out_of_order, 0U);
}

TEST_F(ProducerMachineTest, ReportsWhatNeverLeftAsNotStored) {
  rig_.say("a");
  rig_.turn();
  rig_.now += seconds(15);
  rig_.turn();
  EXPECT_EQ(rig_.outcome("a"), "DEADLINE_EXCEEDED");
  rig_.connect();
  rig_.answer_all();
  EXPECT_TRUE(log().empty());
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, TakesExpiredMessagesOutOfABatchThatDidNotLeave) {
  rig_.say("short", 0, seconds(1));
  rig_.say("long", 0, seconds(10));
  rig_.say("short too", 0, seconds(1));
  rig_.now += seconds(2);
  rig_.connect();
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("short"), "DEADLINE_EXCEEDED");
  EXPECT_EQ(rig_.outcome("short too"), "DEADLINE_EXCEEDED");
  EXPECT_EQ(rig_.outcome("long"), "ok");
  EXPECT_EQ(rig_.receipt("long").offset, 0);
  EXPECT_THAT(log(), ElementsAre("long"));
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, ReportsWhatLeftWithoutAnAnswerAsUnknown) {
  warm_up();
  say_apart({"a"});
  EXPECT_EQ(rig_.machine.next_deadline(), rig_.now + seconds(15));
  rig_.now += seconds(15);
  rig_.turn();
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
}

TEST_F(ProducerMachineTest, KeepsItsSequenceAfterAnUnknownOutcome) {
  warm_up();
  say_apart({"a", "b"});
  rig_.disconnect();  // nothing of it was stored
  rig_.now += seconds(15);
  rig_.turn();
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
  rig_.say("c");
  rig_.connect();
  rig_.turn();
  // Nobody waits for the first two any more, but the third's sequence hangs on them.
  EXPECT_THAT(sequences(), ElementsAre(1, 2, 3));
  EXPECT_EQ(rig_.wire[0].deadline_ms, 0U);
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
  EXPECT_EQ(rig_.outcome("c"), "ok");
  EXPECT_EQ(rig_.broker.out_of_order, 0U);
  EXPECT_THAT(log(), ElementsAre("warm0", "a", "b", "c"));
}

TEST_F(ProducerMachineTest, DoesNotDoubleWhatWasStoredBehindAnUnknownOutcome) {
  warm_up();
  say_apart({"a"});
  rig_.broker.append(0, *rig_.wire[0].batch);
  rig_.now += seconds(15);
  rig_.turn();
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
  rig_.disconnect();
  rig_.say("b");
  rig_.connect();
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "a", "b"));
  EXPECT_EQ(rig_.broker.out_of_order, 0U);
}

TEST_F(ProducerMachineTest, RetriesARefusalWithoutReordering) {
  warm_up();
  say_apart({"a", "b", "c"});
  rig_.refuse(proto::Errc::kQueueFull, 300);
  rig_.answer();  // out of order: "a" is missing
  rig_.say("d");
  rig_.turn();
  EXPECT_EQ(rig_.wire.size(), 1U);  // nothing new while an answer is outstanding
  rig_.answer();
  rig_.turn();
  EXPECT_TRUE(rig_.wire.empty());
  EXPECT_EQ(rig_.machine.next_deadline(), rig_.now + milliseconds(300));
  rig_.now += milliseconds(300);
  rig_.turn();
  EXPECT_THAT(sequences(), ElementsAre(1, 2, 3, 4));
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "a", "b", "c", "d"));
  EXPECT_EQ(rig_.outcome("d"), "ok");
}

TEST_F(ProducerMachineTest, ReportsTheLastRefusalWhenTimeIsUp) {
  warm_up();
  rig_.say("a", 0, seconds(1));
  rig_.turn();
  rig_.refuse(proto::Errc::kQueueFull, 60'000);
  rig_.say("b", 0, seconds(100));
  rig_.now += seconds(1);
  rig_.turn();
  EXPECT_EQ(rig_.outcome("a"), "QUEUE_FULL");
  rig_.now += seconds(60);
  rig_.turn();
  // "a" was not stored and is not tried again; "b" takes its sequence.
  EXPECT_THAT(sequences(), ElementsAre(1));
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "b"));
  EXPECT_EQ(rig_.broker.out_of_order, 0U);
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, ShortensARefusedBatchByWhatExpired) {
  warm_up();
  rig_.say("short", 0, seconds(1));
  rig_.say("long", 0, seconds(100));
  rig_.turn();
  rig_.refuse(proto::Errc::kQueueFull, 2'000);
  rig_.now += seconds(2);
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("short"), "QUEUE_FULL");
  EXPECT_EQ(rig_.outcome("long"), "ok");
  EXPECT_EQ(rig_.receipt("long").offset, 1);
  EXPECT_THAT(log(), ElementsAre("warm0", "long"));
}

// The queue has room for two messages, and five have gathered.
TEST_F(ProducerMachineTest, HalvesWhatAFullQueueRefuses) {
  warm_up();
  for (const char* text : {"a", "b", "c", "d", "e"}) {
    rig_.say(text);
  }
  rig_.turn();
  rig_.say("f");
  rig_.turn();
  const auto counts = [this] {
    std::vector<std::int32_t> messages;
    for (const OutgoingBatch& batch : rig_.wire) {
      messages.push_back(ProducerRig::header(batch).record_count);
    }
    return messages;
  };
  ASSERT_THAT(counts(), ElementsAre(5, 1));
  rig_.refuse(proto::Errc::kQueueFull, 100);
  rig_.answer();  // out of order
  rig_.now += milliseconds(500);
  rig_.turn();
  EXPECT_THAT(counts(), ElementsAre(2, 3, 1));
  EXPECT_THAT(sequences(), ElementsAre(1, 3, 6));
  rig_.answer();
  EXPECT_EQ(rig_.outcome("b"), "ok");
  EXPECT_EQ(rig_.receipt("b").offset, 2);
  rig_.refuse(proto::Errc::kQueueFull, 100);
  rig_.answer();
  rig_.now += milliseconds(500);
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "a", "b", "c", "d", "e", "f"));
  EXPECT_EQ(rig_.broker.out_of_order, 2U) << "behind what was refused, and no more";
  EXPECT_EQ(rig_.buffered_messages, 0U);
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, HasAtMostFivePartsOfABatchOut) {
  warm_up();
  for (int i = 0; i < 64; ++i) {
    rig_.say("m" + std::to_string(i), 0, seconds(1'000));
  }
  rig_.turn();
  for (int i = 0; i < 6; ++i) {
    rig_.refuse(proto::Errc::kQueueFull);
    while (!rig_.wire.empty()) {
      rig_.answer();  // out of order
    }
    rig_.now += seconds(60);
    rig_.turn();
    ASSERT_FALSE(rig_.wire.empty());
    EXPECT_LE(rig_.wire.size(), proto::kMaxUnconfirmedBatches);
  }
  EXPECT_EQ(ProducerRig::header(rig_.wire.front()).record_count, 1) << "the smallest part";
  rig_.answer_all();
  EXPECT_EQ(log().size(), 65U);
  EXPECT_EQ(rig_.outcome("m63"), "ok");
}

TEST_F(ProducerMachineTest, GivesTheSequenceOfAFinallyRefusedBatchToTheNext) {
  warm_up();
  say_apart({"a", "b", "c"});
  rig_.refuse(proto::Errc::kInvalidArgument);
  EXPECT_EQ(rig_.outcome("a"), "INVALID_ARGUMENT");
  rig_.answer();
  rig_.answer();
  rig_.turn();
  EXPECT_THAT(sequences(), ElementsAre(1, 2));
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "b", "c"));
  EXPECT_EQ(rig_.outcome("b"), "ok");
}

TEST_F(ProducerMachineTest, KnowsThatBatchesBehindARefusedOneWereNotStored) {
  warm_up();
  say_apart({"a", "b", "c"});
  rig_.refuse(proto::Errc::kInvalidArgument);
  rig_.disconnect();  // the word that "b" and "c" are out of order is lost
  rig_.connect();
  rig_.turn();
  EXPECT_THAT(sequences(), ElementsAre(1, 2));
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "b", "c"));
}

TEST_F(ProducerMachineTest, AsksForANewEpochWhenAnUncertainBatchIsRefused) {
  warm_up();
  say_apart({"a", "b"});
  rig_.disconnect();
  rig_.connect();
  rig_.turn();
  ASSERT_THAT(sequences(), ElementsAre(1, 2));
  rig_.refuse(proto::Errc::kInvalidArgument);
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
  rig_.answer();  // "b" is out of order, and may have been stored for all this side knows
  rig_.turn();
  ASSERT_TRUE(rig_.wants_id.has_value());
  EXPECT_EQ(rig_.wants_id->first, 1U);
  EXPECT_EQ(rig_.outcome("b"), "UNKNOWN_OUTCOME");
  rig_.say("c");
  rig_.grant_requests();
  rig_.turn();
  ASSERT_THAT(sequences(), ElementsAre(0));
  EXPECT_EQ(ProducerRig::header(rig_.wire[0]).producer_epoch, 1);
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("c"), "ok");
}

TEST_F(ProducerMachineTest, RecoversWhenTheBrokerForgotIt) {
  warm_up(0);
  warm_up(1);
  rig_.broker.forget_producers();
  say_apart({"a", "b"}, 0);
  say_apart({"x"}, 1);
  rig_.answer();
  rig_.answer();
  rig_.say("c");
  rig_.turn();
  // The other partition's answer is still out: its sequence is the only proof of what was stored.
  EXPECT_FALSE(rig_.wants_id.has_value());
  rig_.answer();
  rig_.turn();
  ASSERT_TRUE(rig_.wants_id.has_value());
  rig_.grant_requests();
  rig_.answer_all();
  EXPECT_THAT(log(0), ElementsAre("warm0", "a", "b", "c"));
  EXPECT_THAT(log(1), ElementsAre("warm1", "x"));
}

TEST_F(ProducerMachineTest, TakesAFreshIdWhenTheNextEpochIsRefused) {
  warm_up();
  static_cast<void>(rig_.broker.init_producer(1, 0));  // the answer to this one was lost
  rig_.broker.forget_producers();
  say_apart({"a"});
  rig_.refuse(proto::Errc::kOutOfOrderSequence);
  rig_.turn();
  rig_.grant_requests();
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("a"), "ok");
  EXPECT_THAT(log(), ElementsAre("warm0", "a"));
}

TEST_F(ProducerMachineTest, FailsEverythingWhenTheDestinationIsGone) {
  warm_up();
  say_apart({"out"});
  rig_.disconnect();
  rig_.is_up = true;
  rig_.machine.on_session_up(9);
  rig_.wants_attach = false;
  rig_.machine.on_attached(proto::make_error(proto::Errc::kQueueNotFound), rig_.now);
  EXPECT_EQ(rig_.outcome("out"), "UNKNOWN_OUTCOME");
  ASSERT_TRUE(rig_.refusal.has_value());
  // It comes back under the same name: nothing old turns up in it.
  rig_.now += seconds(1);
  rig_.turn();
  ASSERT_TRUE(rig_.wants_attach);
  rig_.grant_requests();
  EXPECT_FALSE(rig_.refusal.has_value());
  rig_.say("new");
  rig_.turn();
  rig_.grant_requests();
  rig_.answer_all();
  EXPECT_THAT(log(), ElementsAre("warm0", "new"));
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, AnswersEverythingWhenItIsAborted) {
  warm_up();
  say_apart({"out"});
  rig_.refuse(proto::Errc::kQueueFull, 1'000);
  say_apart({"waiting"});
  rig_.machine.abort();
  EXPECT_EQ(rig_.outcome("out"), "CANCELLED");
  EXPECT_TRUE(rig_.machine.is_idle());
  EXPECT_EQ(rig_.outcome("waiting"), "-");  // the source's to answer
}

TEST_F(ProducerMachineTest, CompressesTheBatchesOfATopic) {
  ProducerMachine::Options options;
  options.is_topic = true;
  options.compression = proto::Compression::kZstd;
  ProducerRig rig(options);
  rig.connect();
  const std::string text(1'000, 'x');
  rig.say(text, 2);
  rig.turn();
  ASSERT_EQ(rig.wire.size(), 1U);
  EXPECT_EQ(ProducerRig::header(rig.wire[0]).compression(), proto::Compression::kZstd);
  rig.answer_all();
  EXPECT_EQ(rig.broker.logs[2].at(0), text);
  EXPECT_TRUE(rig.receipt(text).message_id.is_nil());
}

// ---- stopped by the application

TEST_F(ProducerMachineTest, AStoppedMessageThatDidNotLeaveIsNotStored) {
  rig_.connect();
  const auto stop = rig_.say_stoppably("a");
  rig_.say("b");
  stop->request();
  rig_.drop_stopped();
  EXPECT_EQ(rig_.outcome("a"), "CANCELLED");
  EXPECT_EQ(rig_.buffered_messages, 1U);
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("b"), "ok");
  EXPECT_THAT(log(), ElementsAre("b"));
  EXPECT_EQ(rig_.buffered_messages, 0U);
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, AStoppedMessageThatIsOutMayBeStored) {
  warm_up();
  const auto stop = rig_.say_stoppably("a");
  rig_.turn();
  stop->request();
  rig_.drop_stopped();
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("a"), "UNKNOWN_OUTCOME");
  EXPECT_THAT(log(), ElementsAre("warm0", "a"));
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, AStoppedMessageThatWasRefusedDoesNotLeaveAgain) {
  warm_up();
  const auto stop = rig_.say_stoppably("a");
  rig_.say("b");
  rig_.turn();
  rig_.refuse(proto::Errc::kOverloaded);
  stop->request();
  rig_.drop_stopped();
  EXPECT_EQ(rig_.outcome("a"), "CANCELLED");
  rig_.now += seconds(6);
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("b"), "ok");
  EXPECT_THAT(log(), ElementsAre("warm0", "b"));
  EXPECT_EQ(rig_.buffered_bytes, 0U);
}

TEST_F(ProducerMachineTest, AStoppedMessageIsNotAnsweredTwice) {
  warm_up();
  const auto stop = rig_.say_stoppably("a");
  rig_.answer_all();
  EXPECT_EQ(rig_.outcome("a"), "ok");
  stop->request();
  rig_.drop_stopped();
  EXPECT_EQ(rig_.outcome("a"), "ok");
}

}  // namespace
}  // namespace weir::sdk
