#include "proto/settlement.hpp"

#include "proto/limits.hpp"
#include "proto/utf8.hpp"

#include <gtest/gtest.h>

namespace weir::proto {
namespace {

TEST(ReasonOf, KeepsWhatAPersonCanRead) {
  EXPECT_EQ(reason_of(""), "");
  EXPECT_EQ(reason_of("Grüße\n"), "Grüße\n");
  EXPECT_EQ(reason_of(std::string("a\xff\0b", 4)), std::string("a?\0b", 4));
}

TEST(ReasonOf, CutsBetweenTwoCharacters) {
  const std::string almost(kMaxReasonBytes - 1, 'x');
  EXPECT_EQ(reason_of(almost + "yz"), almost + "y");
  EXPECT_EQ(reason_of(almost + "\u00fc"), almost) << "half a character is none";
  const std::string cut = reason_of(std::string(100'000, '\xff'));
  EXPECT_EQ(cut.size(), kMaxReasonBytes);
  EXPECT_TRUE(is_utf8(cut));
}

TEST(SettleError, NamesTheLongestLease) {
  EXPECT_NE(settle_error(Errc::kLimitExceeded).message.find("43200000 ms"), std::string::npos);
  EXPECT_EQ(settle_error(Errc::kReceiptExpired), make_error(Errc::kReceiptExpired));
}

TEST(Protocol1, HearsWhatComesClosest) {
  std::vector<SettleRange> ranges(4);
  ranges[0].kind = SettleKind::kTransient;
  ranges[0].value = kDelayByPolicy;
  ranges[0].reason = 1;
  ranges[1].kind = SettleKind::kPoison;
  ranges[2].kind = SettleKind::kNotNow;
  ranges[2].value = 500;
  ranges[3].kind = SettleKind::kExtend;
  ranges[3].value = 700;
  say_in_protocol_1(ranges);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ranges[i].kind, SettleKind::kNack);
    EXPECT_EQ(ranges[i].reason, 0U);
  }
  EXPECT_EQ(ranges[0].value, 0U);
  EXPECT_EQ(ranges[2].value, 500U);
  EXPECT_EQ(ranges[3].kind, SettleKind::kExtend);
  EXPECT_EQ(ranges[3].value, 700U);
}

}  // namespace
}  // namespace weir::proto
