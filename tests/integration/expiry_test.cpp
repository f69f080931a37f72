#include "tests/integration/command_line_test.hpp"
#include "weir/weir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

// Messages that are of no use any more.
namespace weir::integration {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class Expires : public CommandLineTest {};

TEST_F(Expires, AndIsHandedOutToNobody) {
  done("queue create failed");
  done("queue create mail --dead-letter-queue failed --dead-letter-expired 1");
  done("queue create other");
  for (const char* queue : {"mail", "other"}) {
    done(std::string("queue send ") + queue + " --value gone --ttl-ms 1");
    done(std::string("queue send ") + queue + " --value there --ttl-ms 3600000");
    EXPECT_EQ(done(std::string("queue receive ") + queue + " --wait-ms 20000 --ack"), "there\n");
  }
  EXPECT_EQ(done("queue info other -o 'template={ready} {bytes}'"), "0 0");
  EXPECT_THAT(done("queue receive failed --wait-ms 20000 --ack -f '%v %h'"),
              testing::AllOf(testing::StartsWith("gone "), HasSubstr("weir.dead-from=mail"),
                             HasSubstr("weir.dead-reason=expired"),
                             testing::Not(HasSubstr("weir.ttl-ms"))));
}

TEST_F(Expires, IsRefusedAtTheDoorWhenItIsLate) {
  done("queue create mail");
  const Output late = weir("queue send mail --value x --deadline 2020-01-01T00:00:00Z");
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.text, HasSubstr("MESSAGE_EXPIRED: the message's deadline has passed"));
  EXPECT_EQ(weir("queue send mail --value x --deadline soon").status, 2);
  EXPECT_EQ(weir("queue send mail --value x --ttl-ms 0").status, 2);
  EXPECT_EQ(weir("queue create short --retention-ms 59999").status, 2);
  done("queue create short --retention-ms 60000");
  EXPECT_THAT(done("queue update short --retention-ms 0"), HasSubstr("retention_ms"));
}

TEST_F(Expires, AtAMomentThatItsHandlerSees) {
  done("queue create mail");
  Result<Client> client = Client::connect(ClientOptions(url()));
  ASSERT_TRUE(client) << client.error().to_string();
  const auto deadline =
      std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now() + seconds(60));
  Result<Producer> producer = client->queue_producer("mail");
  ASSERT_TRUE(producer);
  ASSERT_TRUE(producer->send(Message("work").set_deadline(deadline)));
  ASSERT_TRUE(producer->send(Message("more")));
  Result<QueueConsumer> consumer = client->subscribe("mail");
  ASSERT_TRUE(consumer);
  Result<std::optional<Delivery>> first = consumer->next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->deadline(), deadline);
  ASSERT_TRUE((*first)->time_left());
  EXPECT_GT(*(*first)->time_left(), seconds(0));
  EXPECT_LE(*(*first)->time_left(), seconds(60));
  Result<std::optional<Delivery>> second = consumer->next();
  ASSERT_TRUE(second && *second);
  EXPECT_FALSE((*second)->deadline());
  EXPECT_FALSE((*second)->time_left());
}

}  // namespace
}  // namespace weir::integration
