#include "proto/handle.hpp"
#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

// weir backup, restore and verify, from a broker under load to one that serves what was restored.
namespace weir::integration {
namespace {

using proto::Errc;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The value of a name in a line of JSON, as it stands there.
std::string json_value(const std::string& json, const std::string& name) {
  const std::string quoted = "\"" + name + "\": ";
  const std::size_t at = json.find(quoted);
  if (at == std::string::npos) {
    return "no " + name + " in " + json;
  }
  const std::size_t begin = at + quoted.size();
  return json.substr(begin, json.find_first_of(",}", begin) - begin);
}

class Backup : public testing::Test {
 protected:
  void start() {
    broker_.emplace(dir_.path(), usual_flags(data()));
    ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  }
  void stop() {
    broker_->signal(SIGTERM);
    ASSERT_EQ(broker_->wait().status, 0);
  }
  /// A broker on what was restored.
  void start_copy() {
    copy_.emplace(copy_dir_.path(), usual_flags(restored()));
    ASSERT_TRUE(copy_->wait_until_ready()) << copy_->log();
  }
  static std::string url_of(const BrokerProcess& broker) {
    return "WEIR_URL=weir://127.0.0.1:" + std::to_string(broker.port()) + " ";
  }
  static Output weir(const std::string& arguments, const std::string& environment = {}) {
    return run_command(environment + WEIR_TEST_BINARY " " + arguments + " 2>&1");
  }
  Output back_up() { return weir("backup " + backup().string() + " -o json", url_of(*broker_)); }
  Output restore() {
    return weir("restore " + backup().string() + " --data-dir " + restored().string() + " -o json");
  }
  [[nodiscard]] std::filesystem::path data() const { return dir_.path() / "data"; }
  [[nodiscard]] std::filesystem::path backup() const { return dir_.path() / "backup"; }
  [[nodiscard]] std::filesystem::path restored() const { return dir_.path() / "restored"; }

