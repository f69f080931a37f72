#include "tests/integration/command_line_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

// Priorities and tenants, as a user of the command line meets them.
namespace weir::integration {
namespace {

using testing::HasSubstr;

class PriorityCommands : public CommandLineTest {
 protected:
  /// Lines as `queue receive` prints them, in the order in which they come.
  std::string drain(const std::string& queue) {
    std::string all;
    for (std::string next = done("queue receive " + queue + " --ack"); !next.empty();
         next = done("queue receive " + queue + " --ack")) {
      all += next;
    }
    return all;
  }
};

TEST_F(PriorityCommands, TheMostUrgentComesFirstAlsoAfterAKill) {
  done("queue create mail --strict-priority 1");
  EXPECT_EQ(done("queue send mail --value plain"), "sent 1 message\n");
  EXPECT_EQ(done("queue send mail --priority 0 --value newsletter"), "sent 1 message\n");
  EXPECT_EQ(done("queue send mail --priority 9 --value password"), "sent 1 message\n");
  EXPECT_EQ(done("queue send mail --priority 9 --value code"), "sent 1 message\n");
  EXPECT_THAT(done("queue info mail"), HasSubstr("strict_priority"));
  restart();
  EXPECT_EQ(drain("mail"), "password\ncode\nplain\nnewsletter\n");
}

TEST_F(PriorityCommands, WhatIsNoPriorityIsRefusedWithAWord) {
  done("queue create mail");
  EXPECT_THAT(weir("queue send mail --priority 10 --value v").text,
              HasSubstr("not in range 0 to 9"));
  done("queue create mail.fifo");
  EXPECT_THAT(weir("queue send mail.fifo --group g --priority 9 --value v").text,
              HasSubstr("has no priority"));
  EXPECT_THAT(weir("queue create strict.fifo --strict-priority 1").text,
              HasSubstr("strict_priority is not for FIFO queues"));
}

TEST_F(PriorityCommands, AMessageIsSettledByItsHandleWhicheverItsLane) {
  done("queue create mail");
  done("queue send mail --priority 9 --value urgent");
  const std::string handle = done("queue receive mail --lease-ms 600000 -f '%R'");
  EXPECT_EQ(drain("mail"), "");
  done("queue ack " + handle);
  EXPECT_THAT(done("queue peek mail"), testing::Not(HasSubstr("urgent")));
}

}  // namespace
}  // namespace weir::integration
