#include "broker/terminal/facts.hpp"

#include <gtest/gtest.h>

namespace weir::terminal {
namespace {

TEST(Facts, AreATableAndMembersOfAnObject) {
  Facts facts;
  facts.add("name", "a \"b\"");
  facts.add("messages", std::uint64_t{7});
  facts.add_flag("paused", false);
  facts.add_nothing("owner");
  EXPECT_EQ(facts.table(), "name      a \"b\"\nmessages  7\npaused    false\nowner     -\n");
  EXPECT_EQ(json_object(facts.json_members()),
            R"({"name": "a \"b\"", "messages": 7, "paused": false, "owner": null})");
}

TEST(Facts, MakeAnArrayWithAnObjectALine) {
  const auto object = [](int number) { return std::to_string(number); };
  EXPECT_EQ(array_of(std::vector<int>{1, 2}, object), "[\n1,\n2\n]\n");
  EXPECT_EQ(array_of(std::vector<int>{}, object), "[]\n");
}

}  // namespace
}  // namespace weir::terminal