  TempDir dir_;
  TempDir copy_dir_;
  std::optional<BrokerProcess> broker_;
  std::optional<BrokerProcess> copy_;
};

/// Sends numbers to a queue and to a topic, one after the other, until it is told to stop.
class Load {
 public:
  explicit Load(std::uint16_t port) : thread_([this, port] { run(port); }) {}
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// How many were acknowledged on both, by now; waits until they are `at_least` so many.
  std::uint32_t acknowledged(std::uint32_t at_least = 0) const {
    std::uint32_t count = acknowledged_;
    while (count < at_least && !failed_) {
      acknowledged_.wait(count);
      count = acknowledged_;
    }
    return count;
  }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void run(std::uint16_t port) {
    WireClient client(port);
    client.hello();
    weir::v1::Request attach;
    attach.mutable_attach()->set_topic("events");
    const std::uint32_t queue = client.attach_queue("work").attached().alias();
    const std::uint32_t topic = client.ask(attach).attached().alias();
    for (std::uint32_t number = 0; !stopping_; ++number) {
      const std::string body =
          std::to_string(number) + std::string(number % 5 == 0 ? 9'000 : 0, ' ');
      if (client.send(queue, body).code != 0 || client.send(topic, body).code != 0) {
        failed_ = true;
        break;
      }
      ++acknowledged_;
      acknowledged_.notify_all();
    }
    acknowledged_.notify_all();
  }

  std::atomic<std::uint32_t> acknowledged_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> failed_ = false;
  std::thread thread_;
};

TEST_F(Backup, UnderLoadHoldsWhatWasAcknowledgedBeforeAndComesBackWhole) {
  start();
  ASSERT_EQ(weir("queue create work", url_of(*broker_)).status, 0);
  ASSERT_EQ(weir("topic create events", url_of(*broker_)).status, 0);
  std::uint32_t before = 0;
  std::uint32_t after = 0;
  Output made;
  {
    Load load(broker_->port());
    before = load.acknowledged(300);
    made = back_up();
    load.acknowledged(before + 300);  // it goes on behind the backup
    load.stop();
    after = load.acknowledged();
    ASSERT_FALSE(load.failed());
  }
  ASSERT_EQ(made.status, 0) << made.text;
  const std::string digest = json_value(made.text, "digest");

  const Output verified = weir("verify " + backup().string() + " -o json");
  ASSERT_EQ(verified.status, 0) << verified.text;
  const Output copied = restore();
  ASSERT_EQ(copied.status, 0) << copied.text;
  const Output again = weir("verify " + restored().string() + " -o json");
  ASSERT_EQ(again.status, 0) << again.text;
  for (const Output* said : {&verified, &copied, &again}) {
    EXPECT_EQ(json_value(said->text, "digest"), digest);
    EXPECT_EQ(json_value(said->text, "rows"), json_value(made.text, "rows"));
    EXPECT_EQ(json_value(said->text, "commit"), json_value(made.text, "commit"));
  }

  start_copy();
  WireClient client(copy_->port());
  EXPECT_GT(client.hello().incarnation(), 1U);
  const std::uint64_t ready = client.describe_queue("work").queue().ready();
  EXPECT_GE(ready, before);
  EXPECT_LE(ready, after);
  const Output replayed =
      weir("topic consume events --from start --to end -f '%v\\n'", url_of(*copy_));
  ASSERT_EQ(replayed.status, 0) << replayed.text;
  std::istringstream lines(replayed.text);
  std::uint32_t next = 0;
  for (std::string line; std::getline(lines, line); ++next) {
    ASSERT_EQ(std::stoul(line), next);
  }
  EXPECT_GE(next, before);
  EXPECT_LE(next, after);
  ASSERT_EQ(client.send(client.attach_queue("work").attached().alias(), "goes on").code, 0);

  stop();
  const Output original = weir("verify " + data().string() + " -o json");
  EXPECT_EQ(original.status, 0) << original.text;
  EXPECT_NE(json_value(original.text, "digest"), digest);
}

TEST_F(Backup, OfABrokerAtRestIsTheDataDirectoryItself) {
  start();
  ASSERT_EQ(weir("queue create work", url_of(*broker_)).status, 0);
  ASSERT_EQ(weir("queue send work --value hello", url_of(*broker_)).status, 0);
  const Output made = back_up();
  ASSERT_EQ(made.status, 0) << made.text;
  const std::string page = http_get(broker_->http_port(), "/metrics");
  const std::string bytes = json_value(made.text, "file_bytes");
  EXPECT_THAT(page, HasSubstr("\nweir_backups_total{outcome=\"done\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("\nweir_last_backup_bytes " + bytes + "\n"));
  EXPECT_THAT(broker_->log(), HasSubstr("info a backup has begun session="));
  EXPECT_THAT(broker_->log(), HasSubstr("info a backup is done: " + bytes + " bytes, "));
  stop();
  const Output original = weir("verify " + data().string() + " -o json");
  EXPECT_EQ(json_value(original.text, "digest"), json_value(made.text, "digest"));
}

TEST_F(Backup, MakesOldHandlesInvalidWhereItIsRestored) {
  start();
  WireClient client(broker_->port());
  const weir::v1::Welcome welcome = client.hello();
  ASSERT_FALSE(client.create_queue("work").has_error());
  ASSERT_EQ(client.send(client.attach_queue("work").attached().alias(), "leased").code, 0);
  const weir::v1::Response received = client.receive("work", 5'000);
  ASSERT_EQ(received.received().grants_size(), 1);
  const weir::v1::Grant& grant = received.received().grants(0);
  const std::string handle =
      proto::encode_handle({.incarnation = welcome.incarnation(),
                            .epoch = welcome.epoch(),
                            .queue = proto::QueueId(received.received().id()),
                            .generation = received.received().generation(),
                            .grant = proto::GrantId(grant.grant()),
                            .index = grant.first_index(),
                            .nonce = grant.nonce(),
                            .base_offset = grant.base_offset(),
                            .shard = welcome.shard()});
  ASSERT_EQ(back_up().status, 0);
  ASSERT_EQ(restore().status, 0);
  start_copy();
  WireClient other(copy_->port());
  EXPECT_GT(other.hello().incarnation(), welcome.incarnation());
  EXPECT_EQ(other.settle(handle).error().code(), static_cast<std::uint32_t>(Errc::kReceiptInvalid));
  EXPECT_FALSE(client.settle(handle).has_error()) << "the original goes on as it was";
}

TEST_F(Backup, IsOneAtATimeAndEndsWithItsConnection) {
  start();
  weir::v1::Request begin;
  begin.mutable_read_backup();
  {
    WireClient client(broker_->port());
    client.hello();
    ASSERT_TRUE(client.ask(begin).has_backup_block());
    const Output refused = back_up();
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.text, StartsWith("weir: LIMIT_EXCEEDED: another backup is under way"));
    EXPECT_FALSE(std::filesystem::exists(backup()));
  }
  WireClient other(broker_->port());
  other.hello();
  // The end of the first connection may still be on its way.
  weir::v1::Response response = other.ask(begin);
  for (int i = 0; i < 10'000 && response.has_error(); ++i) {
    response = other.ask(begin);
  }
  EXPECT_TRUE(response.has_backup_block()) << response.error().message();
}

TEST_F(Backup, ShowsProgressOnATerminalAlone) {
  start();
  ASSERT_EQ(weir("queue create work", url_of(*broker_)).status, 0);
  const auto on_a_terminal = [&](const std::string& arguments) {
    const Output said = run_command(url_of(*broker_) + "script -qec '" WEIR_TEST_BINARY " " +
                                    arguments + "' /dev/null </dev/null");
    EXPECT_EQ(said.status, 0) << said.text;
    return said.text;
  };
  static const std::string kEmptyLine = "\r\x1b[K";
  const std::string made = on_a_terminal("backup " + backup().string());
  EXPECT_THAT(made, HasSubstr(kEmptyLine + "backup [--------------------]   0 %  0 B of about "));
  EXPECT_THAT(made, HasSubstr(kEmptyLine + "kind ")) << "the bar has gone";
  EXPECT_THAT(on_a_terminal("verify " + backup().string()), HasSubstr(kEmptyLine + "verifying ["));
  const std::string restored_text =
      on_a_terminal("restore " + backup().string() + " --data-dir " + restored().string());
  EXPECT_THAT(restored_text, HasSubstr(kEmptyLine + "restoring ["));
  EXPECT_THAT(restored_text, HasSubstr(kEmptyLine + "checking ["));
  for (const char* quiet : {" -o json", " --no-progress"}) {
    EXPECT_THAT(on_a_terminal("verify " + backup().string() + quiet), Not(HasSubstr("verifying")));
  }
  EXPECT_THAT(weir("verify " + backup().string()).text, Not(HasSubstr("verifying")));
}

TEST_F(Backup, LeavesNothingWhenItIsInterrupted) {
  start();
  ASSERT_EQ(weir("queue create work", url_of(*broker_)).status, 0);
  // The broker is stopped, so that the signal is there before the first block.
  broker_->signal(SIGSTOP);
  const Output interrupted = run_command(
      url_of(*broker_) + "sh -c '" WEIR_TEST_BINARY " backup " + backup().string() +
      " & p=$!; until grep -q \"^SigBlk:.*4002$\" /proc/$p/status; do :; done; kill -TERM $p; "
      "kill -CONT " +
      std::to_string(broker_->pid()) + "; wait $p' 2>&1");
  EXPECT_EQ(interrupted.status, 1);
  EXPECT_THAT(interrupted.text, StartsWith("weir: CANCELLED: interrupted after 0 B of about "));
  EXPECT_THAT(interrupted.text, HasSubstr(": no backup was made, nothing was kept"));
  EXPECT_FALSE(std::filesystem::exists(backup()));
}

TEST_F(Backup, LeavesNothingWhenItsDiskIsFull) {
  start();
  ASSERT_EQ(weir("queue create work", url_of(*broker_)).status, 0);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(weir("queue send work --value " + std::string(60'000, 'x'), url_of(*broker_)).status,
              0);
  }
  // A limit on the size of files, in units of 512 bytes.
  const Output full = run_command(url_of(*broker_) + "sh -c 'trap \"\" XFSZ; ulimit -f 100; exec " +
                                  WEIR_TEST_BINARY " backup " + backup().string() + "' 2>&1");
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.text, HasSubstr("cannot write '" + (backup() / "shard-0").string() + "'"));
  EXPECT_FALSE(std::filesystem::exists(backup()));
}

TEST_F(Backup, IsNotMixedWithAnythingElse) {
  start();
  ASSERT_EQ(back_up().status, 0);
  const Output twice = back_up();
  EXPECT_EQ(twice.status, 1);
  EXPECT_THAT(twice.text, StartsWith("weir: ALREADY_EXISTS: "));
  const Output over = weir("restore " + backup().string() + " --data-dir " + data().string());
  EXPECT_EQ(over.status, 1);
  EXPECT_THAT(over.text, HasSubstr("holds a broker's data already"));
  const Output running = weir("verify " + data().string());
  EXPECT_EQ(running.status, 1);
  EXPECT_THAT(running.text, HasSubstr("in use by another broker"));
  std::filesystem::remove(backup() / "MANIFEST");
  const Output torn = restore();
  EXPECT_EQ(torn.status, 1);
  EXPECT_THAT(torn.text, HasSubstr("not a finished backup"));
  EXPECT_EQ(weir("verify " + backup().string()).status, 1);
}

}  // namespace
}  // namespace weir::integration
