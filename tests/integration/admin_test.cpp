#include "tests/integration/command_line_test.hpp"
#include "weir/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

// The command line's administration against a real broker.
namespace weir::integration {
namespace {

using std::chrono::seconds;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

using Admin = CommandLineTest;

TEST_F(Admin, ListsQueuesAndTopics) {
  done("queue create mail-failed");
  done("queue create mail");
  done("queue create other");
  done("topic create clicks --partitions 3");
  send("mail", 5);
  const std::string listed = done("queue ls 'mail*'");
  EXPECT_THAT(listed, HasSubstr("mail             5"));
  EXPECT_THAT(listed, HasSubstr("mail-failed      0"));
  EXPECT_THAT(listed, Not(HasSubstr("other")));
  EXPECT_EQ(done("queue ls --names"), "mail\nmail-failed\nother\n");
  EXPECT_THAT(done("topic ls -o json"), HasSubstr(R"([
{"name": "clicks")"));
}

TEST_F(Admin, ChangesAndPausesAQueueAcrossARestart) {
  done("queue create mail --max-receive-count 3");
  EXPECT_EQ(done("queue update mail --max-receive-count 5 --dry-run"),
            "would change max_receive_count from 3 to 5\n");
  EXPECT_EQ(done("queue update mail --max-receive-count 5"),
            "changed max_receive_count from 3 to 5\n");
  EXPECT_EQ(done("queue update mail --max-receive-count 5"), "queue mail is like that already\n");
  done("queue pause mail");
  restart();
  EXPECT_THAT(done("queue info mail -o json"),
              HasSubstr(R"("receives_paused": true, "sends_paused": true)"));
  const Output refused = run_command("echo x | " + std::string(WEIR_TEST_BINARY) +
                                     " --timeout-ms 1500 --url " + url() + " queue send mail 2>&1");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.text, HasSubstr("PAUSED"));
  done("queue resume mail --sends");
  send("mail", 1);
  EXPECT_EQ(done("queue receive mail --ack"), "");
  done("queue resume mail");
  EXPECT_EQ(done("queue receive mail --ack"), "1\n");
}

TEST_F(Admin, FillsAQueueToItsBoundAndGoesOnWhenThereIsRoom) {
  done("queue create mail --max-messages 3 --max-in-flight 1");
  send("mail", 3);
  const Output full = weir("--timeout-ms 1500 queue send mail --value more");
  EXPECT_EQ(full.status, 1) << full.text;
  EXPECT_THAT(full.text, HasSubstr("QUEUE_FULL"));
  EXPECT_THAT(full.text, HasSubstr("weir queue info mail"));
  EXPECT_THAT(full.text, HasSubstr("stored 0, unknown 0, refused 1"));
  restart();
  EXPECT_THAT(done("queue info mail -o json"),
              HasSubstr(R"("max_messages": 3, "max_bytes": null)"));
  EXPECT_EQ(weir("--timeout-ms 1500 queue send mail --value more").status, 1);
  EXPECT_EQ(done("queue receive mail --ack"), "1\n");
  done("queue send mail --value more");
  EXPECT_EQ(done("queue update mail --max-messages 2 --max-message-bytes 5"),
            "changed max_messages from 3 to 2\nchanged max_message_bytes from 1048576 to 5\n");
  EXPECT_THAT(done("queue info mail"), ContainsRegex("ready +3\n")) << "nothing is lost";
  EXPECT_EQ(done("queue receive mail --max 2"), "2\n") << "one in flight at a time";
  EXPECT_EQ(done("queue receive mail --ack"), "2\n");
  EXPECT_EQ(done("queue receive mail --ack"), "3\n");
  const Output large = weir("queue send mail --value 123456");
  EXPECT_EQ(large.status, 1) << large.text;
  EXPECT_THAT(large.text, HasSubstr("MESSAGE_TOO_LARGE"));
  done("queue send mail --value 12345");
  const Output other = weir("queue create mail --max-messages 7");
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.text, HasSubstr("max_messages is 2, not 7"));
}

// A sender that is patient waits for room.
TEST_F(Admin, SendsToAFullQueueAsSoonAsSomebodyWorks) {
  done("queue create mail --max-messages 1");
  send("mail", 1);
  const std::string weir = std::string(WEIR_TEST_BINARY) + " --url " + url() + " queue ";
  const std::string receive = weir + "receive mail --ack --wait-ms 10000; ";
  const Output sent =
      run_command("( " + weir + "send mail --value more & " + receive + receive + "wait $! ) 2>&1");
  EXPECT_EQ(sent.status, 0) << sent.text;
  EXPECT_THAT(sent.text, HasSubstr("sent 1 message"));
  EXPECT_THAT(sent.text, HasSubstr("1\n"));
  EXPECT_THAT(sent.text, HasSubstr("more\n"));
}

TEST_F(Admin, PurgesOnlyWithAWord) {
  done("queue create mail");
  send("mail", 7);
  const Output asked = weir("queue purge mail");
  EXPECT_EQ(asked.status, 2);
  EXPECT_THAT(asked.text, HasSubstr("nothing was done"));
  EXPECT_THAT(done("queue purge mail --dry-run"), HasSubstr("7 messages"));
  EXPECT_THAT(done("queue info mail"), ContainsRegex("ready +7\n"));
  EXPECT_EQ(done("queue purge mail --yes"), "purged queue mail of 7 messages\n");
  send("mail", 2);
  restart();
  EXPECT_THAT(done("queue info mail"), ContainsRegex("ready +2\n"));
}

TEST_F(Admin, DeletesQueuesAndTopics) {
  done("queue create dead");
  done("queue create mail --dead-letter-queue dead");
  send("mail", 2);
  const Output needed = weir("queue delete dead --yes");
  EXPECT_EQ(needed.status, 1);
  EXPECT_THAT(needed.text, HasSubstr("IN_USE"));
  EXPECT_THAT(needed.text, HasSubstr("'mail'"));
  EXPECT_THAT(needed.text, HasSubstr("--force"));
  done("queue delete dead --yes --force");
  EXPECT_THAT(done("queue info mail"), ContainsRegex("dead_letter_queue +-\n"));
  EXPECT_EQ(done("queue delete mail --yes"), "deleted queue mail with 2 messages\n");
  EXPECT_EQ(weir("queue info mail").status, 4);
  done("topic create clicks");
  EXPECT_EQ(done("topic delete clicks --yes"), "deleted topic clicks with 0 records\n");
  restart();
  EXPECT_EQ(done("queue ls --names"), "");
  EXPECT_EQ(done("topic ls --names"), "");
}

TEST_F(Admin, SaysInJsonWhatIsGone) {
  done("queue create mail");
  send("mail", 3);
  EXPECT_THAT(done("queue purge mail --dry-run -o json"),
              testing::AllOf(HasSubstr(R"({"name": "mail", )"), HasSubstr(R"("ready": 3, )"),
                             HasSubstr(R"("dry_run": true})")));
  EXPECT_EQ(done("queue purge mail --yes -o 'template={name} {ready} {dry_run}\\n'"),
            "mail 3 false\n");
  EXPECT_EQ(done("queue delete mail --dry-run -o 'template={ready} {dry_run}\\n'"), "0 true\n");
  EXPECT_THAT(done("queue delete mail --yes -o json"), HasSubstr(R"("dry_run": false})"));
  done("topic create clicks");
  EXPECT_EQ(done("topic delete clicks --yes -o 'template={name} {partitions}'"),
            R"(clicks [{"partition":0,"log_start":0,"high_watermark":0,"last_stable":0,)"
            R"("leader_epoch":0,"bytes":0}])");
  done("namespace create billing");
  done("queue create mail", "billing");
  EXPECT_THAT(done("namespace delete billing --recursive --yes -o json"),
              HasSubstr(R"("queues": 1, "topics": 0, "dry_run": false})"));
  const Output unasked = weir("queue purge none -o json");
  EXPECT_EQ(unasked.status, 4);
  EXPECT_THAT(unasked.text, HasSubstr("weir: QUEUE_NOT_FOUND"));
}

TEST_F(Admin, EndsConsumersOfADeletedQueue) {
  done("queue create mail");
  Client client = Client::connect(ClientOptions(url())).value();
  QueueConsumer consumer = client.subscribe("mail", ConsumerOptions()).value();
  Producer producer = client.queue_producer("mail", ProducerOptions()).value();
  done("queue delete mail --yes");
  const auto next = consumer.next(seconds(30));
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code, ErrorCode::kQueueNotFound);
  EXPECT_EQ(producer.send("late", seconds(30)).error().code, ErrorCode::kQueueNotFound);
}

TEST_F(Admin, LooksWithoutTaking) {
  done("queue create mail");
  send("mail", 3);
  const std::string looked = done("queue peek mail --from ready -n 2");
  EXPECT_THAT(looked, ContainsRegex("0  ready         0         0    -  +[0-9]s     1  1\n"));
  EXPECT_EQ(done("queue peek mail --offset 2 -f '%o=%v\\n'"), "2=3\n");
  EXPECT_THAT(done("queue peek mail -o json -n 1"), HasSubstr(R"("value": "1")"));
  EXPECT_EQ(weir("queue peek mail -f %R").status, 2);
  EXPECT_THAT(done("queue info mail"), ContainsRegex("ready +3\n"));
  done("topic create clicks");
  run_command("seq 20 | " + std::string(WEIR_TEST_BINARY) + " --url " + url() +
              " topic publish clicks");
  const std::string browsed = done("topic browse clicks -n 2");
  EXPECT_THAT(browsed, HasSubstr("        0      18"));
  EXPECT_THAT(browsed, HasSubstr("        0      19"));
  EXPECT_THAT(browsed, Not(HasSubstr("        0      17")));
  EXPECT_EQ(weir("topic browse clicks --partition 1").status, 4);
}

TEST_F(Admin, ShowsTheTopOnce) {
  done("queue create mail");
  send("mail", 3);
  EXPECT_THAT(done("top --once --interval 0.1"),
              ContainsRegex("\nmail +3 .* 0.0 +0.0 +- +no consumer\n$"));
  EXPECT_EQ(done("top --interval 0.1 -o 'template={name} {ready} {in_per_second}\\n'"),
            "mail 3 0\n");
}

TEST_F(Admin, NamesWhatChangesAQueueThatIsThere) {
  done("queue create mail");
  const Output refused = weir("queue create mail --lease-ms 5000");
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.text, HasSubstr("lease_ms"));
  EXPECT_THAT(refused.text, HasSubstr("; weir queue update mail changes settings\n"));
}

