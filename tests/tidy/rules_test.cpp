#include "tests/tidy/rules.hpp"

#include "tests/tidy/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

// A rule that never fires proves nothing: each one is shown small trees that break it and that keep
// it.
namespace weir::tidy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

SourceTree tree_of(SourceTree files) {
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::vector<std::string> places(const Findings& findings) {
  std::vector<std::string> result;
  for (const Finding& finding : findings) {
    result.push_back(finding.path + ":" + std::to_string(finding.line));
  }
  return result;
}

std::string many_lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += "\n";
  }
  return text;
}

TEST(BlankComments, LeavesLinesAndColumnsInPlace) {
  EXPECT_EQ(blank_comments("a; // b\nc; /* d\n */ e;", Literals::kKeep),
            "a;     \nc;     \n    e;");
}

TEST(BlankComments, KnowsLiterals) {
  EXPECT_EQ(blank_comments("f(\"// no\", '\"', 1'000);", Literals::kKeep),
            "f(\"// no\", '\"', 1'000);");
  EXPECT_EQ(blank_comments("f(\"a\\\"b\", '\"', 1'000);", Literals::kBlank),
            "f(\"    \", ' ', 1'000);");
  EXPECT_EQ(blank_comments("R\"x(a // \" b)x\" // c", Literals::kBlank), "R\"x(        )x\"     ");
}

TEST(Includes, AreReadOutsideOfCommentsOnly) {
  const SourceFile file{"a.cpp", "// #include \"no.hpp\"\n#include <map>\n# include \"yes.hpp\"\n"};
  const std::vector<Include> includes = includes_of(file);
  ASSERT_THAT(includes, SizeIs(2));
  EXPECT_EQ(includes[0].name, "map");
  EXPECT_FALSE(includes[0].is_quoted);
  EXPECT_EQ(includes[1].name, "yes.hpp");
  EXPECT_EQ(includes[1].line, 3U);
}

TEST(Layers, RefuseAnIncludeThatPointsUp) {
  const auto place = [](std::string path, const std::string& include) {
    return places(check_layers({{std::move(path), "\n#include " + include + "\n"}}));
  };
  EXPECT_THAT(place("proto/a.hpp", "\"storage/kv.hpp\""), ElementsAre("proto/a.hpp:2"));
  EXPECT_THAT(place("proto/a.hpp", "<rocksdb/db.h>"), ElementsAre("proto/a.hpp:2"));
  EXPECT_THAT(place("storage/a.hpp", "\"broker/core/a.hpp\""), ElementsAre("storage/a.hpp:2"));
  EXPECT_THAT(place("storage/a.hpp", "\"storage/rocks/a.hpp\""), ElementsAre("storage/a.hpp:2"));
  EXPECT_THAT(place("storage/a.hpp", "<rocksdb/db.h>"), ElementsAre("storage/a.hpp:2"));
  EXPECT_THAT(place("broker/core/q/a.cpp", "<boost/asio/post.hpp>"),
              ElementsAre("broker/core/q/a.cpp:2"));
  EXPECT_THAT(place("broker/core/q/a.cpp", "<spdlog/spdlog.h>"),
              ElementsAre("broker/core/q/a.cpp:2"));
  EXPECT_THAT(place("broker/core/a.cpp", "\"storage/rocks/a.hpp\""),
              ElementsAre("broker/core/a.cpp:2"));
  EXPECT_THAT(place("broker/shard/a.cpp", "\"broker/net/a.hpp\""),
              ElementsAre("broker/shard/a.cpp:2"));
  EXPECT_THAT(place("broker/net/a.cpp", "\"broker/server/a.hpp\""),
              ElementsAre("broker/net/a.cpp:2"));
  EXPECT_THAT(place("broker/testkit/a.cpp", "\"storage/rocks/a.hpp\""),
              ElementsAre("broker/testkit/a.cpp:2"));
  EXPECT_THAT(place("broker/testkit/a.cpp", "\"broker/server/a.hpp\""),
              ElementsAre("broker/testkit/a.cpp:2"));
  EXPECT_THAT(place("broker/testkit/include/weir/a.hpp", "\"proto/ids.hpp\""),
              ElementsAre("broker/testkit/include/weir/a.hpp:2"));
  EXPECT_THAT(place("broker/testkit/include/weir/a.hpp", "<boost/asio/post.hpp>"),
              ElementsAre("broker/testkit/include/weir/a.hpp:2"));
  EXPECT_THAT(place("client/core/a.cpp", "<boost/asio/post.hpp>"),
              ElementsAre("client/core/a.cpp:2"));
  EXPECT_THAT(place("client/session/a.cpp", "<boost/asio/post.hpp>"),
              ElementsAre("client/session/a.cpp:2"));
  EXPECT_THAT(place("client/session/a.cpp", "\"client/net/a.hpp\""),
              ElementsAre("client/session/a.cpp:2"));
  EXPECT_THAT(place("client/net/a.cpp", "\"broker/core/a.hpp\""),
              ElementsAre("client/net/a.cpp:2"));
  EXPECT_THAT(place("client/include/weir/a.hpp", "<boost/asio/post.hpp>"),
              ElementsAre("client/include/weir/a.hpp:2"));
  EXPECT_THAT(place("client/include/weir/a.hpp", "\"weir/v1/protocol.pb.h\""),
              ElementsAre("client/include/weir/a.hpp:2"));
  EXPECT_THAT(place("elsewhere/a.cpp", "<map>"), ElementsAre("elsewhere/a.cpp:0"));
}

