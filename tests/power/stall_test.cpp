#include "broker/server/broker.hpp"
#include "proto/batch/record_batch.hpp"
#include "tests/integration/wire_client.hpp"
#include "tests/power/disk_tap.hpp"
#include "tests/power/script.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <poll.h>
#include <string>
#include <thread>

// A disk whose syncs hang: nothing is acknowledged meanwhile, memory stays bounded, the broker says
// what it waits for, and afterwards everything goes on.
namespace weir::power {
namespace {

using integration::http_get;
using integration::WireClient;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kJournalBytes = std::size_t{256} << 20;
constexpr int kLookEveryMs = 20;
constexpr int kLooks = 1'500;

class HangingDisk : public testing::Test {
 protected:
  HangingDisk() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-power-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(root());
  }
  ~HangingDisk() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string root() const { return dir_ + "/disk"; }

  std::string dir_;
  Journal journal_{kJournalBytes};
};

TEST_F(HangingDisk, NoSendIsAnsweredBeforeItsSyncIs) {
  Script script(root(), journal_, 1);
  script.start();
  const Script::Target queue = script.queue("q");
  for (int i = 0; i < 10; ++i) {
    DiskTap::instance().hang_syncs(".log");
    script.send(queue, 1, 100);
    script.send(queue, 1, 100);
    script.life().run_posted();
    DiskTap::instance().wait_for_hang();
    script.life().run_posted();
    EXPECT_EQ(script.unanswered(), 2U);
    EXPECT_GT(script.life().log().waits_for().count(), 0);
    DiskTap::instance().release();
    script.wait();
    EXPECT_EQ(script.unanswered(), 0U);
  }
}

TEST_F(HangingDisk, AMarkThatHangsHoldsNothingUp) {
  Script script(root(), journal_, 1);
  script.start();
  const Script::Target queue = script.queue("q");
  script.wait();
  DiskTap::instance().hang_syncs("data/mark");
  for (int i = 0; i < 10; ++i) {
    script.send(queue, 1, 100);
    script.wait();
  }
  EXPECT_EQ(script.unanswered(), 0U);
  DiskTap::instance().wait_for_hang();
  DiskTap::instance().release();
  script.stop();
}

TEST_F(HangingDisk, SendsStopWhereTheBacklogIsBounded) {
  Script script(root(), journal_, 1);
  LifeOptions options;
  options.max_backlog_bytes = 100'000;
  script.start(options);
  std::vector<Script::Target> queues;
  for (int i = 0; i < 20; ++i) {
    queues.push_back(script.queue("q" + std::to_string(i)));
  }
  DiskTap::instance().hang_syncs(".log");
  for (const Script::Target& queue : queues) {
    for (int i = 0; i < 5; ++i) {
      script.send(queue, 1, 10'000);
      script.life().run_posted();
    }
  }
  DiskTap::instance().wait_for_hang();
  // One turn may go over it by what came in before the turn: here one send.
  EXPECT_LE(script.life().log().backlog_bytes(), options.max_backlog_bytes + 12'000);
  EXPECT_EQ(script.unanswered(), 100U);
  DiskTap::instance().release();
  script.wait();
}

// The whole broker in this process, on a watched disk.
class HangingBroker : public HangingDisk {
 protected:
  void SetUp() override {
    DiskTap::instance().watch(root(), journal_);
    server::Config config;
    config.data_dir = root() + "/data";
    config.listen = "127.0.0.1:0";
    config.http = "127.0.0.1:0";
    config.ready_file = dir_ + "/ready";
    config.min_free_disk_bytes = 1;
    config.ballast_bytes = 0;
    config.spin_us = 0;
    broker_.emplace(config, [config] { return proto::Result<server::Config>(config); }, "");
    const proto::Result<> opened = broker_->open();
    ASSERT_TRUE(opened) << opened.error().message;
    thread_ = std::thread([this] { served_ = broker_->run(); });
    ASSERT_TRUE(look_until([this] { return std::filesystem::exists(dir_ + "/ready"); }));
    std::ifstream ready(dir_ + "/ready");
    const std::string text((std::istreambuf_iterator<char>(ready)), {});
    port_ = port_behind(text, "listen=");
    http_port_ = port_behind(text, "http=");
  }
  void TearDown() override {
    DiskTap::instance().release();
    if (thread_.joinable()) {
      std::raise(SIGTERM);
      thread_.join();
    }
    EXPECT_TRUE(served_);
    broker_.reset();
    DiskTap::instance().unwatch();
  }

  static std::uint16_t port_behind(const std::string& text, const std::string& name) {
    const std::size_t at = text.find(':', text.find(name));
    return static_cast<std::uint16_t>(std::stoul(text.substr(at + 1)));
  }
  static bool look_until(const std::function<bool()>& done) {
    for (int i = 0; i < kLooks; ++i) {
      if (done()) {
        return true;
      }
      ::poll(nullptr, 0, kLookEveryMs);
    }
    return false;
  }
  [[nodiscard]] std::string page(const std::string& path) const {
    return http_get(http_port_, path);
  }
  static void send(WireClient& client, std::uint32_t alias, std::uint64_t number,
                   const std::string& value) {
    proto::BatchBuilder builder;
    proto::RecordInput record;
    record.value = value;
    builder.add(record);
    const std::string batch = builder.finish({}, proto::Compression::kNone);
    std::string frame;
    proto::encode(proto::Send{.alias = alias,
                              .partition = 0,
                              .send_number = number,
                              .deadline_ms = 0,
                              .batch = batch},
                  frame);
    client.send_bytes(frame);
  }

  std::optional<server::Broker> broker_;
  std::thread thread_;
  proto::Result<> served_;
  std::uint16_t port_ = 0;
  std::uint16_t http_port_ = 0;
};

TEST_F(HangingBroker, SaysThatTheDiskHangsAndAnswersWhenItIsOver) {
  WireClient client(port_);
  client.hello();
  ASSERT_FALSE(client.create_queue("q").has_error());
  const std::uint32_t alias = client.attach_queue("q").attached().alias();
  EXPECT_THAT(page("/readyz"), HasSubstr("\"ready\":true"));
  EXPECT_THAT(page("/metrics"), HasSubstr("weir_commit_waiting_seconds 0\n"));

  DiskTap::instance().hang_syncs(".log");
  send(client, alias, 1, "waits");
  DiskTap::instance().wait_for_hang();
  ASSERT_TRUE(look_until([this] {
    return page("/readyz").find("the disk has not finished a commit for") != std::string::npos;
  }));
  EXPECT_THAT(page("/readyz"), HasSubstr("503"));
  EXPECT_THAT(page("/healthz"), HasSubstr("200 OK")) << "it lives, and a restart would not help";
  EXPECT_THAT(page("/metrics"), Not(HasSubstr("weir_commit_waiting_seconds 0\n")));

  const std::uint64_t before = journal_.entries();
  DiskTap::instance().release();
  const auto sent = client.next(proto::FrameType::kSent);
  ASSERT_TRUE(sent);
  EXPECT_EQ(proto::decode_sent(sent->body).value().entries.at(0).code, 0);
  EXPECT_GT(journal_.entries(), before) << "the sync has ended first";
  EXPECT_TRUE(
      look_until([this] { return page("/readyz").find("\"ready\":true") != std::string::npos; }));
}

TEST_F(HangingBroker, GivesNoCreditForWhatItCannotStore) {
  WireClient client(port_);
  client.hello();
  ASSERT_FALSE(client.create_queue("q").has_error());
  const std::uint32_t alias = client.attach_queue("q").attached().alias();
  DiskTap::instance().hang_syncs(".log");
  // Far more than any window: who sends on without credit is cut off.
  const std::string value(60'000, 'x');
  for (std::uint64_t number = 1; number <= 300; ++number) {
    send(client, alias, number, value);
  }
  EXPECT_TRUE(client.ends());
  const std::string metrics = page("/metrics");
  const std::size_t at = metrics.find("\nweir_commit_backlog_bytes ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_LE(std::stoull(metrics.substr(metrics.find(' ', at + 1))), std::uint64_t{9} << 20);
}

}  // namespace
}  // namespace weir::power
