#include "broker/core/queue/queue.hpp"
#include "broker/core/record_codec.hpp"
#include "broker/core/row_codec.hpp"
#include "proto/backup_manifest.hpp"
#include "proto/batch/compression.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/frame/frames.hpp"
#include "proto/handle.hpp"
#include "proto/wire_message.hpp"
#include "storage/commit_chain.hpp"
#include "storage/export.hpp"
#include "storage/key_codec.hpp"
#include "storage/memory_store.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// weir-fuzz-seeds DIR: inputs to begin with, made by the real encoders, one folder a target. What a
// fuzzer makes of them and keeps lies in corpus/.
namespace weir::fuzz {
namespace {

class Seeds {
 public:
  explicit Seeds(std::filesystem::path dir) : dir_(std::move(dir)) {}

  /// `how` are the bytes that the target takes off the front.
  void add(std::string_view target, std::string_view how, std::string_view bytes) {
    std::filesystem::create_directories(dir_ / target);
    std::ofstream out(dir_ / target / ("seed-" + std::to_string(++count_)), std::ios::binary);
    out << how << bytes;
  }

 private:
  std::filesystem::path dir_;
  int count_ = 0;
};

std::string a_batch(std::size_t records, proto::Compression compression,
                    std::size_t reserve_front = 0) {
  proto::BatchBuilder builder(reserve_front);
  for (std::size_t i = 0; i < records; ++i) {
    const std::array headers = {proto::Header{"traceparent", "00-1-1-01"},
                                proto::Header{"empty", std::nullopt}};
    proto::RecordInput record;
    record.key = i % 2 == 0 ? std::optional<std::string_view>("key") : std::nullopt;
    record.value = "value value value value value";
    record.headers = headers;
    record.timestamp = 1'700'000'000'000 + static_cast<std::int64_t>(i);
    builder.add(record);
  }
  return builder.finish({.id = 7, .epoch = 1, .base_sequence = 0}, compression);
}

std::string a_stored_batch() {
  std::string stored = a_batch(3, proto::Compression::kNone, proto::kStoredHeaderBytes);
  proto::write_stored_header(stored, {.append_time = 1'700'000'000'000, .prev_last_offset = -1});
  return stored;
}

void add_frames(Seeds& seeds) {
  const std::string batch = a_batch(1, proto::Compression::kNone);
  std::string stream;
  proto::encode(proto::Send{.alias = 1, .send_number = 1, .batch = batch}, stream);
  proto::encode(proto::Sent{.entries = std::vector<proto::SentEntry>(2)}, stream);
  proto::Sent known{.entries = std::vector<proto::SentEntry>(2)};
  known.entries[1].known = {{0, 7}, {3, 9}};
  proto::encode(known, stream);
  proto::Deliver deliver;
  deliver.span = 1;
  deliver.count = 1;
  deliver.records = "records";
  proto::encode(deliver, stream);
  proto::Settle settle;
  settle.ranges.resize(2);
  proto::encode(settle, stream);
  proto::Settled settled;
  settled.failed.resize(2);
  proto::encode(settled, stream);
  proto::encode(proto::Credit{.alias = 2, .window_messages = 10}, stream);
  proto::encode(proto::SendCredit{.window_bytes = 1 << 20}, stream);
  proto::encode(proto::Records{.alias = 3, .bytes = batch}, stream);
  proto::encode_frame(proto::FrameType::kPing, {}, stream);
  for (const char how : {'\x00', '\x04', '\x20', '\xfc'}) {
    seeds.add("frames", std::string_view(&how, 1), stream);
  }
}

void add_batches(Seeds& seeds) {
  using proto::Compression;
  for (const Compression codec : {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    for (const std::size_t records : {std::size_t{1}, std::size_t{3}}) {
      const std::string batch = a_batch(records, codec);
      seeds.add("batch", std::string_view("\0", 1), batch);
      seeds.add("batch", "\x02", batch);
      if (codec != Compression::kNone) {
        const char how = static_cast<char>(static_cast<int>(codec) | (20 << 3));
        seeds.add("decompress", std::string_view(&how, 1),
                  std::string_view(batch).substr(proto::kBatchHeaderBytes));
      }
    }
  }
  seeds.add("batch", "\x01", a_stored_batch());
}

void add_messages(Seeds& seeds) {
  weir::v1::Request request;
  request.set_id(1);
  request.mutable_create_queue()->set_name("work");
  request.mutable_create_queue()->mutable_settings()->set_dead_letter_queue("failed");
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_subscribe_topic()->set_topic("events");
  request.mutable_subscribe_topic()->add_partitions()->mutable_from()->set_offset(7);
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_settle_by_handle()->set_handle(proto::encode_handle({}));
  request.mutable_settle_by_handle()->set_action(weir::v1::SETTLE_ACTION_ACK);
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  for (const auto action : {weir::v1::SETTLE_ACTION_NACK, weir::v1::SETTLE_ACTION_EXTEND}) {
    weir::v1::SettleByHandle& settle = *request.mutable_settle_many_by_handle()->add_entries();
    settle.set_handle(proto::encode_handle({}));
    settle.set_action(action);
    settle.set_value_ms(1000);
  }
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_update_queue()->set_name("work");
  request.mutable_update_queue()->set_dead_letter_queue("failed");
  request.mutable_update_queue()->set_sends_paused(true);
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_peek_queue()->set_state(weir::v1::MESSAGE_STATE_PARKED);
  request.mutable_peek_queue()->set_from_offset(7);
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_kick_client()->set_session(1);
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_reload_config();
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  request.mutable_list_queues()->mutable_page()->set_pattern("a*b?c");
  request.mutable_list_queues()->mutable_page()->set_page_token("aab");
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  weir::v1::StartRedrive& redrive = *request.mutable_start_redrive();
  redrive.set_name("failed");
  redrive.set_rate(10);
  redrive.mutable_filter()->set_reason("poison");
  seeds.add("messages", std::string_view("\0", 1), request.SerializeAsString());
  weir::v1::Response response;
  response.set_id(1);
  *response.mutable_error() = proto::to_wire(proto::make_error(proto::Errc::kQueueNotFound));
  response.mutable_received()->add_grants()->set_records("records");
  seeds.add("messages", "\x01", response.SerializeAsString());
  response.mutable_topic()->add_partitions()->set_high_watermark(5);
  seeds.add("messages", "\x01", response.SerializeAsString());
  weir::v1::PeekedMessage& peeked = *response.mutable_peeked()->add_messages();
  peeked.set_record(std::string_view("\x0c\0\0\0\x01\x00\0", 7).data(), 7);
  seeds.add("messages", "\x01", response.SerializeAsString());
  response.mutable_settled_many()->add_outcomes();
  *response.mutable_settled_many()->add_outcomes()->mutable_error() =
      proto::to_wire(proto::make_error(proto::Errc::kReceiptExpired));
  seeds.add("messages", "\x01", response.SerializeAsString());
  response.mutable_config_reload()->set_file("weir.toml");
  response.mutable_config_reload()->add_taken()->set_setting("drain_ms");
  response.mutable_config_reload()->add_unchanged("listen");
  seeds.add("messages", "\x01", response.SerializeAsString());
  weir::v1::Hello hello;
  hello.set_protocol_max(1);
  hello.set_client("weir-cpp");
  seeds.add("messages", "\x02", hello.SerializeAsString());
  weir::v1::GoAway go_away;
  go_away.mutable_error()->set_code(34);
  go_away.set_draining(true);
  seeds.add("messages", "\x04", go_away.SerializeAsString());
}

core::QueueCreated a_queue() {
  core::QueueCreated queue;
  queue.id = proto::QueueId(9);
  queue.name_space = proto::NamespaceId(1);
  queue.name = "work";
  queue.settings = {.lease_ms = 30'000, .max_receive_count = 10, .dead_letter_queue = "failed"};
  queue.dead_letter_queue = proto::QueueId(3);
  return queue;
}

core::TopicCreated a_topic() {
  core::TopicCreated topic;
  topic.id = proto::TopicId(9);
  topic.name_space = proto::NamespaceId(1);
  topic.name = "events";
  topic.partitions = {proto::PartitionId(10), proto::PartitionId(11)};
  return topic;
}

core::TouchedBatch a_touched_batch() {
  core::TouchedBatch batch(100, 149, 4'000, 1'700'000'000'000);
  core::Run run;
  run.state = core::RunState::kReturned;
  run.attempts = 2;
  run.grant = proto::GrantId(77);
  run.when = 1'700'000'030'000;
  batch.lease(3, 20, run);
  batch.ack(5, 3, [](proto::GrantId /*grant*/, std::uint32_t /*messages*/) {});
  return batch;
}

core::Redrive a_redrive() {
  core::Redrive redrive;
  redrive.source = proto::QueueId(9);
  redrive.generation = 1;
  redrive.target = proto::QueueId(10);
  redrive.filter.key = "k";
  redrive.position = 5;
  redrive.end = 9;
  return redrive;
}

void add_rows(Seeds& seeds) {
  using core::rows::encode;
  seeds.add("rows", std::string_view("\0", 1),
            encode(core::NamespaceCreated{proto::NamespaceId(1), "default"}));
  seeds.add("rows", "\x01", encode(a_queue()));
  seeds.add("rows", "\x02", encode(a_topic()));
  seeds.add("rows", "\x03", encode(core::Queue::Counters()));
  seeds.add("rows", "\x04",
            encode(core::ProducerWindow{.epoch = 1, .batches = {{.count = 3, .base_offset = 7}}}));
  seeds.add("rows", "\x05", encode(core::rows::ProducerHead{.epoch = 1, .used_time = 1}));
  seeds.add("rows", "\x06", encode(core::rows::AllocatorValues{.next_object = 100}));
  core::Partition partition;
  partition.next_offset = 100;
  partition.time_index.last_row_time = 1'700'000'000'000;
  seeds.add("rows", "\x07", encode(partition));
  seeds.add("rows", std::string_view("\x08\x95\0", 3), encode(a_touched_batch(), false));
  seeds.add("rows", "\x09", storage::batch_key(storage::KeyKind::kTouchedBatch, 9, 1, 149));
  seeds.add("rows", "\x0a", storage::encode_commit_point({.index = proto::CommitIndex(5)}));
  seeds.add("rows", "\x0b", encode(a_redrive()));
  core::Redrive ended = a_redrive();
  ended.target = {};
  ended.rate = 10;
  ended.note_moved(3, 1'700'000'000'000);
  ended.finish(core::RedriveState::kFailed, "the queue was purged", 1'700'000'000'001);
  seeds.add("rows", "\x0b", encode(ended));
  seeds.add("rows", "\x0b", encode(core::rows::DelayIndex{1'700'000'060'000, 3}));
}

void add_records(Seeds& seeds) {
  const core::MessageRange range{proto::QueueId(9), 100, 149, 3, 20};
  core::BatchAppended appended;
  appended.log = proto::LogId(9);
  appended.count = 3;
  appended.time = 1'700'000'000'000;
  appended.producer_id = 7;
  appended.producer_epoch = 1;
  appended.base_sequence = 0;
  appended.stored = proto::SharedBytes(a_stored_batch());
  core::Leased leased;
  leased.range = range;
  leased.grant = proto::GrantId(77);
  leased.batch_bytes = 4'000;
  leased.groups.assign(50, 3);
  core::Delayed put_off;
  put_off.queue = proto::QueueId(9);
  put_off.due = 1'700'000'060'000;
  put_off.base_offset = core::Queue::DelayLane::kFirstOffset;
  put_off.count = 3;
  put_off.time = appended.time;
  std::string lane_batch = a_stored_batch();
  proto::poke_offset_and_epoch(std::span(lane_batch).subspan(proto::kStoredHeaderBytes),
                               put_off.base_offset, 0);
  proto::write_stored_header(lane_batch, {proto::StoredKind::kRebuilt, put_off.time, -1});
  put_off.stored = proto::SharedBytes(std::move(lane_batch));
  const std::vector<core::Record> records = {
      core::NamespaceCreated{proto::NamespaceId(1), "default"},
      a_queue(),
      a_topic(),
      core::ProducerStarted{proto::ProducerId(7), 1, 5},
      core::ProducerForgotten{proto::ProducerId(7)},
      appended,
      leased,
      core::Acked{range},
      core::Returned{range, 5, core::ReturnCause::kFailed, 4, "it broke"},
      core::Extended{range, 5},
      core::Started{range},
      core::DeadLettered{range},
      core::PagedOut{proto::QueueId(9), 149},
      core::PagedIn{proto::QueueId(9), a_touched_batch()},
      core::IncarnationRaised{2},
      core::QueueChanged{a_queue()},
      core::QueuePurged{proto::QueueId(9)},
      core::Passed{range, 4'000, 5, 6, 7, {}},
      core::Moved{range},
      core::Unparked{range, 5},
      core::RedriveChanged{a_redrive()},
      put_off,
      core::DelayEnded{put_off.queue, put_off.due, put_off.base_offset + 2, 3, 400},
      core::SequenceTaken{appended.log, 7, 1, 0, 3, put_off.base_offset, 5},
      core::Expired{range, true, 4'000, 5, 6, {}},
      core::Deduplicated{proto::QueueId(9), 4, 3, 5, {{core::DeduplicationId{1, 2}, 7}}},
      core::QueueDeleted{proto::QueueId(9)},
      core::TopicDeleted{proto::TopicId(10)},
      core::NamespaceDeleted{proto::NamespaceId(1)}};
  for (const core::Record& record : records) {
    seeds.add("records", "", core::records::encode(record));
  }
}

void add_transfer(Seeds& seeds) {
  storage::MemoryStore store;
  storage::WriteBatch rows;
  rows.put(storage::Family::kState, storage::object_key(storage::KeyKind::kQueue, 9),
           core::rows::encode(a_queue()));
  rows.put(storage::Family::kLog, storage::batch_key(storage::KeyKind::kBatch, 9, 1, 2), "batch");
  storage::put_commit_point(rows, {.index = proto::CommitIndex(1), .digest = 1, .time = 5});
  const std::array<const storage::WriteBatch*, 1> all = {&rows};
  store.commit(all).value();
  for (const char how : {'\x01', '\x00'}) {
    std::string stream;
    storage::export_shard(store.snapshot(),
                          [&stream](std::string_view bytes) -> proto::Result<> {
                            stream += bytes;
                            return {};
                          },
                          {.block_bytes = how == 0 ? std::size_t{1} : std::size_t{1000}})
        .value();
    seeds.add("transfer", std::string_view(&how, 1), stream);
  }
}

void add_text(Seeds& seeds) {
  seeds.add("config", std::string_view("\0", 1),
            "data_dir = \"/var/lib/weir\"\nmax_memory_bytes = \"2GiB\"\nspin_us = 0\n"
            "insecure = true\n[table]\nx = [1, 2.5, 1979-05-27T07:32:00Z]\n");
  seeds.add("config", "\x01", "64MiB");
  seeds.add("config", "\x02", "[::1]:7340");
  seeds.add("http", "\x40\xff",
            "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\nHEAD /metrics HTTP/1.0\r\n\r\n");
  seeds.add(
      "http", "\x40\x20",
      "POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\n\r\n");
  seeds.add("http", std::string_view("\0\x03", 2), "GET/healthz?x=%00");
  seeds.add("text", std::string_view("\0", 1), "orders-2026_eu.fifo");
  seeds.add("text", "\x01", proto::encode_handle({}));
  seeds.add("text", "\x02", "weir://a.example:7340,[fe80::1%eth0],b/team-1");
  seeds.add("text", "\x03", "@2026-05-01T12:00:00.250+02:00");
  seeds.add("text", "\x03", "@-1h30m250ms");
  seeds.add("text", "\x05", proto::encode_backup_manifest({.broker = "weir/0.1.0"}));
  seeds.add("text", "\x04", "%t/%p %o %k=%v\\n%%%h%R");
}

int run(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: weir-fuzz-seeds DIR\n", stderr);
    return 2;
  }
  Seeds seeds(argv[1]);
  add_frames(seeds);
  add_batches(seeds);
  add_messages(seeds);
  add_rows(seeds);
  add_records(seeds);
  add_transfer(seeds);
  add_text(seeds);
  return 0;
}

}  // namespace
}  // namespace weir::fuzz

int main(int argc, char** argv) {
  return weir::fuzz::run(argc, argv);
}
