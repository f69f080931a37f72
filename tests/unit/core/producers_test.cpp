#include "broker/core/producers.hpp"

#include "proto/limits.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace weir::core {
namespace {

using proto::Errc;
using proto::LogId;
using proto::ProducerId;

constexpr LogId kLog{5};

BatchAppended appended(std::int64_t id, std::uint16_t epoch, std::int32_t sequence,
                       std::uint32_t count, proto::Offset base, proto::TimeMs time = 100) {
  BatchAppended record;
  record.log = kLog;
  record.base_offset = base;
  record.count = count;
  record.time = time;
  record.producer_id = id;
  record.producer_epoch = epoch;
  record.base_sequence = sequence;
  return record;
}

Errc code(const Producers& producers, std::int64_t id, std::int16_t epoch, std::int32_t sequence,
          std::uint32_t count = 1) {
  return producers.check(kLog, id, epoch, sequence, count).error().code;
}

TEST(Producers, LetBatchesWithoutAProducerPass) {
  const Producers producers;
  EXPECT_FALSE(producers.check(kLog, -1, -1, -1, 3).value());
}

TEST(Producers, FenceTheUnknownAndTheOld) {
  Producers producers;
  producers.apply(ProducerStarted{ProducerId{9}, 2, 10});
  EXPECT_EQ(code(producers, 8, 0, 0), Errc::kProducerFenced);
  EXPECT_EQ(code(producers, 9, 1, 0), Errc::kProducerFenced);
  EXPECT_EQ(code(producers, 9, -1, 0), Errc::kProducerFenced);
  EXPECT_EQ(code(producers, 9, 3, 0), Errc::kInvalidArgument) << "never given out";
  EXPECT_EQ(code(producers, 9, 2, -1), Errc::kInvalidArgument);
}

TEST(Producers, BeginAtSequenceZero) {
  Producers producers;
  producers.apply(ProducerStarted{ProducerId{9}, 0, 10});
  EXPECT_EQ(code(producers, 9, 0, 1), Errc::kOutOfOrderSequence);
  EXPECT_FALSE(producers.check(kLog, 9, 0, 0, 1).value());
}

TEST(Producers, AnswerTheLastFiveBatchesWithTheirOffsets) {
  Producers producers;
  producers.apply(ProducerStarted{ProducerId{9}, 0, 10});
  for (std::int32_t i = 0; i < 7; ++i) {
    ASSERT_FALSE(producers.check(kLog, 9, 0, i * 10, 10).value());
    producers.append(appended(9, 0, i * 10, 10, i * 10, 100 + i));
  }
  for (std::int32_t i = 2; i < 7; ++i) {
    const auto known = producers.check(kLog, 9, 0, i * 10, 10).value();
    ASSERT_TRUE(known) << i;
    EXPECT_EQ(known->base_offset, i * 10);
    EXPECT_EQ(known->append_time, 100 + i);
  }
  EXPECT_EQ(code(producers, 9, 0, 10, 10), Errc::kOutOfOrderSequence) << "forgotten by now";
  EXPECT_EQ(code(producers, 9, 0, 60, 9), Errc::kOutOfOrderSequence) << "another batch";
  EXPECT_EQ(code(producers, 9, 0, 80, 10), Errc::kOutOfOrderSequence) << "a hole";
  EXPECT_FALSE(producers.check(kLog, 9, 0, 70, 10).value());
  EXPECT_FALSE(producers.check(LogId{6}, 9, 0, 0, 1).value()) << "each log has its own sequence";
}

TEST(Producers, WrapTheSequenceAsKafkaDoes) {
  EXPECT_EQ(next_sequence(INT32_MAX, 1), 0);
  EXPECT_EQ(next_sequence(INT32_MAX - 1, 5), 3);
  EXPECT_EQ(next_sequence(0, 10), 10);
  Producers producers;
  producers.apply(ProducerStarted{ProducerId{9}, 0, 10});
  producers.append(appended(9, 0, INT32_MAX - 1, 3, 0));
  EXPECT_FALSE(producers.check(kLog, 9, 0, 1, 1).value());
  EXPECT_EQ(code(producers, 9, 0, 0), Errc::kOutOfOrderSequence);
}

TEST(Producers, BeginAgainWithANewEpoch) {
  Producers producers;
  producers.apply(ProducerStarted{ProducerId{9}, 0, 10});
  producers.append(appended(9, 0, 0, 4, 0));
  producers.apply(ProducerStarted{ProducerId{9}, 1, 20});
  EXPECT_EQ(code(producers, 9, 0, 0, 4), Errc::kProducerFenced);
  EXPECT_EQ(code(producers, 9, 1, 4), Errc::kOutOfOrderSequence);
  EXPECT_FALSE(producers.check(kLog, 9, 1, 0, 4).value()) << "no duplicate of the epoch before";
  producers.append(appended(9, 1, 0, 4, 4));
  EXPECT_EQ(producers.check(kLog, 9, 1, 0, 4).value()->base_offset, 4);
}

TEST(Producers, KnowWhichOneWasUsedLongestAgo) {
  Producers producers;
  EXPECT_FALSE(producers.oldest());
  producers.apply(ProducerStarted{ProducerId{1}, 0, 10});
  producers.apply(ProducerStarted{ProducerId{2}, 0, 20});
  EXPECT_EQ(producers.oldest()->second, ProducerId{1});
  producers.append(appended(1, 0, 0, 1, 0, 30));
  EXPECT_EQ(producers.oldest(), (std::pair<proto::TimeMs, ProducerId>{20, ProducerId{2}}));
  EXPECT_EQ(producers.apply(ProducerForgotten{ProducerId{1}}), std::vector<LogId>{kLog});
  EXPECT_EQ(producers.size(), 1U);
  EXPECT_EQ(code(producers, 1, 0, 1), Errc::kProducerFenced);
}

}  // namespace
}  // namespace weir::core
