#include "tests/unit/client/client_fixture.hpp"
#include "weir/client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

// Calls that administer, against a broker that says what the test tells it.
namespace weir::sdk {
namespace {

using std::chrono::seconds;
using test::ClientTest;
using test::FakeBroker;

class AdminTest : public ClientTest {
 protected:
  /// The last request that the broker got.
  v1::Request asked() {
    return broker_.with([&] { return broker_.requests.back(); });
  }
};

TEST_F(AdminTest, ListsPageByPage) {
  Client client = connect();
  ListOptions options;
  options.set_pattern("m*").set_max_results(7);
  const Result<QueuePage> first = client.list_queues(options);
  ASSERT_TRUE(first.has_value()) << first.error().to_string();
  ASSERT_EQ(first->queues.size(), 1U);
  EXPECT_EQ(first->queues[0].name, "a");
  EXPECT_EQ(asked().list_queues().page().pattern(), "m*");
  EXPECT_EQ(asked().list_queues().page().max_results(), 7U);
  options.set_page_token(first->next_page_token);
  const Result<QueuePage> second = client.async_list_queues(options).get(seconds(20));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->queues.at(0).name, "b");
  EXPECT_EQ(second->next_page_token, "");
  EXPECT_EQ(client.list_topics({})->topics.at(0).partitions.at(0).high_watermark, 7);
}

TEST_F(AdminTest, ChangesOnlyWhatIsSet) {
  Client client = connect();
  QueueChanges changes;
  changes.set_lease(seconds(5)).set_sends_paused(true);
  const Result<QueueUpdate> update = client.update_queue("jobs", changes);
  ASSERT_TRUE(update.has_value()) << update.error().to_string();
  ASSERT_EQ(update->changes.size(), 1U);
  EXPECT_EQ(update->changes[0].setting, "lease_ms");
  EXPECT_EQ(update->changes[0].before, "30000");
  EXPECT_EQ(update->changes[0].after, "5000");
  EXPECT_TRUE(update->queue.sends_paused);
  const v1::UpdateQueue sent = asked().update_queue();
  EXPECT_EQ(sent.name(), "jobs");
  EXPECT_TRUE(sent.has_lease_ms());
  EXPECT_TRUE(sent.sends_paused());
  EXPECT_FALSE(sent.has_receives_paused());
  EXPECT_FALSE(sent.has_dead_letter_queue());
  EXPECT_FALSE(sent.has_max_receive_count());
  EXPECT_FALSE(sent.has_max_messages() || sent.has_max_bytes() || sent.has_max_message_bytes() ||
               sent.has_max_in_flight());
  EXPECT_FALSE(sent.dry_run());
  changes.set_dead_letter_queue("").set_max_receive_count(3).set_receives_paused(false);
  changes.set_max_messages(0).set_max_bytes(5).set_max_message_bytes(6).set_max_in_flight(7);
  changes.set_dry_run(true);
  ASSERT_TRUE(client.async_update_queue("jobs", changes).get(seconds(20)).has_value());
  const v1::UpdateQueue all = asked().update_queue();
  EXPECT_TRUE(all.has_dead_letter_queue());
  EXPECT_EQ(all.dead_letter_queue(), "");
  EXPECT_EQ(all.max_receive_count(), 3U);
  EXPECT_TRUE(all.has_max_messages());
  EXPECT_EQ(all.max_messages(), 0U);
  EXPECT_EQ(all.max_bytes(), 5U);
  EXPECT_EQ(all.max_message_bytes(), 6U);
  EXPECT_EQ(all.max_in_flight(), 7U);
  EXPECT_TRUE(all.has_receives_paused());
  EXPECT_TRUE(all.dry_run());
  EXPECT_EQ(client.update_queue("a b", changes).error().code, ErrorCode::kInvalidName);
}

TEST_F(AdminTest, CreatesWithEverySetting) {
  Client client = connect();
  QueueSettings settings;
  settings.set_lease(seconds(5))
      .set_max_receive_count(4)
      .set_dead_letter_queue("dead")
      .set_max_messages(1'000'000'000'000)
      .set_max_bytes(std::uint64_t{1} << 50)
      .set_max_message_bytes(100)
      .set_max_in_flight(7);
  const Result<QueueDescription> queue = client.create_queue("jobs", settings);
  ASSERT_TRUE(queue.has_value()) << queue.error().to_string();
  EXPECT_EQ(asked().create_queue().settings().max_messages(), 1'000'000'000'000U);
  const QueueSettings& told = queue->settings;
  EXPECT_EQ(told.lease(), seconds(5));
  EXPECT_EQ(told.max_receive_count(), 4U);
  EXPECT_EQ(told.dead_letter_queue(), "dead");
  EXPECT_EQ(told.max_messages(), 1'000'000'000'000U);
  EXPECT_EQ(told.max_bytes(), std::uint64_t{1} << 50);
  EXPECT_EQ(told.max_message_bytes(), 100U);
  EXPECT_EQ(told.max_in_flight(), 7U);
}

TEST_F(AdminTest, PurgesAndTellsWhatWasThere) {
  Client client = connect();
  EXPECT_EQ(client.purge_queue("jobs")->parked, 3U);
  EXPECT_EQ(client.async_purge_queue("jobs").get(seconds(20))->name, "jobs");
  EXPECT_EQ(asked().purge_queue().name(), "jobs");
  EXPECT_EQ(client.purge_queue("a b").error().code, ErrorCode::kInvalidName);
}

TEST_F(AdminTest, BeginsCancelsAndListsRedrives) {
  Client client = connect();
  const Timestamp time(std::chrono::milliseconds(5));
  const RedriveOptions options = RedriveOptions()
                                     .set_target("jobs")
                                     .set_max_messages(9)
                                     .set_rate(3)
                                     .set_keep_attempts(true)
                                     .add_header("retried", "yes")
                                     .remove_header("trace")
                                     .set_filter(MessageFilter()
                                                     .set_id(MessageId(1, 2, 3))
                                                     .set_reason("poison")
                                                     .set_header("tenant", "7")
                                                     .set_key("k")
                                                     .set_died_after(time)
                                                     .set_died_before(time + seconds(1)));
  const Result<RedriveDescription> begun = client.start_redrive("failed", options);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->name, "failed");
  EXPECT_EQ(begun->state, RedriveState::kRunning);
  EXPECT_EQ(begun->options.target(), "jobs");
  EXPECT_EQ(begun->options.rate(), 3U);
  EXPECT_EQ(begun->options.filter().id(), MessageId(1, 2, 3));
  EXPECT_EQ(begun->options.filter().header_value(), "7");
  EXPECT_EQ(begun->options.filter().died_before(), time + seconds(1));
  EXPECT_EQ(begun->begun_time, Timestamp(seconds(1)));
  EXPECT_EQ(begun->ended_time, Timestamp());
  EXPECT_EQ(asked().start_redrive().max_messages(), 9U);
  EXPECT_EQ(asked().start_redrive().filter().died_after(), 5);
  EXPECT_TRUE(asked().start_redrive().keep_attempts() && !asked().start_redrive().drop());
  EXPECT_EQ(asked().start_redrive().set_headers(0).value(), "yes");
  EXPECT_EQ(asked().start_redrive().remove_headers(0), "trace");
  EXPECT_TRUE(client.start_redrive("failed", RedriveOptions().set_drop(true))->options.drop() ||
              asked().start_redrive().drop());
  EXPECT_TRUE(
      client.async_start_redrive("jobs", RedriveOptions().set_parked(true)).get(seconds(20)));
  EXPECT_TRUE(asked().start_redrive().parked());
  EXPECT_EQ(client.start_redrive("a b").error().code, ErrorCode::kInvalidName);
  EXPECT_EQ(client.start_redrive("a", RedriveOptions().set_target("a b")).error().code,
            ErrorCode::kInvalidName);
  const Result<RedriveDescription> cancelled = client.cancel_redrive("failed");
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(name(cancelled->state), "cancelled");
  EXPECT_EQ(cancelled->why, "because");
  EXPECT_TRUE(client.async_cancel_redrive("failed").get(seconds(20)));
  EXPECT_EQ(client.cancel_redrive("a b").error().code, ErrorCode::kInvalidName);
  const Result<RedrivePage> page = client.list_redrives(ListOptions().set_pattern("f*"));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->redrives.at(0).state, RedriveState::kUnknown) << "of a newer broker";
  EXPECT_EQ(page->next_page_token, "next");
  EXPECT_EQ(asked().list_redrives().page().pattern(), "f*");
  EXPECT_TRUE(client.async_list_redrives().get(seconds(20)));
}

