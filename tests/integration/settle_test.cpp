#include "tests/integration/command_line_test.hpp"
#include "weir/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

// Many messages settled by their receipt handles in one request.
namespace weir::integration {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class SettleMany : public CommandLineTest {
 protected:
  /// Ten messages with those numbers are leased for a minute; their handles.
  std::vector<std::string> receive_ten() {
    done("queue create work");
    send("work", 10);
    std::istringstream lines(done("queue receive work --max 10 --lease-ms 60000 -f '%R\\n'"));
    std::vector<std::string> handles;
    for (std::string line; std::getline(lines, line);) {
      handles.push_back(line);
    }
    EXPECT_EQ(handles.size(), 10U);
    return handles;
  }
  /// One that names no message.
  static std::string altered(std::string handle) {
    handle[20] = handle[20] == 'A' ? 'B' : 'A';
    return handle;
  }
  [[nodiscard]] std::string counts() const {
    return done("queue info work -o 'template={ready} {delayed} {in_flight}'");
  }
  /// The command with these lines on its standard input.
  Output weir_of_lines(const std::string& arguments, const std::vector<std::string>& lines) const {
    const auto path = dir_.path() / "handles";
    std::ofstream file(path);
    for (const std::string& line : lines) {
      file << line << "\n";
    }
    file.close();
    return run_command(std::string(WEIR_TEST_BINARY) + " --url " + url() + " " + arguments + " <" +
                       path.string() + " 2>&1");
  }
};

TEST_F(SettleMany, OneBadHandleSpoilsNoOther) {
  std::vector<std::string> handles = receive_ten();
  const std::string bad = altered(handles[5]);
  handles.insert(handles.begin() + 5, {bad, ""});
  const Output acked = weir_of_lines("queue ack -", handles);
  EXPECT_EQ(acked.status, 1);
  EXPECT_THAT(acked.text, HasSubstr("weir: RECEIPT_INVALID: " + bad));
  EXPECT_EQ(std::ranges::count(acked.text, '\n'), 1) << acked.text;
  restart();
  EXPECT_EQ(counts(), "0 0 0") << "they are gone for good";
}

TEST_F(SettleMany, InEachWayAcrossAKill) {
  const std::vector<std::string> handles = receive_ten();
  Client client = Client::connect(ClientOptions(url())).value();
  std::vector<Settlement> settlements;
  for (std::size_t i = 0; i < 5; ++i) {
    settlements.push_back(Settlement::ack(handles[i]));
  }
  settlements.push_back(Settlement::ack(altered(handles[5])));
  settlements.push_back(Settlement(handles[6], Outcome::nack(seconds(600))));
  settlements.push_back(Settlement(handles[7], Outcome::release()));
  settlements.push_back(Settlement::extend(handles[8], seconds(600)));
  settlements.push_back(Settlement::ack(handles[0]));
  const auto outcomes = client.settle_many(settlements, seconds(10));
  ASSERT_TRUE(outcomes.has_value()) << outcomes.error().to_string();
  ASSERT_EQ(outcomes->size(), settlements.size());
  for (std::size_t i = 0; i < outcomes->size(); ++i) {
    EXPECT_EQ((*outcomes)[i].has_value(), i != 5) << i;
  }
  EXPECT_EQ((*outcomes)[5].error().code, ErrorCode::kReceiptInvalid);
  restart();
  EXPECT_EQ(counts(), "1 1 3");
}

TEST_F(SettleMany, ByArgumentsAsByLines) {
  const std::vector<std::string> handles = receive_ten();
  done("queue release " + handles[0] + " " + handles[1]);
  EXPECT_EQ(counts(), "2 0 8");
  done("queue nack --delay-ms 600000 " + handles[2] + " " + handles[3]);
  EXPECT_EQ(counts(), "2 2 6");
  const Output extended = weir_of_lines("queue extend --lease-ms 120000 " + handles[4] + " - " +
                                            handles[1] + " " + altered(handles[9]),
                                        {handles[5]});
  EXPECT_EQ(extended.status, 1);
  EXPECT_THAT(extended.text, HasSubstr("RECEIPT_EXPIRED: " + handles[1]));
  EXPECT_THAT(extended.text, HasSubstr("RECEIPT_INVALID: " + altered(handles[9])));
  EXPECT_EQ(counts(), "2 2 6");
  const Output one = weir("queue ack " + altered(handles[9]));
  EXPECT_EQ(one.status, 1);
  EXPECT_THAT(one.text, testing::Not(HasSubstr(altered(handles[9])))) << "which one is known";
  EXPECT_EQ(weir_of_lines("queue ack -", {}).status, 0);
}

/// More than one request takes.
TEST_F(SettleMany, AsManyAsThereAre) {
  done("queue create work");
  send("work", 2500);
  std::vector<std::string> handles;
  for (int i = 0; i < 3; ++i) {
    std::istringstream lines(done("queue receive work --max 1000 -f '%R\\n' --lease-ms 60000"));
    for (std::string line; std::getline(lines, line);) {
      handles.push_back(line);
    }
  }
  ASSERT_EQ(handles.size(), 2500U);
  handles.insert(handles.begin() + 1700, "nonsense");
  const Output acked = weir_of_lines("queue ack -", handles);
  EXPECT_EQ(acked.status, 1);
  EXPECT_THAT(acked.text, HasSubstr("RECEIPT_INVALID: nonsense"));
  EXPECT_EQ(counts(), "0 0 0");
}

}  // namespace
}  // namespace weir::integration
