#include "tests/sim/consumer.hpp"

#include "proto/handle.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace weir::sim {

using proto::SettleKind;

namespace {

constexpr std::size_t kMaxHeld = 200;

}  // namespace

void Consumer::came_up() {
  if (draining_) {
    drain();
  }
}

void Consumer::went_down() {
  subscriptions_.clear();
  last_settle_ = 0;
  for (Held& held : held_) {
    old_.push_back(std::move(held));
  }
  held_.clear();
  while (old_.size() > kMaxHeld) {
    old_.pop_front();
  }
}

void Consumer::drain() {
  draining_ = true;
  if (link_ == nullptr) {
    return;
  }
  for (const auto& [alias, queue] : subscriptions_) {
    request(core::Unsubscribe{alias}, nullptr, [this, gone = alias](auto session, std::uint64_t) {
      stage_.oracle.heard_unsubscribe(session, gone);
    });
  }
  subscriptions_.clear();
  for (Held& held : std::exchange(held_, {})) {
    finish(std::move(held));
  }
  for (const std::size_t i : targets(false)) {
    subscribe(stage_.targets[i].name);
  }
}

void Consumer::step() {
  if (link_ == nullptr) {
    return;
  }
  const std::uint64_t dice = rng().below(1000);
  if (subscriptions_.size() < 2 && dice < 200) {
    const std::vector<std::size_t> queues = targets(false);
    subscribe(stage_.targets[rng().pick(queues)].name);
  } else if (dice < 220) {
    unsubscribe();
  } else if (dice < 260) {
    change_credit();
  } else if (dice < 400) {
    receive();
  } else if (dice < 420) {
    describe();
  } else if (dice < 500) {
    work_again_on_something_old();
  } else {
    work();
  }
}

void Consumer::subscribe(const std::string& queue) {
  count("op: subscribe");
  const std::uint32_t alias = ++last_alias_;
  core::Subscribe command;
  command.name_space = kNamespace;
  command.queue = queue;
  command.alias = alias;
  command.lease_ms = rng().per_mille(500) ? 0 : 1 + rng().skewed(stage_.options.lease_ms * 2);
  if (draining_) {
    command.lease_ms = 10'000;
  }
  command.window_messages = draining_ ? 50 : stage_.options.window_messages;
  command.window_bytes = draining_ ? 100'000 : stage_.options.window_bytes;
  subscriptions_[alias] = queue;
  request(command, nullptr);
}

void Consumer::unsubscribe() {
  if (subscriptions_.empty()) {
    return;
  }
  count("op: unsubscribe");
  const std::uint32_t alias = subscriptions_.begin()->first;
  subscriptions_.erase(subscriptions_.begin());
  request(core::Unsubscribe{alias}, nullptr, [this, alias](auto session, std::uint64_t) {
    stage_.oracle.heard_unsubscribe(session, alias);
  });
}

void Consumer::change_credit() {
  if (subscriptions_.empty()) {
    return;
  }
  count("op: credit");
  proto::Credit credit;
  credit.alias = subscriptions_.begin()->first;
  credit.window_messages = rng().per_mille(200) ? 0 : stage_.options.window_messages;
  credit.window_bytes = stage_.options.window_bytes;
  link_->up([credit](shard::Shard& shard, proto::SessionId session) {
    shard.set_credit(session, credit);
  });
}

