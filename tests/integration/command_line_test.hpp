#pragma once

#include "tests/integration/broker_process.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>

namespace weir::integration {

/// A broker, and commands that are given to `weir` with its address.
class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() { start(); }
  void start() {
    broker_.emplace(dir_.path(), usual_flags(dir_.path() / "data"));
    ASSERT_TRUE(broker_->wait_until_ready()) << broker_->log();
  }
  /// Behind a SIGKILL.
  void restart() {
    broker_->signal(SIGKILL);
    broker_->wait();
    start();
  }
  [[nodiscard]] std::string url(const std::string& name_space = {}) const {
    return "weir://127.0.0.1:" + std::to_string(broker_->port()) +
           (name_space.empty() ? "" : "/" + name_space);
  }
  /// What the command prints, errors included.
  Output weir(const std::string& arguments, const std::string& name_space = {}) const {
    return run_command(std::string(WEIR_TEST_BINARY) + " --url " + url(name_space) + " " +
                       arguments + " 2>&1 </dev/null");
  }
  /// The same of one that must succeed.
  std::string done(const std::string& arguments, const std::string& name_space = {}) const {
    const Output output = weir(arguments, name_space);
    EXPECT_EQ(output.status, 0) << arguments << "\n" << output.text;
    return output.text;
  }
  /// The lines 1 to `count`.
  void send(const std::string& queue, int count) const {
    const Output sent = run_command("seq " + std::to_string(count) + " | " + WEIR_TEST_BINARY +
                                    " --url " + url() + " queue send " + queue + " 2>&1");
    EXPECT_EQ(sent.status, 0) << sent.text;
  }
  TempDir dir_;
  std::optional<BrokerProcess> broker_;
};

}  // namespace weir::integration
