#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Messages that are damaged on the disk: who reads them is told so, everything else goes on.
namespace weir::integration {
namespace {

using proto::Errc;
using testing::HasSubstr;

constexpr auto kCorrupt = static_cast<std::uint32_t>(Errc::kCorruptBatch);

/// Large enough to be written once, to a file where it is found again.
std::string body(const std::string& mark) {
  return mark + std::string(8'192, '.');
}

class Damage : public testing::Test {
 protected:
  void start() {
    broker_.emplace(dir_.path(), usual_flags(dir_.path() / "data"));
    ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  }
  void stop() {
    broker_->signal(SIGTERM);
    ASSERT_EQ(broker_->wait().status, 0);
  }
  /// Changes the first byte of the one message on the disk that begins so.
  void damage(const std::string& mark) {
    int found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path() / "data")) {
      if (entry.path().extension() != ".blob") {
        continue;
      }
      std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const std::size_t at = bytes.find(body(mark));
      if (at != std::string::npos) {
        ++found;
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(mark[0] ^ 1));
      }
    }
    ASSERT_EQ(found, 1);
  }
  Output run(const std::string& arguments) const {
    return run_command("WEIR_URL=weir://127.0.0.1:" + std::to_string(broker_->port()) +
                       " " WEIR_TEST_BINARY " " + arguments + " 2>&1");
  }

  TempDir dir_;
  std::optional<BrokerProcess> broker_;
};

TEST_F(Damage, OfOneQueueConcernsNoOther) {
  start();
  {
    WireClient client(broker_->port());
    client.hello();
    for (const std::string name : {"work", "other"}) {
      ASSERT_FALSE(client.create_queue(name).has_error());
      const std::uint32_t alias = client.attach_queue(name).attached().alias();
      ASSERT_EQ(client.send(alias, body("first of " + name)).code, 0);
      ASSERT_EQ(client.send(alias, body("second of " + name)).code, 0);
    }
  }
  stop();
  damage("first of work");
  start();
  {
    WireClient client(broker_->port());
    client.hello();
    const weir::v1::Response refused = client.receive("work", 20'000);
    EXPECT_EQ(refused.error().code(), kCorrupt);
    EXPECT_THAT(refused.error().message(), HasSubstr("queue 'work' at offset 0"));
    EXPECT_EQ(client.receive("other").received().grants_size(), 1);
    EXPECT_EQ(client.send(client.attach_queue("work").attached().alias(), "more").code, 0);
    EXPECT_EQ(client.describe_queue("work").queue().ready(), 3U);
    EXPECT_THAT(http_get(broker_->http_port(), "/metrics"),
                HasSubstr("weir_corrupt_batches_total 1"));
    EXPECT_THAT(http_get(broker_->http_port(), "/healthz"), HasSubstr("200 OK"));
    EXPECT_THAT(broker_->log(), HasSubstr("queue 'work' at offset 0"));
  }
  const Output worked = run("queue work work -- true");
  EXPECT_EQ(worked.status, 1);
  EXPECT_THAT(worked.text, HasSubstr("CORRUPT_BATCH"));
  stop();
}

TEST_F(Damage, OfATopicEndsTheReadingThatComesToIt) {
  start();
  {
    WireClient client(broker_->port());
    client.hello();
    weir::v1::Request request;
    request.mutable_create_topic()->set_name("events");
    ASSERT_FALSE(client.ask(request).has_error());
    request.mutable_attach()->set_topic("events");
    const std::uint32_t alias = client.ask(request).attached().alias();
    for (const std::string mark : {"first", "second", "third"}) {
      ASSERT_EQ(client.send(alias, body(mark)).code, 0);
    }
  }
  stop();
  damage("second");
  start();
  const Output whole = run("topic consume events --from start --to end -f '%o '");
  EXPECT_EQ(whole.status, 1);
  EXPECT_THAT(whole.text, testing::StartsWith("0 weir: CORRUPT_BATCH: partition 0 of topic "
                                              "'events' cannot be read at offset 1"));
  const Output behind = run("topic consume events --from 2 --to end -f '%o '");
  EXPECT_EQ(behind.status, 0) << behind.text;
  EXPECT_EQ(behind.text, "2 ");
  EXPECT_THAT(http_get(broker_->http_port(), "/healthz"), HasSubstr("200 OK"));
  stop();
}

}  // namespace
}  // namespace weir::integration