TEST(Layers, AllowWhatPointsDown) {
  const SourceTree tree = {
      {"broker/core/a.cpp", "#include \"storage/kv.hpp\"\n#include \"proto/ids.hpp\"\n"},
      {"broker/server/a.cpp", "#include \"storage/rocks/a.hpp\"\n#include <spdlog/spdlog.h>\n"},
      {"client/include/weir/asio.hpp", "#include <boost/asio/post.hpp>\n"},
      {"broker/testkit/a.cpp", "#include \"broker/net/a.hpp\"\n#include \"weir/testkit.hpp\"\n"},
      {"client/net/a.cpp", "#include \"weir/client.hpp\"\n#include <boost/asio/post.hpp>\n"},
      {"storage/rocks/a.cpp", "#include <rocksdb/db.h>\n#include <vector>\n"},
      {"tests/unit/a.cpp", "#include \"broker/net/a.hpp\"\n"},
  };
  EXPECT_THAT(check_layers(tree), IsEmpty());
}

TEST(IncludeCycles, AreFoundOverSeveralFiles) {
  const SourceTree tree = tree_of({{"proto/a.hpp", "#include \"proto/b.hpp\"\n"},
                                   {"proto/b.hpp", "#include \"proto/c.hpp\"\n"},
                                   {"proto/c.hpp", "\n#include \"proto/a.hpp\"\n"},
                                   {"proto/d.hpp", "#include \"proto/a.hpp\"\n"}});
  EXPECT_THAT(places(check_include_cycles(tree)), ElementsAre("proto/c.hpp:2"));
  EXPECT_THAT(check_include_cycles({{"proto/a.hpp", "#include \"proto/b.hpp\"\n"},
                                    {"proto/b.hpp", "#include <map>\n"}}),
              IsEmpty());
}

TEST(Purity, RefusesClocksThreadsAndChance) {
  const auto place = [](std::string path, std::string text) {
    return places(check_purity({{std::move(path), std::move(text)}}, {}));
  };
  EXPECT_THAT(place("broker/core/a.cpp", "auto t = std::chrono::steady_clock::now();"),
              ElementsAre("broker/core/a.cpp:1"));
  EXPECT_THAT(place("broker/shard/a.cpp", "\nstd::mutex m;"), ElementsAre("broker/shard/a.cpp:2"));
  EXPECT_THAT(place("client/core/a.hpp", "std::random_device d;"),
              ElementsAre("client/core/a.hpp:1"));
  EXPECT_THAT(place("client/session/a.cpp", "auto t = std::chrono::steady_clock::now();"),
              ElementsAre("client/session/a.cpp:1"));
  EXPECT_THAT(place("broker/core/a.cpp", "co_await x;"), ElementsAre("broker/core/a.cpp:1"));
  EXPECT_THAT(place("broker/core/a.cpp", "// std::mutex\nint co_awaited = 1;"), IsEmpty());
  EXPECT_THAT(place("broker/net/a.cpp", "std::mutex m;"), IsEmpty());
}

