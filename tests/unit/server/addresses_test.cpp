#include "broker/server/addresses.hpp"

#include <gtest/gtest.h>

namespace weir::server {
namespace {

using proto::Errc;

struct Addresses : testing::Test {
  boost::asio::io_context io;
};

TEST_F(Addresses, TakeLocalhostForLoopbackWithoutALookup) {
  const auto endpoint = resolve(io, "localhost:7340").value();
  EXPECT_EQ(endpoint.address().to_string(), "127.0.0.1");
  EXPECT_EQ(endpoint.port(), 7340);
}

TEST_F(Addresses, AreTakenAsTheyStand) {
  EXPECT_EQ(resolve(io, "127.0.0.5:1").value().address().to_string(), "127.0.0.5");
  EXPECT_EQ(resolve(io, "[::1]:1").value().address().to_string(), "::1");
}

TEST_F(Addresses, RefuseWhatIsNoAddress) {
  EXPECT_EQ(resolve(io, "7340").error().code, Errc::kInvalidArgument);
}

TEST_F(Addresses, ShowThePortThatWasTaken) {
  EXPECT_EQ(with_port("127.0.0.1:0", 4711), "127.0.0.1:4711");
  EXPECT_EQ(with_port("[::1]:0", 4711), "[::1]:4711");
}

}  // namespace
}  // namespace weir::server
