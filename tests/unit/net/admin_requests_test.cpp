#include "broker/net/messages.hpp"
#include "tests/unit/net/session_fixture.hpp"

#include <gtest/gtest.h>

#include <variant>

// Requests that administer, from the wire to the shard and back.
namespace weir::net {
namespace {

using proto::Errc;
using weir::v1::Request;

template <class T>
T command_of(const Request& request) {
  return std::get<T>(to_core(request, "billing", core::Uuid{}, 1).value());
}

TEST(AdminRequests, AreMeantForTheNamespaceOfTheConnection) {
  Request request;
  request.mutable_purge_queue()->set_name("work");
  EXPECT_EQ(command_of<core::PurgeQueue>(request).name_space, "billing");
  EXPECT_EQ(command_of<core::PurgeQueue>(request).name, "work");
  request.mutable_delete_queue()->set_name("work");
  request.mutable_delete_queue()->set_force(true);
  EXPECT_EQ(command_of<core::DeleteQueue>(request).name_space, "billing");
  EXPECT_TRUE(command_of<core::DeleteQueue>(request).force);
  request.mutable_delete_topic()->set_name("news");
  EXPECT_EQ(command_of<core::DeleteTopic>(request).name, "news");
  request.mutable_list_topics();
  EXPECT_EQ(command_of<core::ListTopics>(request).name_space, "billing");
  request.mutable_list_queues()->mutable_page()->set_page_token("m");
  EXPECT_EQ(command_of<core::ListQueues>(request).page.after, "m");
}

TEST(AdminRequests, HaveAllOfARedriveThereAndBack) {
  Request request;
  weir::v1::StartRedrive& asked = *request.mutable_start_redrive();
  asked.set_name("failed");
  asked.set_target("work");
  asked.set_parked(true);
  asked.set_dry_run(true);
  asked.set_max_messages(UINT64_MAX);
  asked.set_rate(7);
  asked.mutable_filter()->set_reason("poison");
  asked.mutable_filter()->set_header("tenant");
  asked.mutable_filter()->set_header_value("\xff");
  asked.mutable_filter()->set_key("k");
  asked.mutable_filter()->set_died_after(8);
  asked.mutable_filter()->set_died_before(9);
  asked.mutable_filter()->set_message_id("an id");
  asked.set_drop(true);
  asked.set_keep_attempts(true);
  asked.add_set_headers()->set_name("tenant");
  asked.mutable_set_headers(0)->set_value("\xff");
  asked.add_remove_headers("trace");
  const auto command = command_of<core::StartRedrive>(request);
  EXPECT_EQ(command.name_space, "billing");
  core::RedriveInfo info;
  info.name = command.name;
  info.target = command.target;
  info.redrive.parked = command.parked;
  info.redrive.dry_run = command.dry_run;
  info.redrive.max_messages = command.max_messages;
  info.redrive.rate = command.rate;
  info.redrive.filter = command.filter;
  info.redrive.drop = command.drop;
  info.redrive.keep_attempts = command.keep_attempts;
  info.redrive.headers = command.headers;
  info.redrive.moved = 10;
  info.redrive.skipped = 11;
  info.redrive.position = 12;
  info.redrive.end = 13;
  info.redrive.begun_time = 14;
  info.redrive.ended_time = 15;
  info.redrive.state = core::RedriveState::kFailed;
  info.redrive.why = "because";
  const weir::v1::Response response = to_wire(3, core::Reply{core::RedriveList{{info}, "next"}}, 0);
  EXPECT_EQ(response.redrive_list().next_page_token(), "next");
  const weir::v1::RedriveInfo& told = response.redrive_list().redrives(0);
  EXPECT_EQ(told.name(), "failed");
  EXPECT_EQ(told.target(), "work");
  EXPECT_TRUE(told.parked() && told.dry_run());
  EXPECT_EQ(told.max_messages(), UINT64_MAX);
  EXPECT_EQ(told.rate(), 7U);
  EXPECT_EQ(told.filter().SerializeAsString(), asked.filter().SerializeAsString());
  EXPECT_TRUE(told.drop() && told.keep_attempts());
  EXPECT_EQ(told.set_headers(0).SerializeAsString(), asked.set_headers(0).SerializeAsString());
  EXPECT_EQ(told.remove_headers(0), "trace");
  EXPECT_EQ(told.moved(), 10U);
  EXPECT_EQ(told.skipped(), 11U);
  EXPECT_EQ(told.position(), 12);
  EXPECT_EQ(told.end(), 13);
  EXPECT_EQ(told.begun_time(), 14);
  EXPECT_EQ(told.ended_time(), 15);
  EXPECT_EQ(told.state(), weir::v1::REDRIVE_STATE_FAILED);
  EXPECT_EQ(told.why(), "because");
  request.mutable_cancel_redrive()->set_name("failed");
  EXPECT_EQ(command_of<core::CancelRedrive>(request).name_space, "billing");
  EXPECT_EQ(command_of<core::CancelRedrive>(request).name, "failed");
  request.mutable_list_redrives()->mutable_page()->set_page_token("m");
  EXPECT_EQ(command_of<core::ListRedrives>(request).name_space, "billing");
  EXPECT_EQ(command_of<core::ListRedrives>(request).page.after, "m");
}

TEST(AdminRequests, TellWhatIsNotSetFromWhatIsEmpty) {
  Request request;
  request.mutable_update_queue()->set_name("work");
  core::UpdateQueue update = command_of<core::UpdateQueue>(request);
  EXPECT_FALSE(update.changes.lease_ms || update.changes.max_receive_count ||
               update.changes.dead_letter_queue || update.changes.receives_paused ||
               update.changes.sends_paused || update.dry_run);
  request.mutable_update_queue()->set_lease_ms(UINT64_MAX);
  request.mutable_update_queue()->set_dead_letter_queue("");
  request.mutable_update_queue()->set_receives_paused(false);
  update = command_of<core::UpdateQueue>(request);
  EXPECT_EQ(update.changes.lease_ms, INT64_MAX) << "too long, and not negative";
  EXPECT_FALSE(update.changes.max_messages || update.changes.max_in_flight);
  EXPECT_EQ(update.changes.dead_letter_queue, "");
  EXPECT_EQ(update.changes.receives_paused, false);
}

// Every number goes by its name: the messages have a field for each.
TEST(AdminRequests, HaveEverySettingOfAQueueThereAndBack) {
  core::QueueInfo info;
  std::int64_t value = 10;
  for (const core::NumericSetting& setting : core::kNumericSettings) {
    info.settings.*setting.value = ++value;
  }
  info.settings.max_messages = 1'000'000'000'000;
  info.settings.dead_letter_queue = "dead";
  const auto response = to_wire(1, core::Reply{info}, 0);
  EXPECT_EQ(response.queue().settings().lease_ms(), 11U);
  EXPECT_EQ(response.queue().settings().max_messages(), 1'000'000'000'000U);
  Request request;
  *request.mutable_create_queue()->mutable_settings() = response.queue().settings();
  const auto created = command_of<core::CreateQueue>(request);
  EXPECT_EQ(core::difference(info.settings, created.settings), "");
  request.mutable_update_queue()->set_max_messages(0);
  request.mutable_update_queue()->set_max_in_flight(3);
  const auto update = command_of<core::UpdateQueue>(request);
  EXPECT_EQ(update.changes.max_messages, 0) << "set, though it is 0";
  EXPECT_EQ(update.changes.max_in_flight, 3);
  EXPECT_FALSE(update.changes.max_bytes || update.changes.max_message_bytes);
}

TEST(AdminRequests, RefuseAStateThatIsNotKnown) {
  Request request;
  request.mutable_peek_queue()->set_state(static_cast<weir::v1::MessageState>(6));
  EXPECT_EQ(to_core(request, "billing", core::Uuid{}, 1).error().code, Errc::kUnsupported);
  request.mutable_peek_queue()->set_state(weir::v1::MESSAGE_STATE_PARKED);
  EXPECT_EQ(command_of<core::PeekQueue>(request).state, core::MessageState::kParked);
}

TEST(AdminRequests, SayWhoTheClientIs) {
  Session session;
  ASSERT_TRUE(session.hello(1, 1, "billing"));
  EXPECT_EQ(session.outlet.name_spaces, std::vector<std::string>{"billing"});
}

TEST(AdminReplies, HoldEveryField) {
  core::ClientInfo client{
      proto::SessionId(7), {"shop", "weir-cpp/1", "1.2.3.4:5", "default", 99}, 2, 3};
  const auto response = to_wire(1, core::Reply{core::ClientList{{client}, "7"}}, 0);
  const weir::v1::ClientInfo& wire = response.client_list().clients(0);
  EXPECT_EQ(wire.session(), 7U);
  EXPECT_EQ(wire.service(), "shop");
  EXPECT_EQ(wire.client(), "weir-cpp/1");
  EXPECT_EQ(wire.address(), "1.2.3.4:5");
  EXPECT_EQ(wire.namespace_(), "default");
  EXPECT_EQ(wire.since(), 99);
  EXPECT_EQ(wire.subscriptions(), 2U);
  EXPECT_EQ(wire.in_flight(), 3U);
  EXPECT_EQ(response.client_list().next_page_token(), "7");
  core::QueueUpdate update;
  update.queue.pause = {true, false};
  update.changes = {{"lease_ms", "1", "2"}};
  const auto updated = to_wire(1, core::Reply{update}, 0);
  EXPECT_TRUE(updated.queue_update().queue().receives_paused());
  EXPECT_FALSE(updated.queue_update().queue().sends_paused());
  EXPECT_EQ(updated.queue_update().changes(0).after(), "2");
  core::Peeked peeked;
  peeked.messages.push_back({10,
                             2,
                             core::MessageState::kDelayed,
                             4,
                             3,
                             5,
                             6,
                             7,
                             proto::SharedBytes(std::string("record")),
                             "an id",
                             "worker",
                             8,
                             {{1, 9, core::ReturnCause::kFailed, "one", "because"}}});
  peeked.next_offset = 13;
  const auto looked = to_wire(1, core::Reply{peeked}, 0);
  const weir::v1::PeekedMessage& message = looked.peeked().messages(0);
  EXPECT_EQ(message.base_offset(), 10);
  EXPECT_EQ(message.index(), 2U);
  EXPECT_EQ(message.message_id(), "an id");
  EXPECT_EQ(message.consumer(), "worker");
  EXPECT_EQ(message.leased_time(), 8);
  EXPECT_EQ(message.history(0).number(), 1U);
  EXPECT_EQ(message.history(0).time(), 9);
  EXPECT_EQ(message.history(0).outcome(), "failed");
  EXPECT_EQ(message.history(0).consumer(), "one");
  EXPECT_EQ(message.history(0).reason(), "because");
  EXPECT_EQ(message.state(), weir::v1::MESSAGE_STATE_DELAYED);
  EXPECT_EQ(message.attempts(), 4U);
  EXPECT_EQ(message.failures(), 3U);
  EXPECT_EQ(message.due_time(), 5);
  EXPECT_EQ(message.append_time(), 6);
  EXPECT_EQ(message.base_timestamp(), 7);
  EXPECT_EQ(message.record(), "record");
  EXPECT_EQ(looked.peeked().next_offset(), 13);
  EXPECT_FALSE(looked.peeked().is_end());
}

TEST(AdminRequests, HaveTheConfigFileReadAgain) {
  Session session;
  session.open();
  session.outlet.reload = ConfigReload{.file = "weir.toml",
                                       .taken = {{"drain_ms", "5", "6"}},
                                       .left = {{"data_dir", "here", "there"}},
                                       .unchanged = {"listen", "http"}};
  Request request;
  request.set_id(9);
  request.mutable_reload_config();
  ASSERT_TRUE(session.ask(request));
  const auto response = session.response();
  EXPECT_EQ(response.id(), 9U);
  EXPECT_FALSE(response.has_error());
  const weir::v1::ConfigReload& reload = response.config_reload();
  EXPECT_EQ(reload.file(), "weir.toml");
  EXPECT_EQ(reload.taken(0).setting(), "drain_ms");
  EXPECT_EQ(reload.taken(0).before(), "5");
  EXPECT_EQ(reload.taken(0).after(), "6");
  EXPECT_EQ(reload.left(0).setting(), "data_dir");
  EXPECT_EQ(reload.left(0).after(), "there");
  EXPECT_EQ(reload.unchanged(1), "http");
  EXPECT_TRUE(session.outlet.requests.empty()) << "the shard knows nothing of it";
  EXPECT_TRUE(session.machine.is_quiet());
}

TEST(AdminRequests, SayWhyAConfigFileIsRefused) {
  Session session;
  session.open();
  session.outlet.reload = proto::fail(Errc::kInvalidArgument, "drain_ms: it is a number");
  Request request;
  request.set_id(9);
  request.mutable_reload_config();
  ASSERT_TRUE(session.ask(request));
  const auto response = session.response();
  EXPECT_EQ(response.error().code(), static_cast<std::uint32_t>(Errc::kInvalidArgument));
  EXPECT_EQ(response.error().message(), "drain_ms: it is a number");
  EXPECT_EQ(session.outlet.refused.at(0), (std::pair{std::uint64_t{9}, Errc::kInvalidArgument}));
  EXPECT_EQ(to_core(request, "billing", core::Uuid{}, 1).error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace weir::net
