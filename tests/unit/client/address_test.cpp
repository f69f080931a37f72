#include "client/core/address.hpp"

#include <gtest/gtest.h>

namespace weir::sdk {
namespace {

TEST(Address, ReadsHostPortAndNamespace) {
  const auto address = parse_address("weir://broker-1.example:7000/orders");
  ASSERT_TRUE(address.has_value());
  ASSERT_EQ(address->hosts.size(), 1U);
  EXPECT_EQ(address->hosts[0], (HostPort{"broker-1.example", 7000}));
  EXPECT_EQ(address->name_space, "orders");
}

TEST(Address, FillsInPortAndNamespace) {
  for (const char* text : {"weir://127.0.0.1", "weir://127.0.0.1/"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->hosts[0], (HostPort{"127.0.0.1", 7340}));
    EXPECT_EQ(address->name_space, "default");
  }
}

TEST(Address, ReadsSeveralHostsAndIpv6) {
  const auto address = parse_address("weir://a:1,[::1]:2,[fe80::1],d/x");
  ASSERT_TRUE(address.has_value());
  ASSERT_EQ(address->hosts.size(), 4U);
  EXPECT_EQ(address->hosts[0].to_string(), "a:1");
  EXPECT_EQ(address->hosts[1].to_string(), "[::1]:2");
  EXPECT_EQ(address->hosts[2].to_string(), "[fe80::1]:7340");
  EXPECT_EQ(address->hosts[3].to_string(), "d:7340");
}

TEST(Address, SaysThatTlsIsNotSupported) {
  const auto address = parse_address("weirs://a");
  ASSERT_FALSE(address.has_value());
  EXPECT_EQ(address.error().code, proto::Errc::kUnsupported);
}

TEST(Address, RefusesANamespaceThatIsNoName) {
  const auto address = parse_address("weir://a/UPPER");
  ASSERT_FALSE(address.has_value());
  EXPECT_EQ(address.error().code, proto::Errc::kInvalidName);
}

class BadAddress : public testing::TestWithParam<const char*> {};

TEST_P(BadAddress, IsRefused) {
  const auto address = parse_address(GetParam());
  ASSERT_FALSE(address.has_value());
  EXPECT_EQ(address.error().code, proto::Errc::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Address, BadAddress,
                         testing::Values("", "a:1", "http://a", "weir://", "weir:///ns",
                                         "weir://a,", "weir://a:", "weir://a:0", "weir://a:65536",
                                         "weir://a:1x", "weir://[::1", "weir://[::1]x", "weir://[]",
                                         "weir://[fe80%eth0]", "weir://a b", "weir://user@a"));

}  // namespace
}  // namespace weir::sdk