TEST_F(AdminTest, ListsAndChangesWhatIsPutOff) {
  Client client = connect();
  const Result<DelayedPage> page =
      client.list_delayed("jobs", DelayedOptions().set_page_token("from").set_max_messages(9));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->messages.size(), 1U);
  EXPECT_EQ(page->messages[0].id, MessageId(1, 2, 3));
  EXPECT_EQ(page->messages[0].due, Timestamp(seconds(5)));
  EXPECT_EQ(page->messages[0].append_time, Timestamp(seconds(4)));
  EXPECT_EQ(page->messages[0].timestamp, Timestamp(std::chrono::milliseconds(7)));
  EXPECT_EQ(page->messages[0].value, "later");
  EXPECT_EQ(page->messages[0].headers.at(0).first, "h");
  EXPECT_EQ(page->next_page_token, "next");
  EXPECT_EQ(asked().list_delayed().page_token(), "from");
  EXPECT_EQ(asked().list_delayed().max_messages(), 9U);
  EXPECT_TRUE(client.async_list_delayed("jobs").get(seconds(20)));
  EXPECT_EQ(client.list_delayed("jobs", DelayedOptions().set_page_token("bad")).error().code,
            ErrorCode::kMalformed);
  EXPECT_EQ(client.list_delayed("a b").error().code, ErrorCode::kInvalidName);

  const std::vector<MessageId> ids = {MessageId(1, 2, 3), MessageId(1, 2, 4)};
  const auto cancelled = client.cancel_delayed("jobs", ids);
  ASSERT_TRUE(cancelled);
  ASSERT_EQ(cancelled->size(), 2U);
  EXPECT_TRUE((*cancelled)[0]);
  EXPECT_EQ((*cancelled)[1].error().code, ErrorCode::kMessageNotFound);
  EXPECT_EQ(asked().cancel_delayed().message_ids(0), ids[0].to_string());
  EXPECT_TRUE(client.async_cancel_delayed("jobs", {}).get(seconds(20))->empty());
  EXPECT_EQ(client.cancel_delayed("a b", ids).error().code, ErrorCode::kInvalidName);
  EXPECT_EQ(client.cancel_delayed("jobs", std::vector<MessageId>(1'001)).error().code,
            ErrorCode::kInvalidArgument);

  const std::vector<MessageId> one = {ids[0]};
  EXPECT_TRUE(client.reschedule_delayed("jobs", one, seconds(7))->at(0));
  EXPECT_EQ(asked().reschedule_delayed().delay_ms(), 7000U);
  EXPECT_TRUE(client.async_reschedule_delayed("jobs", one, seconds(0)).get(seconds(20)));
  EXPECT_EQ(client.reschedule_delayed("jobs", ids, seconds(7)).error().code, ErrorCode::kMalformed)
      << "one outcome for two";
  EXPECT_EQ(client.reschedule_delayed("jobs", one, seconds(-1)).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(AdminTest, Deletes) {
  Client client = connect();
  EXPECT_EQ(client.delete_queue("jobs")->name, "jobs");
  EXPECT_FALSE(asked().delete_queue().force());
  ASSERT_TRUE(client.async_delete_queue("jobs", DeleteOptions().set_force(true)).get(seconds(20)));
  EXPECT_TRUE(asked().delete_queue().force());
  EXPECT_EQ(client.delete_topic("log")->name, "log");
  EXPECT_EQ(client.async_delete_topic("log").get(seconds(20))->name, "log");
  EXPECT_EQ(client.delete_queue("a b").error().code, ErrorCode::kInvalidName);
  EXPECT_EQ(client.delete_topic("..").error().code, ErrorCode::kInvalidName);
}

TEST_F(AdminTest, AdministersNamespacesAndConnections) {
  Client client = connect();
  EXPECT_TRUE(client.create_namespace("billing")->created);
  EXPECT_EQ(client.describe_namespace("billing")->queues, 2U);
  EXPECT_EQ(client.async_delete_namespace("billing").get(seconds(20))->name, "billing");
  EXPECT_EQ(client.create_namespace("No").error().code, ErrorCode::kInvalidName);
  EXPECT_EQ(client.list_namespaces({})->namespaces.at(0).topics, 3U);
  EXPECT_EQ(client.list_clients(ListOptions().set_pattern("c*"))->clients.at(0).service,
            "checkout");
  EXPECT_EQ(asked().list_clients().page().pattern(), "c*");
  EXPECT_EQ(client.kick_client(17)->session, 17U);
}

TEST_F(AdminTest, HasTheConfigFileReadAgain) {
  Client client = connect();
  const Result<ConfigReload> reload = client.reload_config();
  ASSERT_TRUE(reload.has_value()) << reload.error().to_string();
  EXPECT_EQ(reload->file, "weir.toml");
  EXPECT_EQ(reload->taken.at(0).setting, "drain_ms");
  EXPECT_EQ(reload->taken.at(0).before, "5");
  EXPECT_EQ(reload->taken.at(0).after, "6");
  EXPECT_EQ(reload->left.at(0).setting, "listen");
  EXPECT_EQ(reload->unchanged, std::vector<std::string>{"http"});
  EXPECT_TRUE(asked().has_reload_config());
  EXPECT_EQ(client.async_reload_config().get(seconds(20))->file, "weir.toml");
}

TEST_F(AdminTest, LooksAtMessages) {
  Client client = connect();
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer& peer, const v1::Request& request) {
      v1::Response response;
      response.set_id(request.id());
      v1::PeekedMessage& message = *response.mutable_peeked()->add_messages();
      message.set_base_offset(10);
      message.set_index(2);
      message.set_state(v1::MESSAGE_STATE_PARKED);
      message.set_base_timestamp(1'000);
      message.set_record(FakeBroker::records({"hello"}));
      response.mutable_peeked()->set_next_offset(13);
      peer.write(proto::FrameType::kResponse, response);
      return FakeBroker::Answer::kNothing;
    };
  });
  PeekOptions options;
  options.set_state(MessageState::kParked).set_from_offset(5).set_max_messages(7);
  const Result<PeekPage> page = client.peek_queue("jobs", options);
  ASSERT_TRUE(page.has_value()) << page.error().to_string();
  ASSERT_EQ(page->messages.size(), 1U);
  EXPECT_EQ(page->messages[0].offset, 12);
  EXPECT_EQ(page->messages[0].value, "hello");
  EXPECT_EQ(name(page->messages[0].state), "parked");
  EXPECT_EQ(page->next_offset, 13);
  EXPECT_FALSE(page->is_end);
  EXPECT_EQ(asked().peek_queue().from_offset(), 5);
  EXPECT_EQ(asked().peek_queue().max_messages(), 7U);
  EXPECT_EQ(client.peek_queue("a b", options).error().code, ErrorCode::kInvalidName);
}

TEST_F(AdminTest, RefusesAMessageThatCannotBeRead) {
  Client client = connect();
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer& peer, const v1::Request& request) {
      v1::Response response;
      response.set_id(request.id());
      response.mutable_peeked()->add_messages()->set_record("nonsense");
      peer.write(proto::FrameType::kResponse, response);
      return FakeBroker::Answer::kNothing;
    };
  });
  EXPECT_EQ(client.peek_queue("jobs", {}).error().code, ErrorCode::kMalformed);
}

TEST_F(AdminTest, MissesAListThatIsNotInTheAnswer) {
  Client client = connect();
  broker_.with([&] {
    broker_.on_request = [](FakeBroker::Peer& peer, const v1::Request& request) {
      v1::Response response;
      response.set_id(request.id());
      response.mutable_done();
      peer.write(proto::FrameType::kResponse, response);
      return FakeBroker::Answer::kNothing;
    };
  });
  EXPECT_EQ(client.list_queues({}).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.list_topics({}).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.list_namespaces({}).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.list_clients({}).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.kick_client(1).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.reload_config().error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.create_namespace("a").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.peek_queue("a", {}).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(client.update_queue("a", {}).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace weir::sdk
