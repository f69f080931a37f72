#include "proto/base64.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace weir::proto {
namespace {

using std::string_view_literals::operator""sv;

TEST(Base64, IsThatOfTheRfc) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("\xff\0z"sv), "/wB6");
  EXPECT_EQ(to_base64("\xfb\xef\xbe"), "++++");
  EXPECT_EQ(to_base64("\xfb\xef\xbe", kBase64Url), "----");
}

}  // namespace
}  // namespace weir::proto