void Consumer::receive() {
  count("op: receive");
  const std::vector<std::size_t> queues = targets(false);
  core::Receive command;
  command.name_space = kNamespace;
  command.queue = stage_.targets[rng().pick(queues)].name;
  command.max_messages = static_cast<std::uint32_t>(1 + rng().skewed(9));
  command.max_bytes = rng().per_mille(300) ? static_cast<std::uint32_t>(rng().between(1, 300)) : 0;
  command.wait_ms = rng().per_mille(500) ? 0 : rng().between(1, 500);
  command.lease_ms = rng().per_mille(500) ? 0 : 1 + rng().skewed(stage_.options.lease_ms * 2);
  const std::uint32_t deadline_ms =
      rng().per_mille(100) ? static_cast<std::uint32_t>(rng().between(1, 100)) : 0;
  request(
      command,
      [this](const proto::Result<core::Reply>& reply) {
        if (reply) {
          const auto& received = std::get<core::Received>(*reply);
          count(received.deliveries.empty() ? "receive: nothing" : "receive: messages");
          for (const core::Delivery& delivery : received.deliveries) {
            keep(delivery, 0);
          }
        }
      },
      nullptr, deadline_ms);
}

void Consumer::describe() {
  count("op: describe");
  const Target& target = rng().pick(stage_.targets);
  if (target.topic) {
    request(core::DescribeTopic{kNamespace, target.name}, nullptr);
  } else if (rng().per_mille(50)) {
    request(core::DescribeQueue{kNamespace, "no-such-queue"}, nullptr);
  } else {
    request(core::DescribeQueue{kNamespace, target.name}, nullptr);
  }
}

void Consumer::hear_failed(const proto::SettleFailure&) {
  count("settle: client heard of a refusal");
}

void Consumer::hear_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  keep(delivery, alias);
}

void Consumer::keep(core::Delivery delivery, std::uint32_t alias) {
  Held held;
  held.first = delivery.first_index;
  held.count = delivery.count;
  held.alias = alias;
  held.started = alias == 0;
  held.delivery = std::move(delivery);
  if (draining_) {
    finish(std::move(held));
  } else if (held_.size() < kMaxHeld) {
    held_.push_back(std::move(held));
  }
}

void Consumer::finish(Held held) {
  settle(held, range_of(held, SettleKind::kAck, 0));
}

proto::SettleRange Consumer::range_of(const Held& held, SettleKind kind,
                                      std::uint32_t value) const {
  return {kind,
          held.delivery.grant,
          held.delivery.nonce,
          held.delivery.base_offset,
          held.first,
          held.count,
          value};
}

void Consumer::settle(const Held& held, proto::SettleRange range) {
  if (link_ == nullptr) {
    return;
  }
  proto::Settle settle;
  settle.settle_number = ++last_settle_;
  settle.alias = held.alias;
  settle.ranges.push_back(range);
  link_->up(
      [this, queue = held.delivery.queue, settle](shard::Shard& shard, proto::SessionId session) {
        stage_.oracle.heard_settle(session, queue, settle);
        shard.settle(session, queue, settle);
      });
}

void Consumer::settle_by_handle(const Held& held, proto::SettleRange range, bool damaged) {
  proto::ReceiptHandle handle;
  handle.incarnation = stage_.host.incarnation_of(held.delivery.nonce);
  handle.queue = held.delivery.queue;
  handle.generation = held.delivery.generation;
  handle.grant = range.grant;
  handle.index = range.first_index;
  handle.nonce = range.nonce;
  handle.base_offset = range.base_offset;
  range.count = 1;
  core::SettleByHandle command;
  command.handle = proto::encode_handle(handle);
  command.kind = range.kind;
  command.value_ms = range.value;
  const auto must_fail = std::make_shared<bool>(damaged);
  if (damaged) {
    char& letter = rng().pick(command.handle);
    letter = letter == 'A' ? 'B' : 'A';
    range.grant = proto::GrantId{};
    range.nonce = 0;
  }
  request(
      command,
      [this, must_fail](const proto::Result<core::Reply>& reply) {
        if (*must_fail && reply) {
          stage_.world.violate("a handle that is damaged or of an old incarnation was taken");
        }
      },
      [this, must_fail, nonce = held.delivery.nonce, queue = held.delivery.queue, range](
          auto session, std::uint64_t id) {
        proto::SettleRange heard = range;
        if (!stage_.host.is_of_this_incarnation(nonce)) {
          count("op: settle by a handle of an old incarnation");
          *must_fail = true;
          heard.grant = proto::GrantId{};
          heard.nonce = 0;
        }
        stage_.oracle.heard_handle(session, id, queue, heard);
      });
}