TEST(Purity, HasExceptionsThatMustBeUsed) {
  const std::vector<PurityException> exceptions = {{"broker/shard/log", {"std::thread", "::now("}}};
  const auto findings = [&](std::string path, std::string text) {
    return check_purity({{std::move(path), std::move(text)}}, exceptions);
  };
  EXPECT_THAT(findings("broker/shard/log.cpp", "std::thread a; Clock::now();"), IsEmpty());
  EXPECT_THAT(places(findings("broker/shard/log.hpp", "std::thread a;")),
              ElementsAre("broker/shard/log:0"));
  EXPECT_THAT(places(findings("broker/shard/log.cpp", "std::thread a; x::now(); std::mutex b;")),
              ElementsAre("broker/shard/log.cpp:1"));
  EXPECT_THAT(findings("broker/shard/other.cpp", "std::thread a;"), SizeIs(3));
}

TEST(Headers, HaveAGuardAndOpenNoNamespace) {
  EXPECT_THAT(places(check_headers({{"proto/a.hpp", "#pragma once\nusing namespace std;\n"}})),
              ElementsAre("proto/a.hpp:2"));
  EXPECT_THAT(places(check_headers({{"proto/a.hpp", "// #pragma once\n"}})),
              ElementsAre("proto/a.hpp:0"));
  EXPECT_THAT(places(check_headers({{"client/net/a.cpp", "#include <boost/asio.hpp>\n"}})),
              ElementsAre("client/net/a.cpp:1"));
  EXPECT_THAT(check_headers({{"proto/a.hpp", "#pragma once\nnamespace weir {}\n"},
                             {"proto/b.cpp", "using namespace std::literals;\n"}}),
              IsEmpty());
}

TEST(CoAwait, TakesNoTemporaryThatGccDestroysTwice) {
  const auto findings = [](std::string text) {
    return check_co_await({{"broker/net/a.cpp", std::move(text)}});
  };
  EXPECT_THAT(findings("co_await f({.a = 1});"), SizeIs(1));
  EXPECT_THAT(findings("co_await f([x] { return x; });"), SizeIs(1));
  EXPECT_THAT(findings("auto r = co_await f(Options{});"), SizeIs(1));
  EXPECT_THAT(findings("auto [a, b] = co_await f();"), SizeIs(1));
  EXPECT_THAT(findings("co_await f(a ? b : c);"), SizeIs(1));
  EXPECT_THAT(findings("if (co_await f(Options{})) { g(); }"), SizeIs(1));
  EXPECT_THAT(findings("co_return co_await f(\n    Options{1});"), SizeIs(1));
}

TEST(CoAwait, MayStandInBlocksAndConditions) {
  const auto findings = [](std::string text) {
    return check_co_await({{"broker/net/a.cpp", std::move(text)}});
  };
  EXPECT_THAT(findings("while (co_await f(a, g(b))) { h[1] = 2; }"), IsEmpty());
  EXPECT_THAT(findings("if (auto r = co_await f(); !r) { return; }"), IsEmpty());
  EXPECT_THAT(findings("Options o{1}; [[maybe_unused]] auto r = co_await f(o); int a[2];"),
              IsEmpty());
  EXPECT_THAT(findings("// co_await f({});\ng(\"co_await {\");"), IsEmpty());
  EXPECT_THAT(findings("Awaiter operator co_await() { return Awaiter{}; }"), IsEmpty());
}

TEST(Columns, AreCountedInCharacters) {
  std::string wide = "// ";
  for (int i = 0; i < 97; ++i) {
    wide += "é";
  }
  EXPECT_THAT(check_columns({{"proto/a.hpp", wide}}), IsEmpty());
  EXPECT_THAT(places(check_columns({{"proto/a.hpp", "\n" + wide + "e"}})),
              ElementsAre("proto/a.hpp:2"));
}

// Marks are written in two pieces, because this file is under the rules as well.
SourceTree sample(std::string path, std::string_view before, std::string_view head,
                  std::string_view tail) {
  return {{std::move(path), std::string(before) + std::string(head) + std::string(tail)}};
}

