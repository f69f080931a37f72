#include "broker/cli/message_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::cli {
namespace {

using testing::Contains;
using testing::Pair;
using testing::UnorderedElementsAre;
using Value = std::optional<std::string>;

TEST(MessageEnvironment, NamesTheMessage) {
  EXPECT_THAT(message_environment("mail", "id-1", 3, "k"),
              UnorderedElementsAre(Pair("WEIR_QUEUE", Value("mail")),
                                   Pair("WEIR_MESSAGE_ID", Value("id-1")),
                                   Pair("WEIR_ATTEMPT", Value("3")), Pair("WEIR_KEY", Value("k"))));
}

TEST(MessageEnvironment, LeavesOutAKeyThatNoVariableCanHold) {
  const std::string long_key((std::size_t{64} << 10) + 1, 'k');
  for (const std::optional<std::string_view> key :
       {std::optional<std::string_view>(), std::optional(std::string_view("a\0b", 3)),
        std::optional<std::string_view>(long_key)}) {
    EXPECT_THAT(message_environment("mail", "id-1", 1, key),
                Contains(Pair("WEIR_KEY", Value(std::nullopt))));
  }
}

TEST(MessageEnvironment, KeepsAnEmptyKey) {
  EXPECT_THAT(message_environment("mail", "id-1", 1, ""), Contains(Pair("WEIR_KEY", Value(""))));
}

TEST(Summary, SaysWhatCameToNothingIfSomethingDid) {
  WorkerPoolStats stats;
  stats.acked = 3;
  stats.nacked = 1;
  EXPECT_EQ(summary_of(stats), "acked 3, nacked 1");
  stats.late = 2;
  EXPECT_EQ(summary_of(stats), "acked 3, nacked 1, done but not acknowledged 2");
}

TEST(TooManyFailures, NamesTheirNumberAndTheLastOne) {
  const std::string exited = too_many_failures(20, {.exit_code = 127});
  EXPECT_THAT(exited, testing::StartsWith("20 commands in a row failed, the last with exit status "
                                          "127; "));
  EXPECT_THAT(exited, testing::HasSubstr("--max-failures-in-a-row"));
  EXPECT_THAT(too_many_failures(1, {.signal = 9}),
              testing::StartsWith("1 command failed, the last with signal 9; "));
}

}  // namespace
}  // namespace weir::cli
