#include "tests/integration/broker_process.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <string>

// A client that was written from the page of the protocol alone (proto/README.md).
namespace weir::integration {
namespace {

struct Output {
  int status = -1;
  std::string text;
};

Output run(const std::string& command) {
  Output output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return output;
  }
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) {
    output.text.append(buffer, size);
  }
  output.status = ::pclose(pipe);
  return output;
}

// Debian's Python by its path: it has Debian's protobuf, another one in PATH has not.
TEST(PageClient, FindsWhatThePagePromises) {
  TempDir dir;
  BrokerProcess broker(dir.path(), usual_flags(dir.path() / "data"));
  ASSERT_TRUE(broker.wait_until_ready()) << broker.log();
  const Output output =
      run("PYTHONPATH='" WEIR_TEST_PYTHONPATH
          "' PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 '" WEIR_TEST_PAGE_CLIENT "' 127.0.0.1:" +
          std::to_string(broker.port()) + " 2>&1");
  EXPECT_EQ(output.status, 0) << output.text;
}

}  // namespace
}  // namespace weir::integration
