#include "broker/core/queue/queue.hpp"
#include "proto/assert.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/frame/frames.hpp"
#include "proto/handle.hpp"
#include "proto/names.hpp"
#include "proto/wire_message.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/session_peer.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A broker without sockets and clock - session machines, a shard, the store in memory - and a few
// peers that say what the input makes of the protocol, in and out of phase.
namespace weir::fuzz {
namespace {

using proto::FrameType;

constexpr std::array<const char*, 7> kNames = {"q0",     "q1", "t0", "", "weir.x", "no such thing",
                                               "q2.fifo"};
constexpr std::array<std::uint32_t, 8> kNumbers = {0, 1, 2, 3, 100, 30'000, 0x7fffffff, 0xffffffff};
constexpr std::array<std::uint16_t, 6> kPauses = {0, 1, 999, 5'000, 31'000, 65'535};
constexpr int kStepsMax = 200;

class Play {
 public:
  explicit Play(Input& input) : input_(input) {
    for (auto& peer : peers_) {
      peer = std::make_unique<SessionPeer>(rig_, heard_, mono_);
    }
  }

  void run() {
    for (int step = 0; step < kStepsMax && !input_.empty(); ++step) {
      act();
    }
    for (const auto& peer : peers_) {
      peer->read(SIZE_MAX);
    }
    check_served();
  }

 private:
  void reconnect() {
    sends_[at_] = settles_[at_] = 0;
    peers_[at_] = std::make_unique<SessionPeer>(rig_, heard_, mono_);
  }

  void act() {
    std::unique_ptr<SessionPeer>& peer = peers_[at_];
    switch (input_.below(16)) {
      case 0:
        at_ = input_.below(peers_.size());
        break;
      case 1:
        reconnect();
        break;
      case 2:
        peer->give(input_.piece(), mono_);
        break;
      case 3:
        give(static_cast<FrameType>(input_.byte()), input_.piece());
        break;
      case 4:
        hello();
        break;
      case 5:
      case 6:
      case 7:
        request();
        break;
      case 8:
      case 9:
        send();
        break;
      case 10:
      case 11:
        settle();
        break;
      case 12:
        credit();
        break;
      case 13:
        peer->read(input_.flag() ? SIZE_MAX : input_.byte());
        break;
      case 14:
        wait();
        break;
      default:
        shard_steps();
        break;
    }
  }

  void give(FrameType type, std::string_view body) {
    std::string frame;
    proto::encode_frame(type, body, frame);
    peers_[at_]->give(frame, mono_);
  }

  void hello() {
    weir::v1::Hello hello;
    const bool is_usual = input_.flag();
    hello.set_protocol_min(is_usual ? 1 : input_.pick(kNumbers));
    hello.set_protocol_max(is_usual ? 1 : input_.pick(kNumbers));
    hello.set_namespace_(is_usual ? "" : proto::printable(input_.piece()));
    give(FrameType::kHello, hello.SerializeAsString());
  }

  void request() {
    weir::v1::Request request;
    request.set_id(input_.flag() ? ++requests_ : input_.pick(kNumbers));
    request.set_deadline_ms(input_.flag() ? 0 : input_.pick(kNumbers));
    fill(request);
    give(FrameType::kRequest, request.SerializeAsString());
  }

  void fill(weir::v1::Request& request) {
    const std::string name = input_.pick(kNames);
    switch (input_.below(16)) {
      case 0: {
        weir::v1::CreateQueue& create = *request.mutable_create_queue();
        create.set_name(name);
        if (input_.flag()) {
          create.mutable_settings()->set_lease_ms(input_.pick(kNumbers));
          create.mutable_settings()->set_max_receive_count(input_.pick(kNumbers));
          create.mutable_settings()->set_dead_letter_queue(input_.pick(kNames));
        }
        break;
      }
      case 1:
        request.mutable_create_topic()->set_name(name);
        request.mutable_create_topic()->mutable_settings()->set_partitions(input_.pick(kNumbers));
        break;
      case 2:
        request.mutable_describe_queue()->set_name(name);
        break;
      case 3:
        request.mutable_describe_topic()->set_name(name);
        break;
      case 4:
        request.mutable_init_producer()->set_previous_id(input_.pick(kNumbers));
        request.mutable_init_producer()->set_previous_epoch(input_.pick(kNumbers));
        break;
      case 5:
        input_.flag() ? request.mutable_attach()->set_queue(name)
                      : request.mutable_attach()->set_topic(name);
        break;
      case 6: {
        weir::v1::Subscribe& subscribe = *request.mutable_subscribe();
        subscribe.set_queue(name);
        subscribe.set_lease_ms(input_.pick(kNumbers));
        subscribe.set_window_messages(input_.pick(kNumbers));
        subscribe.set_window_bytes(input_.pick(kNumbers));
        break;
      }
      case 7: {
        weir::v1::SubscribeTopic& subscribe = *request.mutable_subscribe_topic();
        subscribe.set_topic(name);
        subscribe.set_window_messages(input_.pick(kNumbers));
        subscribe.set_window_bytes(input_.pick(kNumbers));
        position(*subscribe.mutable_from());
        if (input_.flag()) {
          subscribe.add_partitions()->set_partition(input_.pick(kNumbers));
          position(*subscribe.mutable_partitions(0)->mutable_from());
        }
        break;
      }
      case 8:
        request.mutable_unsubscribe()->set_alias(input_.pick(kNumbers));
        break;
      case 9: {
        weir::v1::Receive& receive = *request.mutable_receive();
        receive.set_queue(name);
        receive.set_max_messages(input_.pick(kNumbers));
        receive.set_wait_ms(input_.pick(kNumbers));
        receive.set_lease_ms(input_.pick(kNumbers));
        receive.set_max_bytes(input_.pick(kNumbers));
        break;
      }
      case 10:
        settle_by_handle(*request.mutable_settle_by_handle(), name);
        break;
      case 11: {
        weir::v1::ListOffsets& list = *request.mutable_list_offsets();
        list.set_topic(name);
        list.add_partitions()->set_partition(input_.pick(kNumbers));
        position(*list.mutable_partitions(0)->mutable_from());
        break;
      }
      case 12:
        request.mutable_read_backup()->set_backup(input_.flag() ? 0 : input_.pick(kNumbers));
        request.mutable_read_backup()->set_block(input_.flag() ? 0 : input_.pick(kNumbers));
        break;
      case 13:
        administer(request, name);
        break;
      case 14:
        look(request, name);
        break;
      default:
        if (input_.flag()) {
          settle_many(request, name);
        }
        break;  // else no method at all
    }
  }

  void administer(weir::v1::Request& request, const std::string& name) {
    switch (input_.below(8)) {
      case 0: {
        weir::v1::UpdateQueue& update = *request.mutable_update_queue();
        update.set_name(name);
        if (input_.flag()) {
          update.set_lease_ms(input_.pick(kNumbers));
          update.set_max_receive_count(input_.pick(kNumbers));
          update.set_dead_letter_queue(input_.pick(kNames));
        }
        update.set_receives_paused(input_.flag());
        update.set_sends_paused(input_.flag());
        update.set_dry_run(input_.flag());
        break;
      }
      case 1:
        request.mutable_purge_queue()->set_name(name);
        break;
      case 2:
        request.mutable_delete_queue()->set_name(name);
        request.mutable_delete_queue()->set_force(input_.flag());
        break;
      case 3:
        request.mutable_delete_topic()->set_name(name);
        break;
      case 4:
        request.mutable_create_namespace()->set_name(name);
        break;
      case 5:
        request.mutable_delete_namespace()->set_name(name);
        break;
      case 6:
        request.mutable_reload_config();
        break;
      default:
        request.mutable_kick_client()->set_session(input_.pick(kNumbers));
        break;
    }
  }

  void look(weir::v1::Request& request, const std::string& name) {
    const auto fill_page = [this](weir::v1::ListPage& page) {
      page.set_pattern(input_.flag() ? "q*" : proto::printable(input_.piece()));
      page.set_page_token(proto::printable(input_.piece()));
      page.set_max_results(input_.pick(kNumbers));
    };
    switch (input_.below(10)) {
      case 0:
        fill_page(*request.mutable_list_queues()->mutable_page());
        break;
      case 1:
        fill_page(*request.mutable_list_topics()->mutable_page());
        break;
      case 2:
        fill_page(*request.mutable_list_namespaces()->mutable_page());
        break;
      case 3:
        fill_page(*request.mutable_list_clients()->mutable_page());
        break;
      case 4:
        request.mutable_describe_namespace()->set_name(name);
        break;
      case 5:
        fill_page(*request.mutable_list_redrives()->mutable_page());
        break;
      case 6:
        redrive(request, name);
        break;
      case 7:
        request.mutable_list_delayed()->set_queue(name);
        request.mutable_list_delayed()->set_page_token(proto::printable(input_.piece()));
        request.mutable_list_delayed()->set_max_messages(input_.pick(kNumbers));
        break;
      case 8:
        change_delayed(request, name);
        break;
      default: {
        weir::v1::PeekQueue& peek = *request.mutable_peek_queue();
        peek.set_queue(name);
        peek.set_state(static_cast<weir::v1::MessageState>(input_.below(7)));
        peek.set_from_offset(input_.number<std::int8_t>());
        peek.set_max_messages(input_.pick(kNumbers));
        break;
      }
    }
  }

  void change_delayed(weir::v1::Request& request, const std::string& name) {
    // The lane of the first queues, and anything else.
    const auto fill = [&](auto& change) {
      change.set_queue(name);
      for (std::size_t i = input_.below(4); i > 0; --i) {
        change.add_message_ids(
            input_.flag() ? proto::message_id(1, static_cast<std::uint32_t>(input_.below(4)),
                                              core::Queue::DelayLane::kFirstOffset +
                                                  static_cast<proto::Offset>(input_.below(8)))
                          : proto::printable(input_.piece()));
      }
    };
    if (input_.flag()) {
      fill(*request.mutable_cancel_delayed());
      return;
    }
    fill(*request.mutable_reschedule_delayed());
    request.mutable_reschedule_delayed()->set_delay_ms(input_.pick(kNumbers));
  }

  void redrive(weir::v1::Request& request, const std::string& name) {
    if (input_.below(4) == 0) {
      request.mutable_cancel_redrive()->set_name(name);
      return;
    }
    weir::v1::StartRedrive& start = *request.mutable_start_redrive();
    start.set_name(name);
    start.set_target(input_.flag() ? "" : input_.pick(kNames));
    start.set_parked(input_.below(3) == 0);
    start.set_dry_run(input_.below(4) == 0);
    start.set_max_messages(input_.pick(kNumbers));
    start.set_rate(input_.flag() ? 0 : input_.pick(kNumbers));
    if (input_.flag()) {
      weir::v1::MessageFilter& filter = *start.mutable_filter();
      filter.set_reason(input_.flag() ? "poison" : proto::printable(input_.piece()));
      filter.set_header(input_.flag() ? "weir.dead-from" : proto::printable(input_.piece()));
      filter.set_header_value(std::string(input_.piece()));
      filter.set_key(std::string(input_.piece()));
      filter.set_died_after(input_.number<std::int64_t>());
      filter.set_died_before(input_.number<std::int64_t>());
      if (input_.flag()) {
        filter.set_message_id(input_.flag() ? "00000001-0000-0000-0001-000000000000"
                                            : proto::printable(input_.piece()));
      }
    }
    start.set_drop(input_.below(4) == 0);
    start.set_keep_attempts(input_.below(4) == 0);
    if (input_.below(4) == 0) {
      weir::v1::HeaderToSet& header = *start.add_set_headers();
      header.set_name(proto::printable(input_.piece()));
      header.set_value(std::string(input_.piece()));
      start.add_remove_headers(proto::printable(input_.piece()));
    }
  }

  void position(weir::v1::StartPosition& position) {
    switch (input_.below(5)) {
      case 0:
        position.set_start(true);
        break;
      case 1:
        position.set_end(true);
        break;
      case 2:
        position.set_offset(input_.number<std::int8_t>());
        break;
      case 3:
        position.set_time_ms(static_cast<std::int64_t>(input_.number<std::uint64_t>()));
        break;
      default:
        break;
    }
  }

  void settle_many(weir::v1::Request& request, const std::string& name) {
    weir::v1::SettleManyByHandle& many = *request.mutable_settle_many_by_handle();
    for (std::size_t entries = input_.below(5); entries > 0; --entries) {
      settle_by_handle(*many.add_entries(), name);
    }
  }

  void settle_by_handle(weir::v1::SettleByHandle& settle, const std::string& name) {
    std::string handle(heard_.handles.empty()
                           ? proto::printable(input_.piece())
                           : heard_.handles[input_.byte() % heard_.handles.size()]);
    if (!handle.empty() && input_.flag()) {
      handle[input_.byte() % handle.size()] = static_cast<char>(input_.byte());
    }
    settle.set_handle(handle);
    settle.set_action(static_cast<weir::v1::SettleAction>(input_.below(7)));
    settle.set_value_ms(input_.pick(kNumbers));
    settle.set_queue(input_.flag() ? name : "");
  }

  void send() {
    std::string batch(input_.flag() ? std::string(input_.piece()) : make_batch());
    std::string frame;
    proto::encode(proto::Send{.alias = alias(),
                              .partition = input_.flag() ? 0 : input_.pick(kNumbers),
                              .send_number = input_.flag() ? ++sends_[at_] : input_.pick(kNumbers),
                              .deadline_ms = input_.flag() ? 0 : input_.pick(kNumbers),
                              .batch = batch},
                  frame);
    peers_[at_]->give(frame, mono_);
  }

  std::string make_batch() {
    proto::BatchBuilder builder;
    const std::size_t count = 1 + input_.below(4);
    const std::string value(std::size_t{1} << input_.below(12), 'v');
    // Headers that mean something, good and bad ones, in some batches.
    constexpr std::array<std::string_view, 6> kMeant = {
        proto::kHeaderDelay,    proto::kHeaderTtl,
        proto::kHeaderDeadline, "plain",
        proto::kHeaderGroup,    proto::kHeaderDeduplicationId};
    const std::size_t meant = input_.below(4) == 0 ? 1 + input_.below(2) : 0;
    for (std::size_t i = 0; i < count; ++i) {
      proto::RecordInput record;
      record.value = value;
      std::array<std::string, 2> values;
      std::vector<proto::Header> headers;
      for (std::size_t j = 0; j < meant; ++j) {
        values[j] = std::to_string(input_.pick(kNumbers));
        headers.push_back({input_.pick(kMeant), values[j]});
      }
      record.headers = headers;
      record.timestamp = shard::test::kNow;
      builder.add(record);
    }
    proto::BatchBuilder::Producer producer;
    if (input_.flag()) {
      producer = {.id = static_cast<std::int64_t>(input_.pick(kNumbers)),
                  .epoch = input_.number<std::int16_t>(),
                  .base_sequence = static_cast<std::int32_t>(input_.pick(kNumbers))};
    }
    return builder.finish(producer, proto::Compression::kNone);
  }

  void settle() {
    proto::Settle settle;
    settle.settle_number = input_.flag() ? ++settles_[at_] : input_.pick(kNumbers);
    settle.alias = alias();
    for (std::size_t count = input_.below(4); count > 0; --count) {
      proto::SettleRange range;
      if (!heard_.ranges.empty()) {
        range = heard_.ranges[input_.byte() % heard_.ranges.size()];
      }
      range.kind = static_cast<proto::SettleKind>(1 + input_.below(5));
      range.value = input_.pick(kNumbers);
      alter(range);
      settle.ranges.push_back(range);
    }
    std::string frame;
    proto::encode(settle, frame);
    peers_[at_]->give(frame, mono_);
  }

  // Mostly not: then the range is one that some peer was really given.
  void alter(proto::SettleRange& range) {
    switch (input_.below(10)) {
      case 0:
        range.grant = proto::GrantId(input_.pick(kNumbers));
        break;
      case 1:
        range.nonce ^= 1;
        break;
      case 2:
        range.base_offset = static_cast<std::int8_t>(input_.byte());
        break;
      case 3:
        range.first_index = input_.pick(kNumbers);
        break;
      case 4:
        range.count = input_.pick(kNumbers);
        break;
      default:
        break;
    }
  }

  void credit() {
    std::string frame;
    proto::encode(proto::Credit{.alias = alias(),
                                .window_messages = input_.pick(kNumbers),
                                .window_bytes = input_.pick(kNumbers),
                                .consumed_messages = input_.pick(kNumbers),
                                .consumed_bytes = input_.pick(kNumbers)},
                  frame);
    peers_[at_]->give(frame, mono_);
  }

  std::uint32_t alias() { return static_cast<std::uint32_t>(input_.below(6)); }

  void wait() {
    const std::uint16_t pause = input_.pick(kPauses);
    mono_ += pause;
    rig_.now += pause;
    rig_.shard.on_timer();
    for (const auto& peer : peers_) {
      peer->tick(mono_);
    }
  }

  // The disk and the loader get on by as much as the input lets them.
  void shard_steps() {
    switch (input_.below(4)) {
      case 0:
        rig_.run();
        break;
      case 1:
        rig_.run();
        if (const auto index = rig_.log.commit_one()) {
          rig_.shard.on_committed(*index);
        }
        break;
      case 2:
        rig_.load_one();
        break;
      default:
        rig_.settle_down();
        break;
    }
  }

  // Whatever was said before: a peer that keeps to the protocol is served.
  void check_served() {
    rig_.settle_down();  // or it is ended for what was asked before it came
    reconnect();
    hello_and_describe();
    rig_.settle_down();
    SessionPeer& peer = *peers_[at_];
    peer.read(SIZE_MAX);
    WEIR_ASSERT(!peer.is_closed() && peer.response() && peer.response()->id() == 7,
                "a good peer is served beside bad ones");
    WEIR_ASSERT(rig_.failures.empty() && rig_.damages.empty(), "no peer does damage");
  }

  void hello_and_describe() {
    weir::v1::Hello hello;
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    hello.set_namespace_("default");
    give(FrameType::kHello, hello.SerializeAsString());
    weir::v1::Request request;
    request.set_id(7);
    request.mutable_create_queue()->set_name("served");
    give(FrameType::kRequest, request.SerializeAsString());
  }

  Input& input_;
  shard::test::ShardRig rig_;
  Heard heard_;
  net::MonoMs mono_ = 1'000'000;
  std::array<std::unique_ptr<SessionPeer>, 3> peers_;
  std::size_t at_ = 0;
  std::uint64_t requests_ = 1'000;
  std::array<std::uint64_t, 3> sends_{};
  std::array<std::uint64_t, 3> settles_{};
};

}  // namespace

void session(std::string_view bytes) {
  Input input(bytes);
  Play(input).run();
}

}  // namespace weir::fuzz
