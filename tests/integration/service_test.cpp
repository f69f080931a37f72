#include "tests/integration/broker_process.hpp"
#include "tests/integration/wire_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

// A broker under a service manager: what it tells, and settings that change while it runs.
namespace weir::integration {
namespace {

using testing::HasSubstr;
using testing::Not;

/// What listens where systemd would (sd_notify(3)).
class NotifySocket {
 public:
  explicit NotifySocket(const std::filesystem::path& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { ::close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  /// The next message that contains `part`; empty when none comes in half a minute.
  std::string wait_for(std::string_view part) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point until = Clock::now() + std::chrono::seconds(30);
    while (Clock::now() < until) {
      pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
      std::array<char, 4096> buffer{};
      if (::poll(&ready, 1, 100) != 1) {
        continue;
      }
      const ssize_t bytes = ::recv(socket_, buffer.data(), buffer.size(), 0);
      const std::string message(buffer.data(),
                                static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
      if (message.find(part) != std::string::npos) {
        return message;
      }
    }
    return {};
  }

 private:
  int socket_;
};

class Service : public testing::Test {
 protected:
  void start(const std::vector<std::string>& environment = {}) {
    std::vector<std::string> flags = usual_flags(dir_.path() / "data");
    flags.insert(flags.end(), {"--config", config_file().string()});
    std::vector<std::string> all = environment;
    all.push_back("NOTIFY_SOCKET=" + (dir_.path() / "notify").string());
    broker_.emplace(dir_.path(), flags, all);
    ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  }
  void configure(const std::string& text) const {
    std::ofstream(config_file(), std::ios::trunc) << text;
  }
  void reload() {
    broker_->signal(SIGHUP);
    EXPECT_THAT(manager_.wait_for("RELOADING=1"), HasSubstr("MONOTONIC_USEC="));
    EXPECT_THAT(manager_.wait_for("READY=1"), HasSubstr("STATUS=takes requests"));
  }
  /// Asks for it over the wire.
  [[nodiscard]] Output config_reload(const std::string& arguments) const {
    return run_command(WEIR_TEST_BINARY " --url weir://127.0.0.1:" +
                       std::to_string(broker_->port()) + " config reload " + arguments + " 2>&1");
  }
  [[nodiscard]] std::filesystem::path config_file() const { return dir_.path() / "weir.toml"; }

  TempDir dir_;
  NotifySocket manager_{dir_.path() / "notify"};
  std::optional<BrokerProcess> broker_;
};

TEST_F(Service, IsToldOfTheStartTheStopAndThatAllIsWell) {
  configure("");
  start({"WATCHDOG_USEC=300000"});
  EXPECT_THAT(manager_.wait_for("READY=1"),
              HasSubstr("STATUS=takes requests on 127.0.0.1:" + std::to_string(broker_->port())));
  EXPECT_EQ(manager_.wait_for("WATCHDOG=1"), "WATCHDOG=1");
  EXPECT_EQ(manager_.wait_for("WATCHDOG=1"), "WATCHDOG=1");
  broker_->signal(SIGTERM);
  EXPECT_EQ(manager_.wait_for("STOPPING=1"), "STOPPING=1");
  EXPECT_EQ(broker_->wait().status, 0);
}

TEST_F(Service, TakesSettingsWhileItRuns) {
  configure("log_level = 'info'\n");
  start();
  ASSERT_FALSE(manager_.wait_for("READY=1").empty());
  WireClient first(broker_->port());
  first.hello();
  EXPECT_THAT(http_get(broker_->http_port(), "/readyz"), HasSubstr("\"ready\":true"));

  configure(
      "log_format = 'json'\nmax_connections = 1\nmin_free_disk_bytes = '1000TiB'\n"
      "tail_cache_bytes = '16MiB'\n");
  reload();
  EXPECT_THAT(broker_->log(),
              HasSubstr("\"message\":\"setting taken: max_connections = 1 (was 10000)\"}\n"));
  EXPECT_THAT(broker_->log(),
              HasSubstr("setting tail_cache_bytes has changed, which takes a new start"));
  ASSERT_FALSE(first.create_queue("work").has_error()) << "who was there stays";
  const std::uint32_t alias = first.attach_queue("work").attached().alias();
  EXPECT_EQ(first.send(alias, "no room").code, static_cast<std::uint32_t>(proto::Errc::kDiskFull));
  WireClient second(broker_->port());
  EXPECT_TRUE(second.ends());
}

TEST_F(Service, KeepsItsSettingsWhereTheNewOnesAreBad) {
  configure("max_connections = 5\n");
  start();
  ASSERT_FALSE(manager_.wait_for("READY=1").empty());
  for (const char* bad : {"max_connections = 6\nlog_levle = 'debug'\n", "max_connections = \n",
                          "max_connections = 6\nmax_memory_bytes = 1\n"}) {
    configure(bad);
    reload();
  }
  std::filesystem::remove(config_file());
  reload();
  EXPECT_THAT(broker_->log(), HasSubstr("the settings stay as they were: "));
  EXPECT_THAT(broker_->log(), HasSubstr("did you mean 'log_level'?"));
  EXPECT_THAT(broker_->log(), HasSubstr("cannot read the configuration file"));
  EXPECT_THAT(broker_->log(), Not(HasSubstr("setting taken")));
  WireClient client(broker_->port());
  client.hello();
  EXPECT_FALSE(client.create_queue("work").has_error());
}

TEST_F(Service, SaysInJsonWhichClientALineIsAbout) {
  configure("log_format = 'json'\nlog_level = 'debug'\n");
  start();
  WireClient client(broker_->port());
  client.hello();
  EXPECT_TRUE(client.attach_queue("nowhere").has_error());
  EXPECT_THAT(
      broker_->log(),
      testing::ContainsRegex(
          "\"level\":\"debug\",\"message\":\"a request was refused, [^\"]*QUEUE_NOT_FOUND[^\"]*\","
          "\"client\":\"127.0.0.1:[0-9]+\",\"session\":\"[0-9]+\",\"request\":\"[0-9]+\"}\n"));
}

TEST_F(Service, ReadsItsFileAgainWhenAClientAsksForIt) {
  configure("max_connections = 50\n");
  start();
  configure("max_connections = 60\nlog_format = 'json'\ntail_cache_bytes = '16MiB'\n");
  const Output taken = config_reload("");
  EXPECT_EQ(taken.status, 0);
  EXPECT_EQ(taken.text.find("read " + config_file().string() + "\n"), 0U) << taken.text;
  EXPECT_THAT(taken.text, HasSubstr("\nchanged max_connections from 50 to 60\n"));
  EXPECT_THAT(taken.text, HasSubstr("\nnot changed: tail_cache_bytes from 32MiB to 16MiB, which "
                                    "takes a new start\n"));
  EXPECT_THAT(taken.text, testing::ContainsRegex("\n[0-9]+ settings are as before\n$"));
  EXPECT_THAT(broker_->log(), HasSubstr("a client asks to read the config file again"));
  EXPECT_THAT(broker_->log(),
              HasSubstr("\"message\":\"setting taken: max_connections = 60 (was 50)\"}\n"));

  const Output again = config_reload("-o 'template={file} {taken} {left}\\n'");
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.text, config_file().string() +
                            R"( [] [{"setting":"tail_cache_bytes","before":"32MiB",)"
                            R"("after":"16MiB"}])"
                            "\n");
  EXPECT_THAT(config_reload("-o json").text, HasSubstr(R"("unchanged": ["data_dir", )"));
}

TEST_F(Service, SaysToTheClientWhyItsFileIsRefused) {
  configure("max_connections = 50\n");
  start();
  configure("max_connections = 60\nlog_levle = 'debug'\n");
  const Output bad = config_reload("-o json");
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.text, HasSubstr("weir: INVALID_ARGUMENT: the settings stay as they were: "));
  EXPECT_THAT(bad.text, HasSubstr("did you mean 'log_level'?"));
  std::filesystem::remove(config_file());
  EXPECT_THAT(config_reload("").text, HasSubstr("cannot read the configuration file"));
  configure("max_connections = 50\n");
  EXPECT_THAT(config_reload("").text, Not(HasSubstr("changed"))) << "nothing was taken";
  EXPECT_THAT(broker_->log(), Not(HasSubstr("setting taken")));
}

TEST_F(Service, SaysToTheClientThatThereIsNoFile) {
  broker_.emplace(dir_.path(), usual_flags(dir_.path() / "data"));
  ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  const Output none = config_reload("");
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.text, HasSubstr("weir: UNSUPPORTED: this broker was started without --config"));
}

TEST(ConfigCommands, CheckAndPrintWithoutStarting) {
  const TempDir dir;
  const std::string weir = WEIR_TEST_BINARY " serve --data-dir " + (dir.path() / "data").string();
  const Output printed = run_command(weir + " --drain-ms 77 --print-config");
  EXPECT_EQ(printed.status, 0);
  EXPECT_THAT(printed.text, HasSubstr("\ndrain_ms = 77\n"));
  std::ofstream(dir.path() / "weir.toml") << printed.text;
  const std::string config = " --config " + (dir.path() / "weir.toml").string();
  EXPECT_EQ(run_command(weir + config + " --print-config").text, printed.text);
  EXPECT_EQ(run_command(weir + config + " --check-config").status, 0);
  const Output bad = run_command(weir + " --drain-ms x --check-config 2>&1");
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.text, HasSubstr("drain_ms: 'x' is not a whole number"));
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "data"));
}

TEST(Unit, IsOneThatSystemdUnderstands) {
  const Output verified = run_command("systemd-analyze verify --man=no " WEIR_TEST_UNIT " 2>&1");
  EXPECT_EQ(verified.status, 0);
  EXPECT_EQ(verified.text, "");
  EXPECT_EQ(run_command(WEIR_TEST_BINARY " serve --check-config --config " WEIR_TEST_SERVICE_CONFIG)
                .status,
            0);
}

}  // namespace
}  // namespace weir::integration
