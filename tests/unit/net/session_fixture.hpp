#pragma once

#include "broker/net/session_machine.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::net {

/// Writes down what a session asks of the shard.
class RecordingOutlet final : public SessionOutlet {
 public:
  struct SentBatch {
    core::SendBatch batch;
    std::uint32_t deadline_ms = 0;
  };
  struct Settlement {
    proto::QueueId queue;
    proto::Settle settle;
  };
  struct Asked {
    std::uint64_t id = 0;
    core::Request request;
    std::uint32_t deadline_ms = 0;
  };

  BrokerFacts open(const Introduction& who) override {
    opened.push_back(who.client + "|" + who.service);
    name_spaces.push_back(who.name_space);
    return BrokerFacts{.session = proto::SessionId(7), .incarnation = 3, .epoch = 2, .shard = 1};
  }
  void send(core::SendBatch batch, std::uint32_t deadline_ms) override {
    sends.push_back({.batch = std::move(batch), .deadline_ms = deadline_ms});
  }
  void settle(proto::QueueId queue, proto::Settle settle) override {
    settles.push_back({.queue = queue, .settle = std::move(settle)});
  }
  void set_credit(const proto::Credit& credit) override { credits.push_back(credit); }
  void request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) override {
    requests.push_back({.id = id, .request = std::move(request), .deadline_ms = deadline_ms});
  }
  proto::Result<ConfigReload> reload_config() override { return reload; }
  void on_bad_batch(const proto::Error& error) override { bad_batches.push_back(error.code); }
  void on_refused(std::uint64_t id, const proto::Error& error) override {
    refused.emplace_back(id, error.code);
  }

  std::vector<std::string> opened;
  std::vector<std::string> name_spaces;
  std::vector<SentBatch> sends;
  std::vector<Settlement> settles;
  std::vector<proto::Credit> credits;
  std::vector<Asked> requests;
  proto::Result<ConfigReload> reload = ConfigReload();
  std::vector<proto::Errc> bad_batches;
  std::vector<std::pair<std::uint64_t, proto::Errc>> refused;
};

/// A frame that the machine wrote.
struct WrittenFrame {
  proto::FrameType type{};
  std::string body;
};

/// One session with a recording shard behind it and hands on its clock.
class Session {
 public:
  static constexpr MonoMs kStart = 1'000'000;

  explicit Session(std::size_t budget_bytes = std::size_t{64} << 20)
      : budget(budget_bytes),
        machine(outlet, outbox, budget, [this] { return next_uuid(); }, kStart) {}

  proto::Result<> give(proto::FrameType type, std::string_view body, MonoMs now = kStart) {
    return machine.on_frame(proto::RawFrame{.type = type, .body = body}, now);
  }
  /// Takes the frame's bytes as encode() made them.
  proto::Result<> give_encoded(std::string_view frame) {
    return give(static_cast<proto::FrameType>(frame[4]), frame.substr(5));
  }
  proto::Result<> hello(std::uint32_t lowest = 1, std::uint32_t highest = 1,
                        const std::string& name_space = {}) {
    weir::v1::Hello hello;
    hello.set_protocol_min(lowest);
    hello.set_protocol_max(highest);
    hello.set_client("test/1");
    hello.set_service("billing");
    hello.set_namespace_(name_space);
    return give(proto::FrameType::kHello, hello.SerializeAsString());
  }
  proto::Result<> ask(const weir::v1::Request& request) {
    return give(proto::FrameType::kRequest, request.SerializeAsString());
  }
  proto::Result<> send(std::uint64_t number, std::string_view batch, std::uint32_t alias = 1,
                       std::uint32_t partition = 0) {
    std::string frame;
    proto::encode(proto::Send{.alias = alias,
                              .partition = partition,
                              .send_number = number,
                              .deadline_ms = 250,
                              .batch = batch},
                  frame);
    return give_encoded(frame);
  }
  proto::Result<> settle(std::uint64_t number, std::uint32_t alias, std::uint32_t count = 1) {
    std::string frame;
    proto::encode(proto::Settle{.settle_number = number,
                                .alias = alias,
                                .ranges = {{.kind = proto::SettleKind::kAck,
                                            .grant = proto::GrantId(5),
                                            .nonce = 6,
                                            .base_offset = 0,
                                            .first_index = 0,
                                            .count = count,
                                            .value = 0}}},
                  frame);
    return give_encoded(frame);
  }

  /// Hello and Welcome are behind it.
  void open() {
    hello().value();
    written();
  }
  /// Attaches queue 42 and gives its alias.
  std::uint32_t attach_queue(std::uint64_t request_id = 100, const std::string& name = "work") {
    weir::v1::Request request;
    request.set_id(request_id);
    request.mutable_attach()->set_queue(name);
    ask(request).value();
    core::Attached attached;
    attached.id = 42;
    attached.logs = {proto::LogId(42)};
    machine.on_reply(request_id, core::Reply(attached));
    return response().attached().alias();
  }
  /// Subscribes to queue 42 and gives the alias.
  std::uint32_t subscribe(std::uint64_t request_id = 200) {
    weir::v1::Request request;
    request.set_id(request_id);
    request.mutable_subscribe()->set_queue("work");
    request.mutable_subscribe()->set_window_messages(10);
    ask(request).value();
    core::Subscribed subscribed;
    subscribed.id = proto::QueueId(42);
    machine.on_reply(request_id, core::Reply(subscribed));
    return response().subscribed().alias();
  }

  /// Everything that waits to be written, as frames, and takes it away.
  std::vector<WrittenFrame> written() {
    std::string bytes;
    while (!outbox.empty()) {
      std::size_t size = 0;
      for (const std::string_view view : outbox.gather(64)) {
        bytes += view;
        size += view.size();
      }
      outbox.consume(size);
    }
    std::vector<WrittenFrame> frames;
    proto::FrameReader reader(proto::kMaxFrameBytes);
    while (!bytes.empty()) {
      const std::span<char> room = reader.prepare();
      const std::size_t part = std::min(room.size(), bytes.size());
      bytes.copy(room.data(), part);
      bytes.erase(0, part);
      reader.commit(part);
      while (const std::optional<proto::RawFrame> frame = reader.next().value()) {
        frames.push_back({.type = frame->type, .body = std::string(frame->body)});
      }
    }
    return frames;
  }
  /// The last frame, which must be a response.
  weir::v1::Response response() {
    const std::vector<WrittenFrame> frames = written();
    return proto::parse_response(frames.at(frames.size() - 1).body).value();
  }

  static std::string batch(std::string_view value = "hello") {
    proto::BatchBuilder builder;
    builder.add(proto::RecordInput{
        .key = std::nullopt, .value = value, .headers = {}, .timestamp = 1'700'000'000'000});
    return builder.finish({}, proto::Compression::kNone);
  }

  RecordingOutlet outlet;
  Outbox outbox;
  SendBudget budget;
  SessionMachine machine;

 private:
  core::Uuid next_uuid() {
    core::Uuid uuid{};
    uuid[0] = ++uuids_;
    return uuid;
  }
  std::uint8_t uuids_ = 0;
};

}  // namespace weir::net
