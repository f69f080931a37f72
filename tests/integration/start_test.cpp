#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

// Starts that are refused: each ends by itself, with a status and a line that says what to do.
namespace weir::integration {
namespace {

using testing::HasSubstr;

constexpr int kNotStarted = 1;
constexpr int kBadUsage = 2;

class Start : public testing::Test {
 protected:
  Ended start(std::vector<std::string> flags) {
    BrokerProcess broker(dir_.path(), std::move(flags));
    EXPECT_FALSE(broker.wait_until_ready());
    return broker.wait();
  }
  std::vector<std::string> flags(const std::vector<std::string>& more) {
    std::vector<std::string> all = usual_flags(dir_.path() / "data");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  TempDir dir_;
};

TEST_F(Start, IsRefusedWhileAnotherBrokerHasTheDirectory) {
  TempDir other;
  BrokerProcess first(other.path(), usual_flags(dir_.path() / "data"));
  ASSERT_TRUE(first.wait_until_ready()) << first.log();
  const Ended ended = start(flags({}));
  EXPECT_EQ(ended.status, kNotStarted);
  EXPECT_THAT(ended.log, HasSubstr("data"));
}

TEST_F(Start, IsRefusedWhenTheDirectoryCannotBeMade) {
  const Ended ended = start(usual_flags("/proc/weir-data"));
  EXPECT_EQ(ended.status, kNotStarted);
  EXPECT_THAT(ended.log, HasSubstr("/proc/weir-data"));
}

TEST_F(Start, IsRefusedWhenTheDirectoryHoldsANewerFormat) {
  std::filesystem::create_directory(dir_.path() / "data");
  std::ofstream(dir_.path() / "data" / "FORMAT") << "weir 999\n";
  const Ended ended = start(flags({}));
  EXPECT_EQ(ended.status, kNotStarted);
  EXPECT_THAT(ended.log, HasSubstr("999"));
}

TEST_F(Start, IsRefusedWhenAPortIsInUse) {
  TempDir other;
  BrokerProcess first(other.path(), usual_flags(other.path() / "data"));
  ASSERT_TRUE(first.wait_until_ready()) << first.log();
  for (const auto& [flag, port] :
       {std::pair{"--listen", first.port()}, std::pair{"--http", first.http_port()}}) {
    std::vector<std::string> all = usual_flags(dir_.path() / "data");
    const auto value = std::ranges::find(all, flag) + 1;
    *value = "127.0.0.1:" + std::to_string(port);
    const Ended ended = start(all);
    EXPECT_EQ(ended.status, kNotStarted);
    EXPECT_THAT(ended.log, HasSubstr(std::to_string(port)));
  }
}

TEST_F(Start, IsRefusedWithSettingsThatAreWrong) {
  const std::filesystem::path file = dir_.path() / "weir.toml";
  std::ofstream(file) << "max_conections = 5\n";
  const Ended unknown = start(flags({"--config", file.string()}));
  EXPECT_EQ(unknown.status, kBadUsage);
  EXPECT_THAT(unknown.log, HasSubstr("max_connections"));

  EXPECT_EQ(start(flags({"--config", "/nowhere/weir.toml"})).status, kBadUsage);
  EXPECT_EQ(start(flags({"--tail-cache-bytes", "much"})).status, kBadUsage);
  EXPECT_EQ(start(flags({"--no-such-flag"})).status, kBadUsage);
}

TEST_F(Start, IsRefusedWhenItsPartsDoNotFitIntoItsMemory) {
  const Ended ended = start(flags({"--max-memory-bytes", "100MiB"}));
  EXPECT_EQ(ended.status, kBadUsage);
  EXPECT_THAT(ended.log, HasSubstr("max_memory_bytes"));
  EXPECT_THAT(ended.log, HasSubstr("write_buffer_bytes 64 MiB"));
}

TEST_F(Start, IsRefusedBeyondLoopbackUntilItIsTold) {
  std::vector<std::string> all = usual_flags(dir_.path() / "data");
  *(std::ranges::find(all, "--listen") + 1) = "0.0.0.0:0";
  const Ended ended = start(all);
  EXPECT_EQ(ended.status, kBadUsage);
  EXPECT_THAT(ended.log, HasSubstr("--insecure"));

  all.emplace_back("--insecure");
  BrokerProcess broker(dir_.path(), all);
  EXPECT_TRUE(broker.wait_until_ready()) << broker.log();
}

}  // namespace
}  // namespace weir::integration
