#include "tests/integration/command_line_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

// FIFO queues, by the command line.
namespace weir::integration {
namespace {

using testing::HasSubstr;

class FifoCommands : public CommandLineTest {};

TEST_F(FifoCommands, KeepTheOrderWithinAGroup) {
  done("queue create orders.fifo");
  EXPECT_EQ(done("queue send orders.fifo --group a --value a1"), "sent 1 message\n");
  EXPECT_EQ(done("queue send orders.fifo --group b --value b1"), "sent 1 message\n");
  EXPECT_EQ(done("queue send orders.fifo --group a --value a2"), "sent 1 message\n");
  const std::string handle = done("queue receive orders.fifo --lease-ms 600000 -f '%R'");
  EXPECT_EQ(done("queue receive orders.fifo --ack"), "b1\n") << "another group";
  EXPECT_EQ(done("queue receive orders.fifo --ack"), "") << "a2 waits for a1";
  restart();
  EXPECT_EQ(done("queue receive orders.fifo --ack"), "") << "a1 is leased, before and after";
  done("queue ack " + handle);
  EXPECT_EQ(done("queue receive orders.fifo --ack"), "a2\n");
  EXPECT_THAT(weir("queue send orders.fifo --value lost").text, HasSubstr("needs a group"));
}

TEST_F(FifoCommands, TakeAMessageOnce) {
  done("queue create orders.fifo --deduplication-ms 86400000");
  const std::string send = "queue send orders.fifo --group a --deduplication-id order-7 --value ";
  EXPECT_EQ(done(send + "first"), "sent 1 message\n");
  const std::string known = "sent 1 message, of which 1 had been stored before\n";
  EXPECT_EQ(done(send + "second"), known);
  EXPECT_EQ(done("queue receive orders.fifo --ack"), "first\n");
  restart();
  EXPECT_EQ(done(send + "third"), known) << "behind SIGKILL, and though it is done";
  EXPECT_EQ(done("queue info orders.fifo -o 'template={ready}'"), "0");
  done("queue purge orders.fifo --yes");
  EXPECT_EQ(done(send + "fourth"), "sent 1 message\n");
  done("queue update orders.fifo --content-deduplication 1");
  EXPECT_EQ(done("queue send orders.fifo --group a --value same"), "sent 1 message\n");
  EXPECT_EQ(done("queue send orders.fifo --group a --value same"), known);
}

}  // namespace
}  // namespace weir::integration
