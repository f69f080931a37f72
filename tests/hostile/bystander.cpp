#include "tests/hostile/bystander.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/frame/frames.hpp"
#include "tests/hostile/process_facts.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace weir::hostile {
namespace {

using Clock = std::chrono::steady_clock;
using proto::Errc;
using proto::fail;

proto::Error complain(std::string what) {
  return fail(Errc::kInternal, "the bystander: " + std::move(what));
}

proto::Result<weir::v1::Response> ask(crash::RawSession& session, weir::v1::Request request) {
  proto::Result<weir::v1::Response> response = session.call(std::move(request));
  if (response && response->has_error()) {
    return complain("a request was refused: " + response->error().message());
  }
  return response;
}

}  // namespace

Bystander::~Bystander() {
  stop();
}

proto::Result<> Bystander::start(std::uint16_t port) {
  if (proto::Result<> opened = open(port); !opened) {
    return opened;
  }
  stopping_ = false;
  thread_ = std::thread([this] {
    while (!stopping_) {
      const Clock::time_point begin = Clock::now();
      if (proto::Result<> done = round(); !done) {
        complaint_ = done.error();
        gave_up_ = true;
        return;
      }
      round_us_.push_back(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
      rounds_.fetch_add(1, std::memory_order_relaxed);
    }
  });
  return {};
}

void Bystander::stop() {
  stopping_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::vector<std::int64_t> Bystander::take_round_us() {
  std::vector<std::int64_t> taken = std::exchange(round_us_, {});
  std::ranges::sort(taken);
  return taken;
}

// The connection is one for good: it must outlive everything that others do.
proto::Result<> Bystander::open(std::uint16_t port) {
  if (session_.is_open()) {
    return {};
  }
  if (proto::Result<> opened = session_.open(port); !opened) {
    return opened;
  }
  weir::v1::Request create;
  create.mutable_create_queue()->set_name(kBystanderQueue);
  if (const auto made = ask(session_, create); !made) {
    return made.error();
  }
  weir::v1::Request attach;
  attach.mutable_attach()->set_queue(kBystanderQueue);
  const auto attached = ask(session_, attach);
  if (!attached) {
    return attached.error();
  }
  alias_ = attached->attached().alias();
  weir::v1::Request subscribe;
  subscribe.mutable_subscribe()->set_queue(kBystanderQueue);
  subscribe.mutable_subscribe()->set_window_messages(10);
  subscribe.mutable_subscribe()->set_window_bytes(1 << 20);
  const auto subscribed = ask(session_, subscribe);
  if (!subscribed) {
    return subscribed.error();
  }
  subscription_ = subscribed->subscribed().alias();
  return {};
}

proto::Result<> Bystander::round() {
  body_ = "message " + std::to_string(sends_);
  is_stored_ = has_come_ = is_settled_ = false;
  proto::BatchBuilder builder;
  proto::RecordInput record;
  record.value = body_;
  builder.add(record);
  const std::string batch = builder.finish({}, proto::Compression::kNone);
  proto::encode(proto::Send{.alias = alias_, .send_number = ++sends_, .batch = batch},
                session_.out());
  for (const bool* done : {&is_stored_, &has_come_}) {
    if (proto::Result<> waited = session_.wait_for(*done); !waited) {
      return waited;
    }
  }
  proto::encode(
      proto::Settle{.settle_number = ++settles_, .alias = subscription_, .ranges = {held_}},
      session_.out());
  return session_.wait_for(is_settled_);
}

proto::Result<> Bystander::on_frame(const proto::RawFrame& frame) {
  switch (frame.type) {
    case proto::FrameType::kSent: {
      const proto::Sent sent = proto::decode_sent(frame.body).value();
      if (sent.entries.size() != 1 || sent.entries[0].code != 0 ||
          sent.entries[0].send_number != sends_) {
        return complain("a send was refused or answered for another");
      }
      is_stored_ = true;
      return {};
    }
    case proto::FrameType::kDeliver:
      return on_delivery(frame.body);
    case proto::FrameType::kSettled: {
      const proto::Settled settled = proto::decode_settled(frame.body).value();
      if (!settled.failed.empty()) {
        return complain("an acknowledgement failed: somebody else settled the message");
      }
      is_settled_ = settled.up_to == settles_;
      return {};
    }
    case proto::FrameType::kSendCredit:
      return {};
    default:
      return complain("a frame of type " + std::to_string(static_cast<unsigned>(frame.type)));
  }
}

proto::Result<> Bystander::on_delivery(std::string_view body) {
  const proto::Deliver deliver = proto::decode_deliver(body).value();
  const auto record = proto::decode_record(deliver.records);
  if (has_come_ || deliver.count != 1 || deliver.attempts != 0 || !record ||
      record->record.value != body_) {
    return complain("another message than the one that was sent, or that one twice");
  }
  has_come_ = true;
  held_ = {.kind = proto::SettleKind::kAck,
           .grant = deliver.grant,
           .nonce = deliver.nonce,
           .base_offset = deliver.base_offset,
           .first_index = deliver.first_index,
           .count = 1,
           .value = 0};
  return {};
}

void Bystander::wait_for(std::uint64_t rounds) const {
  while (this->rounds() < rounds && !has_given_up()) {
    std::this_thread::yield();
  }
}

std::size_t files_once_gone(pid_t broker, std::size_t before, const Bystander& bystander) {
  constexpr int kLooks = 40;
  constexpr std::uint64_t kRoundsBetween = 200;
  for (int i = 0; i < kLooks && open_files(broker) > before; ++i) {
    bystander.wait_for(bystander.rounds() + kRoundsBetween);
  }
  return open_files(broker);
}

}  // namespace weir::hostile
