#include "broker/terminal/facts.hpp"

#include "broker/terminal/counted.hpp"

#include <gtest/gtest.h>

namespace weir::terminal {
namespace {

TEST(Counted, KnowsOneFromMany) {
  EXPECT_EQ(counted(1, "message"), "1 message");
  EXPECT_EQ(counted(0, "message"), "0 messages");
}

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

TEST(Facts, LoseNoBytesInJson) {
  Facts facts;
  facts.add_bytes("text", std::string_view("a\0\xef\xbf\xbd", 5));
  facts.add_bytes("bytes", std::string_view("\xff\0z", 3));
  facts.add_bytes("none", std::nullopt);
  EXPECT_EQ(facts.json(),
            "{\"text\": \"a\\u0000\xef\xbf\xbd\", "
            "\"bytes\": null, \"bytes_base64\": \"/wB6\", \"none\": null}");
}

TEST(Facts, SayTimesToPeopleAndToScripts) {
  Facts facts;
  facts.add_time("made", 1'777'636'800'250);
  facts.add_time("oldest", 1'777'636'800'250, 1'777'636'808'300);
  facts.add_time("never", std::nullopt, 5);
  EXPECT_EQ(facts.table(),
            "made    2026-05-01T12:00:00.250Z\n"
            "oldest  2026-05-01T12:00:00.250Z (8s ago)\n"
            "never   -\n");
  EXPECT_EQ(facts.json(),
            R"({"made_ms": 1777636800250, "oldest_ms": 1777636800250, "never_ms": null})");
}

TEST(Facts, MakeAnArrayWithAnObjectALine) {
  const auto object = [](int number) { return std::to_string(number); };
  EXPECT_EQ(array_of(std::vector<int>{1, 2}, object), "[\n1,\n2\n]\n");
  EXPECT_EQ(array_of(std::vector<int>{}, object), "[]\n");
}

}  // namespace
}  // namespace weir::terminal
