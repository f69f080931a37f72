#include "tests/integration/command_line_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

// Messages that are put off, by the command line.
namespace weir::integration {
namespace {

using testing::HasSubstr;

class Delay : public CommandLineTest {
 protected:
  [[nodiscard]] std::string fields(const std::string& queue, const std::string& names) const {
    return done("queue info " + queue + " -o 'template=" + names + "'");
  }
  [[nodiscard]] std::vector<std::string> ids(const std::string& queue) const {
    std::istringstream lines(done("delayed ls " + queue + " -n 1000 -o 'template={id}\\n'"));
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      found.push_back(line);
    }
    return found;
  }
};

TEST_F(Delay, KeepsAMessageBackAndThenHandsItOut) {
  done("queue create mail");
  const auto sent = std::chrono::steady_clock::now();
  EXPECT_EQ(done("queue send mail --value later --delay-ms 1500"), "sent 1 message\n");
  EXPECT_EQ(fields("mail", "{ready} {delayed}"), "0 1");
  EXPECT_EQ(done("queue receive mail --wait-ms 20000 --ack"), "later\n");
  EXPECT_GE(std::chrono::steady_clock::now() - sent, std::chrono::milliseconds(1500));
  EXPECT_EQ(fields("mail", "{ready} {delayed} {bytes}"), "0 0 0");
}

TEST_F(Delay, OutlivesTheBroker) {
  done("queue create mail --delay-ms 3600000");
  send("mail", 300);
  EXPECT_EQ(fields("mail", "{ready} {delayed} {delay_ms}"), "0 300 3600000");
  restart();
  EXPECT_EQ(fields("mail", "{ready} {delayed}"), "0 300");
  const std::vector<std::string> all = ids("mail");
  ASSERT_EQ(all.size(), 300U);
  EXPECT_EQ(done("delayed cancel mail " + all[0] + " " + all[1]), "cancelled 2 messages\n");
  EXPECT_EQ(done("delayed reschedule mail " + all[299] + " --delay-ms 0"),
            "rescheduled 1 message\n");
  EXPECT_EQ(done("queue receive mail --wait-ms 20000 --ack -f '%i'"), all[299]);
  restart();
  EXPECT_EQ(fields("mail", "{ready} {delayed}"), "0 297");
  const std::string binary = std::string(WEIR_TEST_BINARY) + " --url " + url();
  const Output piped =
      run_command(binary + " delayed ls mail -n 1000 -o 'template={id}\\n' | " + binary +
                  " delayed reschedule mail - --until 2020-01-01T00:00:00Z 2>&1");
  EXPECT_EQ(piped.text, "rescheduled 297 messages\n");
  EXPECT_EQ(done("queue receive mail --wait-ms 20000 --max 1 --ack -f '%i'"), all[2]);
}

TEST_F(Delay, ShowsAndRefusesInPlainWords) {
  done("queue create mail");
  done("topic create clicks");
  const auto in_ten_days = std::chrono::system_clock::now() + std::chrono::hours(240);
  done("queue send mail --value 'good morning' --until " +
       std::to_string(
           std::chrono::duration_cast<std::chrono::milliseconds>(in_ten_days.time_since_epoch())
               .count()));
  EXPECT_THAT(done("delayed ls mail"), HasSubstr("in 9d 23h"));
  const Output far = weir("queue send mail --value x --until 2200-01-01T00:00:00Z");
  EXPECT_EQ(far.status, 2);
  EXPECT_THAT(far.text, HasSubstr("a delay that is not one number of milliseconds"));
  EXPECT_EQ(weir("queue send mail --value x --until tomorrow").status, 2);
  EXPECT_EQ(weir("queue send mail --value x --until 1777629600250 --delay-ms 1").status, 2);
  EXPECT_EQ(weir("topic publish clicks --value x --delay-ms 1").status, 2);
  EXPECT_EQ(weir("delayed ls nowhere").status, 4);
  const Output none = weir("delayed cancel mail 00000001-0000-0000-0002-800000000077");
  EXPECT_EQ(none.status, 4);
  EXPECT_THAT(none.text, HasSubstr("MESSAGE_NOT_FOUND"));
  EXPECT_THAT(none.text, HasSubstr("cancelled 0 messages"));
  const Output typo = weir("delayed cancel mail 7");
  EXPECT_EQ(typo.status, 2);
  EXPECT_THAT(typo.text, HasSubstr("'7' is no id of a message"));
  EXPECT_EQ(weir("delayed reschedule mail 00000001-0000-0000-0002-800000000077").status, 2);
}

}  // namespace
}  // namespace weir::integration
