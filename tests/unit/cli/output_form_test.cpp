#include "broker/cli/output_form.hpp"

#include "broker/cli/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::cli {
namespace {

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
  EXPECT_EQ(filled("{a} {b}", R"({"a": 4.5, "b": 0.0})"), "4.5 0");
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

}  // namespace
}  // namespace weir::cli
