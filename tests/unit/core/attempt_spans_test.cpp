#include "broker/core/queue/attempt_spans.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace weir::core {
namespace {

using Spans = std::vector<AttemptSpan>;

/// Rows of these messages: none is old.
int none(const AttemptSpan&) {
  return 0;
}

TEST(AttemptSpans, AttemptsAtTheSameMessagesAreOne) {
  AttemptSpans spans;
  for (std::uint16_t number = 1; number <= 40; ++number) {
    spans.add(70, 3, number);
    spans.add(2, 1, number);
  }
  EXPECT_EQ(spans.all(), (Spans{{2, 1, 40, 1}, {70, 1, 40, 3}}));
}

TEST(AttemptSpans, AttemptsAtFewerMessagesAreApart) {
  AttemptSpans spans;
  spans.add(5, 4, 1);
  spans.add(5, 2, 2);
  spans.add(7, 2, 2);
  spans.add(5, 2, 3);
  EXPECT_EQ(spans.all(), (Spans{{5, 1, 1, 4}, {5, 2, 3, 2}, {7, 2, 2, 2}}));
}

TEST(AttemptSpans, OneThatIsThereStaysAsItIs) {
  AttemptSpans spans;
  spans.add(5, 4, 7);
  spans.add(5, 1, 7);
  EXPECT_EQ(spans.all(), (Spans{{5, 7, 7, 4}}));
}

TEST(AttemptSpans, TheFirstAttemptStaysWhenTheNextAreOld) {
  AttemptSpans spans;
  for (std::uint16_t number = 1; number <= 40; ++number) {
    spans.add(0, 1, number);
    spans.add(1, 1, number);
  }
  EXPECT_EQ(spans.take(0, 1, [](const AttemptSpan&) { return 9; }), (Spans{{0, 2, 9, 1}}));
  EXPECT_EQ(spans.take(0, 1, [](const AttemptSpan&) { return 9; }), Spans());
  EXPECT_EQ(spans.take(0, 1, [](const AttemptSpan&) { return 10; }), (Spans{{0, 10, 10, 1}}));
  EXPECT_EQ(spans.all(), (Spans{{0, 1, 1, 1}, {0, 11, 40, 1}, {1, 1, 40, 1}}));
}

TEST(AttemptSpans, AllGoWithTheirMessages) {
  AttemptSpans spans;
  spans.add(63, 1, 1);
  spans.add(64, 2, 1);
  spans.add(64, 2, 3);
  spans.add(128, 64, 1);
  const auto all = [](const AttemptSpan&) { return AttemptSpans::kAll; };
  EXPECT_EQ(spans.take(0, 63, all), Spans());
  EXPECT_EQ(spans.take(65, 66, all), (Spans{{64, 1, 1, 2}, {64, 3, 3, 2}}));
  EXPECT_EQ(spans.take(63, 64, all), (Spans{{63, 1, 1, 1}}));
  EXPECT_EQ(spans.take(191, 10'000, all), (Spans{{128, 1, 1, 64}}));
  EXPECT_EQ(spans.take(0, 10'000, all), Spans());
}

TEST(AttemptSpans, WhatIsNotOldStays) {
  AttemptSpans spans;
  spans.add(1, 5, 1);
  EXPECT_EQ(spans.take(0, 10, none), Spans());
  EXPECT_EQ(spans.take(0, 10, [](const AttemptSpan&) { return 1; }), Spans());
  EXPECT_EQ(spans.all(), (Spans{{1, 1, 1, 5}}));
}

TEST(AttemptSpans, AreReadAsTheyWere) {
  AttemptSpans spans;
  spans.add(0, 64, 1);
  spans.add(3, 1, 2);
  spans.add(3, 1, 3);
  spans.add(200, 1, UINT16_MAX);
  AttemptSpans read;
  ASSERT_TRUE(read.restore(spans.all(), 201));
  EXPECT_EQ(read.all(), spans.all());
  EXPECT_FALSE(read.restore(spans.all(), 200));
}

}  // namespace
}  // namespace weir::core