TEST_F(Admin, AdministersNamespaces) {
  EXPECT_EQ(weir("queue create mail", "billing").status, 4);
  done("namespace create billing");
  done("queue create mail", "billing");
  done("queue create mail-2 --dead-letter-queue mail", "billing");
  done("topic create clicks", "billing");
  EXPECT_THAT(done("namespace ls"), HasSubstr("billing       2       1\n"));
  EXPECT_EQ(done("queue ls --names"), "");
  const Output full = weir("namespace delete billing --yes");
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.text, HasSubstr("--recursive"));
  EXPECT_EQ(done("namespace delete billing --recursive --yes"),
            "deleted namespace billing with 2 queues and 1 topic\n");
  EXPECT_EQ(weir("namespace info billing").status, 4);
  EXPECT_EQ(weir("namespace delete default --yes").status, 2);
}

TEST_F(Admin, KicksAConnectionThatComesBack) {
  done("queue create mail");
  ClientOptions options(url());
  options.set_service("checkout");
  Client client = Client::connect(options).value();
  QueueConsumer consumer = client.subscribe("mail", ConsumerOptions()).value();
  const ClientDescription before =
      client.list_clients(ListOptions().set_pattern("checkout")).value().clients.at(0);
  EXPECT_EQ(before.subscriptions, 1U);
  EXPECT_THAT(done("client ls checkout"), HasSubstr("127.0.0.1:"));
  EXPECT_EQ(
      run_command(std::string(WEIR_TEST_BINARY) + " complete -- --url " + url() + " client ls chec")
          .text,
      "checkout\n");
  const std::string kick = "client kick " + std::to_string(before.session);
  EXPECT_EQ(done(kick + " --dry-run"), "dry run: 1 connection will be ended\n");
  EXPECT_EQ(done(kick + " --dry-run -o 'template={service} {dry_run}'"), "checkout true");
  EXPECT_EQ(weir("client kick 999999 --dry-run").status, 2);
  const Output kicked = weir(kick + " --yes");
  EXPECT_EQ(kicked.status, 0) << kicked.text;
  EXPECT_THAT(kicked.text, HasSubstr("of checkout at 127.0.0.1:"));
  EXPECT_EQ(weir("client kick 999999 --yes").status, 2);
  // It comes back by itself, with its subscription.
  send("mail", 1);
  const auto delivery = consumer.next(seconds(30));
  ASSERT_TRUE(delivery.has_value()) << delivery.error().to_string();
  ASSERT_TRUE(delivery->has_value());
  const ClientDescription after =
      client.list_clients(ListOptions().set_pattern("checkout")).value().clients.at(0);
  EXPECT_NE(after.session, before.session);
  const Output half =
      weir("client kick " + std::to_string(after.session) + " 999999 --yes -o json");
  EXPECT_EQ(half.status, 2);
  EXPECT_THAT(half.text, HasSubstr("{\"session\": " + std::to_string(after.session) + ", "));
  EXPECT_THAT(half.text, HasSubstr("\nweir: INVALID_ARGUMENT"));
}

}  // namespace
}  // namespace weir::integration
