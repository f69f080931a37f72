#include "broker/cli/describe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ContainsRegex;
using testing::HasSubstr;

const Timestamp kNow{milliseconds(1'777'636'800'250)};

QueueDescription sample_queue() {
  QueueDescription queue;
  queue.name = "mail";
  queue.uuid = "u-1";
  queue.id = 7;
  queue.settings.set_lease(milliseconds(30'000))
      .set_max_receive_count(3)
      .set_max_messages(100)
      .set_max_message_bytes(4096)
      .set_max_in_flight(50)
      .set_redelivery_budget_percent(20);
  queue.ready = 5;
  queue.in_flight = 1;
  queue.bytes = 123;
  queue.next_offset = 9;
  return queue;
}

TEST(QueueInfo, IsOneLineOfJson) {
  EXPECT_EQ(queue_json(sample_queue()),
            R"({"name": "mail", "uuid": "u-1", "id": 7, "lease_ms": 30000, )"
            R"("max_receive_count": 3, "max_messages": 100, "max_bytes": null, )"
            R"("max_message_bytes": 4096, "max_in_flight": 50, "redelivery_delay_ms": null, )"
            R"("redelivery_max_delay_ms": null, "redelivery_budget_percent": 20, )"
            R"("delay_ms": null, "retention_ms": null, "dead_letter_expired": null, )"
            R"("deduplication_ms": null, "content_deduplication": null, )"
            R"("strict_priority": null, )"
            R"("dead_letter_queue": null, "dead_letter_sources": null, )"
            R"("ready": 5, "in_flight": 1, )"
            R"("delayed": 0, "dying": 0, "parked": 0, "bytes": 123, "next_offset": 9, )"
            R"("oldest_append_time_ms": null, "subscribers": 0, "receives_paused": false, )"
            R"("sends_paused": false})"
            "\n");
}

TEST(QueueInfo, NamesTheDeadLetterQueueAndTheOldestMessage) {
  QueueDescription queue = sample_queue();
  queue.settings.set_dead_letter_queue("a\"b\\c\x01");
  queue.oldest_append_time = Timestamp(milliseconds(1'000));
  EXPECT_THAT(queue_json(queue), HasSubstr(R"("dead_letter_queue": "a\"b\\c\u0001")"));
  EXPECT_THAT(queue_json(queue), HasSubstr(R"("oldest_append_time_ms": 1000)"));
}

TEST(QueueInfo, IsATableForPeople) {
  const std::string table = queue_table(sample_queue(), kNow);
  EXPECT_THAT(table, ContainsRegex("name +mail\n"));
  EXPECT_THAT(table, ContainsRegex("in_flight +1\n"));
  EXPECT_THAT(table, ContainsRegex("dead_letter_queue +-\n"));
  QueueDescription waiting = sample_queue();
  waiting.oldest_append_time = kNow - seconds(8);
  EXPECT_THAT(queue_table(waiting, kNow),
              ContainsRegex("oldest_append_time +2026-05-01T11:59:52.250Z \\(8s ago\\)\n"));
}

TEST(QueueInfo, SaysToPeopleWhatParkedMessagesAreInFor) {
  EXPECT_THAT(queue_table(sample_queue(), kNow), testing::Not(HasSubstr("any more")));
  QueueDescription queue = sample_queue();
  queue.parked = 17;
  EXPECT_THAT(
      queue_table(queue, kNow),
      HasSubstr("\n\n17 messages parked: nobody is given them any more (see: weir queue info "
                "--help)\n"));
}

TEST(QueueList, IsALineForEachBelowTheColumns) {
  QueueDescription other = sample_queue();
  other.name = "a-longer-name";
  other.ready = 12'345;
  other.receives_paused = true;
  other.oldest_append_time = kNow - seconds(8);
  EXPECT_EQ(
      queues_table({sample_queue(), other}, kNow),
      "name           ready  in_flight  delayed  dying  parked  oldest  bytes  subscribers  "
      "paused\n"
      "mail               5          1        0      0       0       -    123            0  -\n"
      "a-longer-name  12345          1        0      0       0      8s    123            0  "
      "receives\n");
}

TEST(QueueList, IsAnArrayOfTheObjectsOfInfo) {
  const std::string one = queue_json(sample_queue());
  const std::string object = one.substr(0, one.size() - 1);
  EXPECT_EQ(queues_json({sample_queue(), sample_queue()}),
            "[\n" + object + ",\n" + object + "\n]\n");
  EXPECT_EQ(queues_json({}), "[]\n");
}

TopicDescription sample_topic() {
  TopicDescription topic;
  topic.name = "clicks";
  topic.uuid = "u-2";
  topic.id = 8;
  PartitionDescription partition;
  partition.high_watermark = 12;
  partition.last_stable = 12;
  partition.bytes = 1'234'567'890;
  topic.partitions.push_back(partition);
  partition.partition = 1;
  topic.partitions.push_back(partition);
  return topic;
}

TEST(ClientList, HoldsNothingOfAServiceThatATerminalObeys) {
  ClientDescription client;
  client.service = "\x1b[2Jgrüße\n";
  ClientDescription other;
  other.service = "plain";
  const std::string table = clients_table({client, other});
  EXPECT_THAT(table, HasSubstr(R"(  \x1b[2Jgrüße\n  )"));
  EXPECT_THAT(table, HasSubstr("  plain            "));
}

RedriveDescription a_redrive() {
  RedriveDescription redrive;
  redrive.name = "failed";
  redrive.state = RedriveState::kRunning;
  redrive.moved = 3;
  redrive.position = 5;
  redrive.end = 20;
  redrive.begun_time = kNow;
  return redrive;
}

TEST(Redrives, AreATableAndObjects) {
  RedriveDescription parked = a_redrive();
  parked.name = "mail";
  parked.options.set_parked(true).set_dry_run(true).set_rate(7);
  parked.state = RedriveState::kFailed;
  parked.why = "the queue was purged";
  const std::string table = redrives_table({a_redrive(), parked});
  EXPECT_THAT(table, HasSubstr("failed  (where they died)  running            25%      3"));
  EXPECT_THAT(table, HasSubstr("mail    (unpark)           failed (dry run)   25%"));
  EXPECT_THAT(table, HasSubstr("the queue was purged"));
  const std::string json = redrives_json({a_redrive()});
  EXPECT_THAT(json, HasSubstr(R"({"name": "failed", "target": null, "parked": false, )"));
  EXPECT_THAT(json, HasSubstr(R"("state": "running", "why": null, "moved": 3, "skipped": 0, )"));
  EXPECT_THAT(json,
              HasSubstr(R"("ended_time_ms": null, "set_headers": [], "remove_headers": []})"));
}

TEST(Redrives, AreToldInASentence) {
  RedriveDescription redrive = a_redrive();
  EXPECT_THAT(redrive_text(redrive), HasSubstr("weir dlq redrives"));
  redrive.state = RedriveState::kDone;
  redrive.skipped = 2;
  EXPECT_EQ(redrive_text(redrive), "moved 3 messages of queue failed, skipped 2\n");
  redrive.options.set_parked(true).set_dry_run(true);
  EXPECT_EQ(redrive_text(redrive), "would make ready 3 messages of queue failed, skipped 2\n");
  redrive.options.set_drop(true).set_dry_run(false);
  EXPECT_EQ(redrive_text(redrive), "dropped 3 messages of queue failed, skipped 2\n");
  redrive.state = RedriveState::kCancelled;
  redrive.why = "enough";
  EXPECT_THAT(redrive_text(redrive), testing::StartsWith("cancelled (enough): "));
}

TEST(DeadLetterQueues, AreThoseOfOthers) {
  QueueDescription mail;
  mail.name = "mail";
  mail.settings.set_dead_letter_queue("failed");
  QueueDescription letters = mail;
  letters.name = "letters";
  QueueDescription failed;
  failed.name = "failed";
  failed.ready = 4;
  const std::vector<QueueDescription> queues = {failed, letters, mail};
  EXPECT_EQ(dead_letter_queues_table(queues, kNow),
            "name    messages  ready  in_flight  parked  oldest  of\n"
            "failed         4      4          0       0       -  letters, mail\n");
  const std::string json = dead_letter_queues_json(queues);
  EXPECT_THAT(json, HasSubstr(R"("of": ["letters", "mail"]})"));
  EXPECT_EQ(dead_letter_queues_json({mail}), "[]\n") << "its queue is not among them";
}

TEST(QueuePeek, IsANarrowTable) {
  PeekedMessage message;
  message.offset = 7;
  message.append_time = kNow - seconds(75);
  message.value = "hello\n";
  PeekedMessage delayed;
  delayed.offset = 12;
  delayed.state = MessageState::kDelayed;
  delayed.attempts = 2;
  delayed.failures = 1;
  delayed.due = kNow + seconds(5);
  delayed.append_time = kNow;
  EXPECT_EQ(peeked_table({message, delayed}, kNow),
            "offset  state    attempts  failures    due     age  size  value\n"
            "     7  ready           0         0      -  1m 15s     6  hello\\n\n"
            "    12  delayed         2         1  in 5s      0s     -  -\n");
}

TEST(QueuePeek, SaysOfDeadLettersWhereTheyComeFromAndWhy) {
  PeekedMessage dead;
  dead.id = MessageId(1, 2, 3);
  dead.offset = 0;
  dead.append_time = kNow - seconds(3);
  dead.value = "a";
  dead.headers = {{"weir.dead-from", "work"},
                  {"weir.dead-reason", "max_receive_count"},
                  {"weir.dead-attempts", "3"},
                  {"weir.dead-error", "no route\n"}};
  PeekedMessage other = dead;
  other.offset = 1;
  other.headers.clear();
  EXPECT_EQ(
      peeked_table({dead, other}, kNow),
      "id                                    offset  state  attempts  failures  due  age  dead_from"
      "  dead_attempts  dead_reason        dead_error  size  value\n"
      "00000001-0000-0000-0002-000000000003       0  ready         0         0    -   3s  work     "
      "              3  max_receive_count  no route\\n     1  a\n"
      "00000001-0000-0000-0002-000000000003       1  ready         0         0    -   3s  -        "
      "              -  -                  -              1  a\n");
}

TEST(QueuePeek, LosesNoBytesInJson) {
  PeekedMessage message;
  message.offset = 7;
  message.key = "\xef\xbf\xbd";
  message.value = std::string("\xff\0z", 3);
  message.headers = {{"lang", "en"}, {"\xfe", std::nullopt}};
  EXPECT_EQ(peeked_json({message}),
            R"([
{"id": "00000000-0000-0000-0000-000000000000", "offset": 7, "state": "ready", )"
            R"("attempts": 0, "failures": 0, "consumer": null, "leased_ms": null, )"
            R"("due_ms": null, "append_time_ms": 0, )"
            "\"timestamp_ms\": 0, \"key\": \"\xef\xbf\xbd\", "
            R"("value": null, "value_base64": "/wB6", "headers": [)"
            R"({"name": "lang", "value": "en"}, )"
            R"({"name": null, "name_base64": "/g==", "value": null}]}
]
)");
}

TEST(MessageLife, IsToldInItsOrderFromHeadersAndWhatIsRemembered) {
  PeekedMessage message;
  message.id = MessageId(1, 2, 3);
  message.offset = 9;
  message.state = MessageState::kInFlight;
  message.consumer = "worker 1.2.3.4:5\n";
  message.timestamp = kNow - seconds(100);
  message.append_time = kNow - seconds(50);
  message.leased = kNow - seconds(2);
  message.due = kNow + seconds(30);
  message.headers = {
      {"weir.id", message.id.to_string()},
      {"weir.past-history", R"([{"attempt":1,"time":)" +
                                std::to_string((kNow - seconds(80)).time_since_epoch().count()) +
                                R"(,"outcome":"expired","consumer":"old"}])"}};
  AttemptDescription attempt;
  attempt.number = 1;
  attempt.time = kNow - seconds(10);
  attempt.outcome = "failed";
  attempt.reason = "no\troute";
  message.history = {attempt};
  const std::string text = life_text("mail", message, kNow);
  EXPECT_THAT(text, HasSubstr("state     in_flight by worker 1.2.3.4:5\\n, until in 30s\n"));
  std::vector<std::string> whats;
  for (const char* what : {"sent, by the clock", "attempt 1: expired by old", "came to queue mail",
                           "attempt 1: failed: no\\troute", "handed out by worker"}) {
    ASSERT_THAT(text, HasSubstr(what));
    whats.emplace_back(what);
  }
  for (std::size_t i = 1; i < whats.size(); ++i) {
    EXPECT_LT(text.find(whats[i - 1]), text.find(whats[i])) << whats[i];
  }
  EXPECT_THAT(life_json("mail", message), HasSubstr(R"("queue": "mail", "id": ")"));
  EXPECT_THAT(life_json("mail", message), HasSubstr(R"("history": [{"attempt": 1, "time_ms": )"));
  // What a header says that is no history is passed over.
  message.headers[1].second = "[{";
  EXPECT_THAT(life_text("mail", message, kNow), testing::Not(HasSubstr("by old")));
}

TEST(DelayedList, ShowsWhenEachIsDue) {
  DelayedMessage message;
  message.id = MessageId(1, 2, 3);
  message.due = kNow + seconds(5);
  message.append_time = kNow - seconds(75);
  message.key = "k";
  message.value = "hello\n";
  DelayedMessage due = message;
  due.id = MessageId(1, 2, 4);
  due.due = kNow;
  due.value.reset();
  EXPECT_EQ(delayed_table({message, due}, kNow),
            "id                                      due     age  size  value\n"
            "00000001-0000-0000-0002-000000000003  in 5s  1m 15s     6  hello\\n\n"
            "00000001-0000-0000-0002-000000000004    now  1m 15s     -  -\n");
  EXPECT_EQ(delayed_json({message}),
            R"([
{"id": "00000001-0000-0000-0002-000000000003", "due_ms": 1777636805250, )"
            R"("append_time_ms": 1777636725250, "timestamp_ms": 0, "key": "k", )"
            R"("value": "hello\u000a", "headers": []}
]
)");
}

TEST(Preview, IsTheBeginningOfAValueOnOneLine) {
  EXPECT_EQ(preview(std::nullopt), "-");
  EXPECT_EQ(preview(""), "");
  EXPECT_EQ(preview("Grüße\n\x1b"), R"(Grüße\n\x1b)");
  std::string sixty;
  for (int i = 0; i < 60; ++i) {
    sixty += "ü";
  }
  EXPECT_EQ(preview(sixty), sixty);
  EXPECT_EQ(preview(sixty + "ü"), sixty + "...");
  EXPECT_EQ(preview(sixty + std::string(200, 'x')), sixty + "...");
}

TEST(TopicInfo, ListsThePartitionsInJson) {
  EXPECT_EQ(topic_json(sample_topic()),
            R"({"name": "clicks", "uuid": "u-2", "id": 8, "partitions": [)"
            R"({"partition": 0, "log_start": 0, "high_watermark": 12, "last_stable": 12, )"
            R"("leader_epoch": 0, "bytes": 1234567890}, )"
            R"({"partition": 1, "log_start": 0, "high_watermark": 12, "last_stable": 12, )"
            R"("leader_epoch": 0, "bytes": 1234567890}]})"
            "\n");
}

TEST(TopicInfo, AlignsThePartitionsInATable) {
  EXPECT_THAT(
      topic_table(sample_topic()),
      HasSubstr("partition  log_start  high_watermark  last_stable  leader_epoch       bytes\n"
                "        0          0              12           12             0  1234567890\n"));
}

BackupDescription sample_backup() {
  BackupDescription backup;
  backup.broker = "weir/0.1.0";
  backup.incarnation = 2;
  backup.commit = 17;
  backup.commit_time = Timestamp(std::chrono::milliseconds(1'777'636'800'000));
  backup.rows = 12;
  backup.row_bytes = 3456;
  backup.digest = "00112233445566aa";
  backup.file_bytes = 4000;
  return backup;
}

TEST(Backup, IsDescribedInJson) {
  EXPECT_EQ(backup_json(sample_backup()),
            R"({"kind": "backup", "broker": "weir/0.1.0", "incarnation": 2, "commit": 17, )"
            R"("commit_time_ms": 1777636800000, "rows": 12, "bytes": 3456, )"
            R"("digest": "00112233445566aa", "file_bytes": 4000})"
            "\n");
}

TEST(Backup, IsDescribedInATable) {
  EXPECT_THAT(backup_table(sample_backup()), HasSubstr("digest       00112233445566aa\n"));
  EXPECT_THAT(backup_table(sample_backup()), HasSubstr("commit_time  2026-05-01T12:00:00.000Z\n"));
}

TEST(ConfigReload, NamesWhatChangedAndWhatTakesANewStart) {
  ConfigReload reload;
  reload.file = "/etc/weir/weir.toml";
  const auto change = [](const char* setting, const char* before, const char* after) {
    SettingChange made;
    made.setting = setting;
    made.before = before;
    made.after = after;
    return made;
  };
  reload.taken = {change("drain_ms", "5", "6")};
  reload.left = {change("http", "127.0.0.1:7341", "")};
  reload.unchanged = {"data_dir", "listen"};
  EXPECT_EQ(reload_text(reload),
            "read /etc/weir/weir.toml\n"
            "changed drain_ms from 5 to 6\n"
            "not changed: http from 127.0.0.1:7341 to -, which takes a new start\n"
            "2 settings are as before\n");
  EXPECT_EQ(reload_json(reload),
            R"({"file": "/etc/weir/weir.toml", )"
            R"("taken": [{"setting": "drain_ms", "before": "5", "after": "6"}], )"
            R"("left": [{"setting": "http", "before": "127.0.0.1:7341", "after": ""}], )"
            R"("unchanged": ["data_dir", "listen"]})"
            "\n");
}

}  // namespace
}  // namespace weir::cli
