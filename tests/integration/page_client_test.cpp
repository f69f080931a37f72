#include "tests/integration/broker_process.hpp"

#include <gtest/gtest.h>

#include <string>

// A client that was written from the page of the protocol alone (proto/README.md).
namespace weir::integration {
namespace {

// Debian's Python by its path: it has Debian's protobuf, another one in PATH has not.
TEST(PageClient, FindsWhatThePagePromises) {
  TempDir dir;
  BrokerProcess broker(dir.path(), usual_flags(dir.path() / "data"));
  ASSERT_TRUE(broker.wait_until_ready()) << broker.log();
  const Output output = run_command(
      "PYTHONPATH='" WEIR_TEST_PYTHONPATH
      "' PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 '" WEIR_TEST_PAGE_CLIENT "' 127.0.0.1:" +
      std::to_string(broker.port()) + " 2>&1");
  EXPECT_EQ(output.status, 0) << output.text;
}

}  // namespace
}  // namespace weir::integration
