#include "broker/net/connection_machine.hpp"

#include "proto/limits.hpp"

#include <utility>

namespace weir::net {

ConnectionMachine::ConnectionMachine(Wire& wire, std::unique_ptr<ShardDoor> door,
                                     const ConnectionSurroundings& surroundings)
    : wire_(wire),
      door_(std::move(door)),
      surroundings_(surroundings),
      reader_(proto::kMaxFrameBytesBeforeHello),
      machine_(*door_, outbox_, *surroundings.budget, surroundings.uuid, surroundings.now()) {
  door_->set_port(*this);
}

ConnectionMachine::~ConnectionMachine() {
  close();
}

// ---- reading

std::span<char> ConnectionMachine::room() {
  return reader_.prepare();
}

void ConnectionMachine::on_read(std::size_t bytes) {
  if (goodbye_at_) {
    return;
  }
  machine_.on_bytes(surroundings_.now());
  reader_.commit(bytes);
  const proto::Result<> taken = take_frames();
  if (!taken) {
    say_goodbye(taken.error());
  } else {
    flush();
  }
}

proto::Result<> ConnectionMachine::take_frames() {
  for (;;) {
    const proto::Result<std::optional<proto::RawFrame>> frame = reader_.next();
    if (!frame) {
      return frame.error();
    }
    if (!*frame) {
      return {};
    }
    if (proto::Result<> taken = machine_.on_frame(**frame, surroundings_.now()); !taken) {
      return taken;
    }
    reader_.set_max_frame_bytes(machine_.max_frame_bytes());
  }
}

// ---- writing

const std::vector<std::string_view>& ConnectionMachine::to_write(std::size_t max_views) {
  const std::vector<std::string_view>& views = outbox_.gather(max_views);
  if (!views.empty()) {
    writing_since_ = surroundings_.now();
  }
  return views;
}

void ConnectionMachine::on_written(std::size_t bytes) {
  constexpr std::size_t kHalf = Outbox::kBulkRoom / 2;
  writing_since_.reset();
  const bool was_above = outbox_.bulk_bytes() >= kHalf;
  outbox_.consume(bytes);
  if (was_above && outbox_.bulk_bytes() < kHalf && !is_closed_ && !goodbye_at_) {
    door_->bulk_drained();
  }
}

// ---- life

void ConnectionMachine::tick(MonoMs now) {
  if (goodbye_at_) {
    if (now - *goodbye_at_ >= kLingerMs) {
      wire_.end_soon("its last word was not read in time");
    }
    return;
  }
  if (writing_since_ && now - *writing_since_ >= kWriteStallMs) {
    wire_.end_soon("it does not read");
    return;
  }
  if (const proto::Result<> alive = machine_.on_tick(now); !alive) {
    say_goodbye(alive.error());
    return;
  }
  wire_.write();
}

void ConnectionMachine::on_stall(MonoMs lost) {
  machine_.on_stall(lost);
  if (writing_since_) {
    *writing_since_ += lost;
  }
}

void ConnectionMachine::drain(std::uint32_t drain_ms) {
  machine_.drain(drain_ms);
  wire_.write();
}

void ConnectionMachine::say_goodbye(const proto::Error& why) {
  if (is_closed_ || goodbye_at_) {
    return;
  }
  wire_.on_goodbye(why);
  goodbye_at_ = surroundings_.now();
  machine_.say_goodbye(why);
  door_->leave();
  wire_.write();
}

void ConnectionMachine::close() {
  if (!std::exchange(is_closed_, true)) {
    door_->leave();
  }
}

// ---- from the shard

void ConnectionMachine::on_sent(const proto::SentEntry& entry) {
  machine_.on_sent(entry);
}

void ConnectionMachine::on_settled(std::uint64_t up_to,
                                   std::span<const proto::SettleFailure> failed) {
  machine_.on_settled(up_to, failed);
}

void ConnectionMachine::on_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  machine_.on_delivery(alias, delivery);
}

void ConnectionMachine::on_topic_batch(const shard::TopicBatch& batch) {
  machine_.on_topic_batch(batch);
}

void ConnectionMachine::on_reply(std::uint64_t request_id,
                                 const proto::Result<core::Reply>& reply) {
  machine_.on_reply(request_id, reply);
}

void ConnectionMachine::on_subscription_ended(std::uint32_t alias, const proto::Error& why) {
  machine_.on_subscription_ended(alias, why);
}

void ConnectionMachine::flush() {
  machine_.flush();
  if (outbox_.overflowed()) {
    wire_.end_soon("it does not read its answers");
    return;
  }
  wire_.write();
}

std::size_t ConnectionMachine::bulk_room() const {
  return is_closed_ || goodbye_at_ ? 0 : outbox_.bulk_room();
}

}  // namespace weir::net
