#include "broker/terminal/base64.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace weir::terminal {
namespace {

using std::string_view_literals::operator""sv;

TEST(Base64, IsThatOfTheRfc) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\0z"sv), "/wB6");
  EXPECT_EQ(base64("\xfb\xef\xbe"), "++++");
}

}  // namespace
}  // namespace weir::terminal