TEST(Leftovers, AreFoundInAnyFile) {
  EXPECT_THAT(places(check_leftovers(sample("docker/x", "\n# ", "TO", "DO: later\n"))),
              ElementsAre("docker/x:2"));
  EXPECT_THAT(check_leftovers(sample("proto/a.cpp", "f();  // enough ", "for", " now\n")),
              SizeIs(1));
  EXPECT_THAT(check_leftovers(sample("proto/a.cpp", "", "#if", " 0\n")), SizeIs(1));
  EXPECT_THAT(check_leftovers({{"proto/a.cpp", "auto_do(); for nowhere\n"}}), IsEmpty());
}

TEST(TestFiles, NeitherSleepNorSkip) {
  EXPECT_THAT(check_tests(sample("tests/a.cpp", "std::this_thread::", "sleep", "_for(1ms);")),
              SizeIs(1));
  EXPECT_THAT(check_tests(sample("tests/a.cpp", "", "GTEST", "_SKIP();")), SizeIs(1));
  EXPECT_THAT(check_tests(sample("tests/a.cpp", "TEST(A, ", "DIS", "ABLED_B) {}")), SizeIs(1));
  EXPECT_THAT(check_tests(sample("bench/a.cpp", "std::this_thread::", "sleep", "_for(1ms);")),
              IsEmpty());
}

TEST(References, MustMeanSomethingHere) {
  const std::string link = "[x](../docker/README.md)\n";
  EXPECT_THAT(check_references(sample("proto/a.cpp", "// see /wo", "rk", "/main\n")), SizeIs(1));
  EXPECT_THAT(check_references({{"proto/a.cpp", "// HERE.md says so\n"}}), SizeIs(1));
  EXPECT_THAT(check_references({{"proto/README.md", link}}), SizeIs(1));
  EXPECT_THAT(check_references(tree_of({{"proto/README.md", link},
                                        {"proto/a.cpp", "open(\"HERE.md\");  // README.md"},
                                        {"docker/README.md", "https://a.example/B.md\n"}})),
              IsEmpty());
}

TEST(Lengths, EndAtSixHundredLines) {
  EXPECT_THAT(check_lengths({{"proto/a.cpp", many_lines(600)}}), IsEmpty());
  EXPECT_THAT(places(check_lengths({{"proto/a.cpp", many_lines(601)}})),
              ElementsAre("proto/a.cpp:601"));
  EXPECT_THAT(check_lengths({{"docker/x", "#!/bin/sh\n" + many_lines(600)}}), SizeIs(1));
  EXPECT_THAT(check_lengths({{"README.md", many_lines(700)}}), IsEmpty());
}

TEST(Readmes, DescribeEachFolderOfCode) {
  EXPECT_THAT(places(check_readmes({{"proto/a.hpp", ""}})), ElementsAre("proto:0"));
  EXPECT_THAT(check_readmes(tree_of({{"proto/README.md", "`batch/` has the format"},
                                     {"proto/a.hpp", ""},
                                     {"proto/batch/b.hpp", ""}})),
              IsEmpty());
  EXPECT_THAT(
      places(check_readmes(tree_of({{"proto/README.md", "nothing"}, {"proto/batch/b.hpp", ""}}))),
      ElementsAre("proto/batch:0"));
}

TEST(DeadFiles, AreThoseThatNobodyBuildsOrIncludes) {
  const SourceTree tree = tree_of({{"proto/CMakeLists.txt", "add_library(x a.cpp sub/b.cpp\n"},
                                   {"proto/a.cpp", "#include \"proto/a.hpp\"\n"},
                                   {"proto/a.hpp", ""},
                                   {"proto/c.hpp", ""},
                                   {"proto/sub/a.cpp", ""},
                                   {"proto/sub/b.cpp", ""}});
  EXPECT_THAT(places(check_dead_files(tree)), ElementsAre("proto/c.hpp:0", "proto/sub/a.cpp:0"));
}

TEST(DeadFiles, SeePublicHeadersAsUsersIncludeThem) {
  const SourceTree tree = tree_of({{"client/include/weir/a.hpp", ""},
                                   {"tests/CMakeLists.txt", "${CMAKE_CURRENT_SOURCE_DIR}/a.cpp"},
                                   {"tests/a.cpp", "#include \"weir/a.hpp\"\n"}});
  EXPECT_THAT(check_dead_files(tree), IsEmpty());
}

}  // namespace
}  // namespace weir::tidy
