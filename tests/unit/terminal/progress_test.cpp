#include "broker/terminal/progress.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace weir::terminal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1 << 20;

TEST(ProgressLine, ShowsShareBytesRateAndTheTimeThatIsLeft) {
  EXPECT_EQ(progress_line({.what = "restoring",
                           .done_bytes = 100 * kMiB,
                           .total_bytes = 400 * kMiB,
                           .elapsed = seconds(2)},
                          100),
            "restoring [#####---------------]  25 %  100 MiB of about 400 MiB  50 MiB/s  6 s left");
  EXPECT_EQ(progress_line({.what = "restoring", .total_bytes = 1'536}, 100),
            "restoring [--------------------]   0 %  0 B of about 1.5 KiB");
}

TEST(ProgressLine, KeepsToWhatIsKnown) {
  EXPECT_EQ(
      progress_line({.what = "backup", .done_bytes = 3 * kMiB, .elapsed = milliseconds(500)}, 100),
      "backup  3.0 MiB  6.0 MiB/s");
  EXPECT_EQ(progress_line({.what = "backup",
                           .done_bytes = 300 * kMiB,
                           .total_bytes = 200 * kMiB,
                           .elapsed = seconds(1)},
                          100),
            "backup [###################-]  99 %  300 MiB  300 MiB/s")
      << "the total was an estimate";
}

TEST(ProgressLine, SaysLongTimesInTwoUnitsAndFitsItsWindow) {
  const auto left = [](std::uint64_t total_bytes) {
    const std::string line = progress_line(
        {.what = "", .done_bytes = 1, .total_bytes = total_bytes, .elapsed = seconds(1)}, 200);
    return line.substr(line.rfind("B/s") + 5);
  };
  EXPECT_EQ(left(60), "59 s left");
  EXPECT_EQ(left(201), "3 min 20 s left");
  EXPECT_EQ(left(7'501), "2 h 5 min left");
  EXPECT_EQ(left(std::uint64_t{1} << 60), "99 h 0 min left");
  EXPECT_EQ(progress_line({.what = "restoring", .total_bytes = 5}, 12), "restoring [-");
}

TEST(Bytes, HaveTheUnitThatKeepsThemShort) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1'023), "1023 B");
  EXPECT_EQ(bytes_text(1'024), "1.0 KiB");
  EXPECT_EQ(bytes_text(10 * 1'024), "10 KiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "16 EiB");
}

struct ProgressBarTest : testing::Test {
  Screen screen() {
    return {.write = [this](std::string_view text) { written.emplace_back(text); },
            .columns = [] { return std::size_t{31}; },
            .now = [this] { return now; }};
  }
  std::vector<std::string> written;
  std::chrono::steady_clock::time_point now{};
};

TEST_F(ProgressBarTest, IsRedrawnInPlaceTenTimesASecondAtMost) {
  {
    ProgressBar bar(screen());
    bar.begin("verifying", 0);
    EXPECT_EQ(written, std::vector<std::string>{"\r\x1b[Kverifying  0 B"});
    now += milliseconds(99);
    bar.advance(1'024);
    EXPECT_EQ(written.size(), 1U);
    now += milliseconds(1);
    bar.advance(1'024);
    ASSERT_EQ(written.size(), 2U);
    EXPECT_EQ(written[1], "\r\x1b[Kverifying  2.0 KiB  20 KiB/s");
    bar.begin("checking a part with a long name", 10);
    ASSERT_EQ(written.size(), 3U);
    EXPECT_EQ(written[2], "\r\x1b[Kchecking a part with a long na");
  }
  ASSERT_EQ(written.size(), 4U);
  EXPECT_EQ(written[3], "\r\x1b[K") << "nothing stays";
}

TEST_F(ProgressBarTest, IsTakenAwayOnceBeforeSomethingElseIsPrinted) {
  ProgressBar bar(screen());
  bar.clear();
  EXPECT_TRUE(written.empty());
  bar.begin("verifying", 5);
  bar.clear();
  bar.clear();
  EXPECT_EQ(written.size(), 2U);
}

TEST_F(ProgressBarTest, KeepsAccountWithoutAScreen) {
  ProgressBar bar(std::nullopt);
  EXPECT_EQ(bar.so_far(), "0 B");
  bar.begin("restoring", 2'048);
  bar.advance(1'000);
  bar.advance(24);
  EXPECT_EQ(bar.so_far(), "1.0 KiB of about 2.0 KiB");
}

}  // namespace
}  // namespace weir::terminal
