#include "tests/fuzz/session_peer.hpp"

#include "proto/assert.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <utility>

namespace weir::fuzz {
namespace {

using proto::FrameType;

constexpr std::size_t kRemembered = 32;

template <class T>
void remember(std::vector<T>& list, T value) {
  if (list.size() < kRemembered) {
    list.push_back(std::move(value));
  }
}

}  // namespace

SessionPeer::SessionPeer(shard::test::ShardRig& rig, Heard& heard, net::MonoMs now)
    : rig_(rig),
      heard_(heard),
      reader_(proto::kMaxFrameBytesBeforeHello),
      written_(proto::kMaxFrameBytes),
      machine_(*this, outbox_, budget_, [] { return core::Uuid{1}; }, now) {}

SessionPeer::~SessionPeer() {
  leave_shard();
}

void SessionPeer::give(std::string_view bytes, net::MonoMs now) {
  machine_.on_bytes(now);
  while (!bytes.empty() && !closed_) {
    const std::span<char> room = reader_.prepare();
    const std::size_t part = std::min(room.size(), bytes.size());
    bytes.copy(room.data(), part);
    bytes.remove_prefix(part);
    reader_.commit(part);
    while (!closed_) {
      const proto::Result<std::optional<proto::RawFrame>> frame = reader_.next();
      if (!frame) {
        say_goodbye(frame.error());
        break;
      }
      if (!*frame) {
        break;
      }
      if (const proto::Result<> taken = machine_.on_frame(**frame, now); !taken) {
        say_goodbye(taken.error());
        break;
      }
      reader_.set_max_frame_bytes(machine_.max_frame_bytes());
    }
  }
  machine_.flush();
}

void SessionPeer::tick(net::MonoMs now) {
  if (closed_) {
    return;
  }
  if (const proto::Result<> alive = machine_.on_tick(now); !alive) {
    say_goodbye(alive.error());
  }
}

void SessionPeer::say_goodbye(const proto::Error& why) {
  machine_.say_goodbye(why);
  close();
}

void SessionPeer::close() {
  closed_ = true;
  leave_shard();
}

void SessionPeer::leave_shard() {
  if (session_) {
    rig_.shard.close_session(*std::exchange(session_, std::nullopt));
  }
}

void SessionPeer::read(std::size_t bytes) {
  const bool was_full = outbox_.bulk_room() == 0;
  while (bytes > 0 && !outbox_.empty()) {
    std::size_t taken = 0;
    for (std::string_view view : outbox_.gather(64)) {
      view = view.substr(0, bytes - taken);
      taken += view.size();
      while (!view.empty()) {
        const std::span<char> room = written_.prepare();
        const std::size_t part = std::min(room.size(), view.size());
        view.copy(room.data(), part);
        view.remove_prefix(part);
        written_.commit(part);
      }
    }
    outbox_.consume(taken);
    bytes -= taken;
    while (true) {
      const auto frame = written_.next();
      WEIR_ASSERT(frame.has_value(), "the broker writes whole frames");
      if (!*frame) {
        break;
      }
      hear(**frame);
    }
  }
  if (was_full && session_ && outbox_.bulk_room() > 0) {
    rig_.shard.bulk_drained(*session_);
  }
}

// What the broker writes is well-formed, whatever it was told.
void SessionPeer::hear(const proto::RawFrame& frame) {
  switch (frame.type) {
    case FrameType::kDeliver: {
      const proto::Deliver deliver = proto::decode_deliver(frame.body).value();
      remember(heard_.ranges, {.kind = proto::SettleKind::kAck,
                               .grant = deliver.grant,
                               .nonce = deliver.nonce,
                               .base_offset = deliver.base_offset,
                               .first_index = deliver.first_index,
                               .count = deliver.span,
                               .value = 0});
      return;
    }
    case FrameType::kResponse: {
      response_ = proto::parse_response(frame.body).value();
      for (const weir::v1::Grant& grant : response_->received().grants()) {
        remember(heard_.handles,
                 proto::encode_handle({.incarnation = rig_.shard.incarnation(),
                                       .epoch = rig_.shard.epoch(),
                                       .queue = proto::QueueId(response_->received().id()),
                                       .generation = response_->received().generation(),
                                       .grant = proto::GrantId(grant.grant()),
                                       .index = grant.first_index(),
                                       .nonce = grant.nonce(),
                                       .base_offset = grant.base_offset(),
                                       .shard = 0}));
      }
      return;
    }
    case FrameType::kSent:
      WEIR_ASSERT(!proto::decode_sent(frame.body).value().entries.empty(),
                  "an answer says something");
      return;
    case FrameType::kSettled:
      static_cast<void>(proto::decode_settled(frame.body).value());
      return;
    case FrameType::kRecords:
      static_cast<void>(proto::decode_records(frame.body).value());
      return;
    case FrameType::kSendCredit:
      static_cast<void>(proto::decode_send_credit(frame.body).value());
      return;
    case FrameType::kWelcome:
      static_cast<void>(proto::parse_welcome(frame.body).value());
      return;
    case FrameType::kGoAway:
      static_cast<void>(proto::parse_go_away(frame.body).value());
      return;
    case FrameType::kSubscriptionEnded:
      static_cast<void>(proto::parse_subscription_ended(frame.body).value());
      return;
    default:
      WEIR_ASSERT(frame.type == FrameType::kPing || frame.type == FrameType::kPong,
                  "a broker sends no other frame");
  }
}

net::BrokerFacts SessionPeer::open(const net::Introduction& who) {
  session_ = rig_.shard.open_session(*this, {.service = who.service,
                                             .client = who.client,
                                             .address = "fuzz",
                                             .name_space = who.name_space});
  return {.session = *session_, .incarnation = rig_.shard.incarnation(), .epoch = 0, .shard = 0};
}

void SessionPeer::send(core::SendBatch batch, std::uint32_t deadline_ms) {
  rig_.shard.send(*session_, std::move(batch), deadline_ms);
}

void SessionPeer::settle(proto::QueueId queue, proto::Settle settle) {
  rig_.shard.settle(*session_, queue, std::move(settle));
}

void SessionPeer::set_credit(const proto::Credit& credit) {
  rig_.shard.set_credit(*session_, credit);
}

void SessionPeer::request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) {
  rig_.shard.request(*session_, id, std::move(request), deadline_ms);
}

proto::Result<net::ConfigReload> SessionPeer::reload_config() {
  return net::ConfigReload{.file = "weir.toml",
                           .taken = {{"drain_ms", "5", "6"}},
                           .left = {{"data_dir", "here", "there"}},
                           .unchanged = {"listen"}};
}

void SessionPeer::on_bad_batch(const proto::Error& error) {
  WEIR_ASSERT(!error.message.empty(), "somebody reads why");
}

void SessionPeer::on_refused(std::uint64_t /*id*/, const proto::Error& error) {
  WEIR_ASSERT(error.code != proto::Errc{}, "a refusal has its reason");
}

}  // namespace weir::fuzz
