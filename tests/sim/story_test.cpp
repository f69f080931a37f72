#include "tests/sim/story.hpp"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

constexpr proto::LogId kLog{7};

StoryEvent about(std::int64_t time_us, std::string text, std::vector<MessageNumber> messages) {
  return {time_us, std::move(text), {kLog, std::move(messages)}, false};
}

StoryEvent fault(std::int64_t time_us, std::string text) {
  return {time_us, std::move(text), {}, true};
}

TEST(Story, TellsWhatConcernsTheMessageAndTheFaultsSinceThen) {
  const std::vector<StoryEvent> events = {
      fault(10, "cut"),
      about(1000, "send of 4 and 5", {4, 5}),
      about(1500, "send of 6", {6}),
      fault(2000, "crash"),
      {2500, "broker up", {}, false},
      about(3'000'250, "delivery of 5", {5}),
  };
  EXPECT_EQ(
      tell({"lost", {kLog, {5}}}, events),
      (std::vector<std::string>{"       1.000 ms  send of 4 and 5", "       2.000 ms  ! crash",
                                "    3000.250 ms  delivery of 5"}));
}

TEST(Story, TellsEverythingOfALogWhereNoMessageIsKnown) {
  const std::vector<StoryEvent> events = {
      about(1, "send", {4}), {2, "other", {proto::LogId{8}, {9}}, false}, about(3, "ack", {6})};
  EXPECT_EQ(tell({"counters", {kLog, {}}}, events).size(), 2U);
}

TEST(Story, EndsWithTheLastEventsWhereNothingIsKnown) {
  std::vector<StoryEvent> events;
  for (int i = 0; i < 1000; ++i) {
    events.push_back(about(i, "event " + std::to_string(i), {1}));
  }
  const auto lines = tell({"the replica differs", {}}, events);
  EXPECT_EQ(lines.size(), 60U);
  EXPECT_NE(lines.back().find("event 999"), std::string::npos);
}

TEST(Story, LeavesOutALongMiddle) {
  std::vector<StoryEvent> events;
  for (int i = 0; i < 1000; ++i) {
    events.push_back(about(i, "event " + std::to_string(i), {1}));
  }
  const auto lines = tell({"lost", {kLog, {1}}}, events);
  EXPECT_EQ(lines.size(), 120U);
  EXPECT_NE(lines[29].find("event 29"), std::string::npos);
  EXPECT_NE(lines[30].find("... 881 more ..."), std::string::npos);
  EXPECT_NE(lines[31].find("event 911"), std::string::npos);
  EXPECT_NE(lines.back().find("event 999"), std::string::npos);
}

TEST(Story, TheKindOfAViolationHasNoNumbers) {
  EXPECT_EQ(kind_of({"attempts fell from 3 to 12; message 9 at offset 4 of log 2", {}}),
            kind_of({"attempts fell from 1 to 0; message 7", {}}));
  EXPECT_NE(kind_of({"attempts fell", {}}), kind_of({"attempts rose", {}}));
}

}  // namespace
}  // namespace weir::sim
