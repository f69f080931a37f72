#include "broker/cli/output_form.hpp"

#include "broker/cli/top_page.hpp"
#include "broker/cli/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace weir::cli {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

std::string filled(std::string_view text, std::string_view json) {
  const Result<std::string> out = fill_template(text, json);
  return out ? *out : out.error().message;
}

TEST(Template, TakesFieldsOfAnObjectAndOfEachInAList) {
  const std::string one = R"({"name": "a \"b\"", "ready": 5, "dead_letter_queue": null})";
  EXPECT_EQ(filled("{name}={ready}\\n", one), "a \"b\"=5\n");
  EXPECT_EQ(filled("[{dead_letter_queue}]", one), "[]");
  EXPECT_EQ(filled("{{{ready}}\\t\\\\\\x", one), "{5}\t\\\\x");
  EXPECT_EQ(filled("{name},", R"([{"name": "a"}, {"name": "b"}])"), "a,b,");
  EXPECT_EQ(filled("{name}", "[]"), "");
  EXPECT_EQ(filled("{parts}", R"({"parts": [{"n": 1}]})"), R"([{"n":1}])");
}

TEST(Template, SaysWhatIsWrong) {
  EXPECT_EQ(filled("{nam}", R"({"name": 1, "id": 2})"),
            "there is no field 'nam'; there are: name, id");
  EXPECT_EQ(filled("{name", R"({"name": 1})"), "a template's { has no }; write {{ for a brace");
  EXPECT_THAT(filled("x", "{"), HasSubstr("no JSON"));
}

TEST(Watch, PutsAPageInThePlaceOfTheOneBefore) {
  EXPECT_EQ(in_place("one\ntwo\n", 10, 80), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
  EXPECT_EQ(in_place("one\ntwo\nthree\n", 2, 80), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
  EXPECT_EQ(in_place("a long line\n", 2, 6), "\x1b[Ha long\x1b[K\x1b[J");
  EXPECT_EQ(in_place("Grüße\n", 2, 4), "\x1b[HGrüß\x1b[K\x1b[J");
  EXPECT_EQ(in_place("", 2, 6), "\x1b[H\x1b[J");
}

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
  const std::string first = page.next({old, queue("new", 5, 20)}, start, wall);
  EXPECT_THAT(first, testing::StartsWith("2 queues, 8 messages\n\nQUEUE "));
  EXPECT_LT(first.find("\nnew "), first.find("\nold "));
  EXPECT_THAT(first, HasSubstr("1d 1h"));
  EXPECT_THAT(first, HasSubstr("no consumer"));
  // 40 came and 44 went in two seconds; another queue is there for the first time.
  old.ready = 99;
  old.next_offset = 106;
  old.receives_paused = true;
  const std::string second =
      page.next({old, queue("new", 1, 60), queue("other", 0, 7)}, start + seconds(2), wall);
  EXPECT_THAT(second, testing::StartsWith("3 queues, 100 messages, 68 in and 22 out a second\n"));
  EXPECT_THAT(second, testing::ContainsRegex("\nnew .* 20 +22 +-\n"));
  EXPECT_THAT(second, testing::ContainsRegex("\nold .* 48 +0.0 +receives\n"));
  EXPECT_THAT(second, testing::ContainsRegex("\nother .* - +- +-\n"));
}

}  // namespace
}  // namespace weir::cli
