#include "broker/cli/top_page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace weir::cli {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

QueueDescription queue(const std::string& name, std::uint64_t ready, std::int64_t next_offset) {
  QueueDescription queue;
  queue.name = name;
  queue.uuid = "uuid of " + name;
  queue.ready = ready;
  queue.next_offset = next_offset;
  queue.subscribers = 1;
  return queue;
}

TEST(TopPage, ShowsTheLongestFirstAndRatesFromTheSecondLookOn) {
  TopPage page;
  const TopPage::TimePoint start{};
  const Timestamp wall{seconds(1'000'000)};
  QueueDescription old = queue("old", 3, 10);
  old.oldest_append_time = wall - seconds(90'061);
  old.subscribers = 0;
  const Look first_look = page.next({old, queue("new", 5, 20)}, start, wall);
  const std::string& first = first_look.table;
  EXPECT_THAT(first_look.json, HasSubstr(R"("in_per_second": null, "out_per_second": null})"));
  EXPECT_THAT(first, testing::StartsWith("2 queues, 8 messages\n\nQUEUE "));
  EXPECT_LT(first.find("\nnew "), first.find("\nold "));
  EXPECT_THAT(first, HasSubstr("1d 1h"));
  EXPECT_THAT(first, HasSubstr("no consumer"));
  // 40 came and 44 went in two seconds; another queue is there for the first time.
  old.ready = 99;
  old.next_offset = 106;
  old.receives_paused = true;
  const Look second_look =
      page.next({old, queue("new", 1, 60), queue("other", 0, 7)}, start + seconds(2), wall);
  const std::string& second = second_look.table;
  EXPECT_THAT(second_look.json, testing::StartsWith(R"([
{"name": "old", )"));
  EXPECT_THAT(second_look.json, HasSubstr(R"("in_per_second": 48, "out_per_second": 0.0},
{"name": "new", )"));
  EXPECT_THAT(second, testing::StartsWith("3 queues, 100 messages, 68 in and 22 out a second\n"));
  EXPECT_THAT(second, testing::ContainsRegex("\nnew .* 20 +22 +-\n"));
  EXPECT_THAT(second, testing::ContainsRegex("\nold .* 48 +0.0 +receives\n"));
  EXPECT_THAT(second, testing::ContainsRegex("\nother .* - +- +-\n"));
}

}  // namespace
}  // namespace weir::cli