void Consumer::work() {
  if (held_.empty()) {
    return;
  }
  const auto at = static_cast<std::ptrdiff_t>(rng().below(held_.size()));
  Held held = held_[static_cast<std::size_t>(at)];
  const auto remove = [&] { held_.erase(held_.begin() + at); };
  const auto put_away = [&] {
    old_.push_back(held);
    if (old_.size() > kMaxHeld) {
      old_.pop_front();
    }
  };
  if (rng().per_mille(stage_.options.lazy_per_mille)) {
    count("op: let a lease expire");
    put_away();
    remove();
    return;
  }
  if (!held.started && rng().per_mille(600)) {
    count("op: started");
    held_[static_cast<std::size_t>(at)].started = true;
    settle(held, range_of(held, SettleKind::kStarted, 0));
    return;
  }
  if (rng().per_mille(100)) {
    count("op: extend");
    const auto value = static_cast<std::uint32_t>(
        rng().per_mille(100) ? 0 : rng().skewed(stage_.options.lease_ms * 2));
    settle(held, range_of(held, SettleKind::kExtend, value));
    return;
  }
  if (held.count > 1 && rng().per_mille(300)) {
    count("op: settle a part");
    const auto cut = static_cast<std::uint32_t>(rng().between(1, held.count - 1));
    Held& rest = held_[static_cast<std::size_t>(at)];
    rest.first += cut;
    rest.count -= cut;
    held.count = cut;
  } else {
    remove();
  }
  SettleKind kind = SettleKind::kAck;
  std::uint32_t value = 0;
  if (rng().per_mille(stage_.options.nack_per_mille)) {
    kind = rng().per_mille(300) ? SettleKind::kRelease : SettleKind::kNack;
    value = kind == SettleKind::kNack && rng().per_mille(500)
                ? static_cast<std::uint32_t>(rng().between(1, 1000))
                : 0;
  }
  count(kind == SettleKind::kAck    ? "op: ack"
        : kind == SettleKind::kNack ? "op: nack"
                                    : "op: release");
  put_away();
  if (rng().per_mille(200)) {
    count("op: settle by handle");
    for (std::uint32_t i = 0; i < held.count; ++i) {
      proto::SettleRange range = range_of(held, kind, value);
      range.first_index = held.first + i;
      settle_by_handle(held, range, false);
    }
  } else {
    settle(held, range_of(held, kind, value));
  }
}

void Consumer::work_again_on_something_old() {
  if (old_.empty()) {
    return;
  }
  Held held = rng().pick(old_);
  const auto kind = static_cast<SettleKind>(rng().between(1, 5));
  const auto value = static_cast<std::uint32_t>(
      kind == SettleKind::kNack || kind == SettleKind::kExtend ? rng().between(0, 500) : 0);
  proto::SettleRange range = range_of(held, kind, value);
  bool damaged = false;
  const bool by_handle = rng().per_mille(500);
  if (rng().per_mille(500)) {
    count("op: settle with an altered grant");
    switch (rng().below(5)) {
      case 0:
        range.nonce ^= std::uint64_t{1} << rng().below(64);
        break;
      case 1:
        range.grant.value += 1 + rng().below(1000);
        break;
      case 2:
        range.first_index += static_cast<std::uint32_t>(rng().below(100'000));
        break;
      case 3:
        range.base_offset += rng().between(-5, 5);
        break;
      default:
        damaged = by_handle;
        range.nonce ^= 1;
        break;
    }
  } else {
    count("op: settle something old");
  }
  if (by_handle) {
    settle_by_handle(held, range, damaged);
  } else {
    settle(held, range);
  }
}

}  // namespace weir::sim
