#include "tests/sim/consumer.hpp"

#include "proto/handle.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace weir::sim {

using proto::SettleKind;

namespace {

constexpr std::size_t kMaxHeld = 200;

bool takes_delay(SettleKind kind) {
  return kind != SettleKind::kAck && kind != SettleKind::kStarted && kind != SettleKind::kPoison;
}

Op op_of(SettleKind kind) {
  switch (kind) {
    case SettleKind::kAck:
      return Op::kAck;
    case SettleKind::kNack:
      return Op::kNack;
    case SettleKind::kRelease:
      return Op::kRelease;
    case SettleKind::kExtend:
      return Op::kExtend;
    case SettleKind::kStarted:
      return Op::kStarted;
    case SettleKind::kPoison:
      return Op::kPoison;
    case SettleKind::kTransient:
      return Op::kTransient;
    case SettleKind::kNotNow:
      break;
  }
  return Op::kNotNow;
}

}  // namespace

void Consumer::came_up() {
  if (draining_) {
    drain({});
  } else if (rng().per_mille(300)) {
    eager_ = kMaxEager;  // what it had begun is still its own
  }
}

void Consumer::went_down() {
  subscriptions_.clear();
  last_settle_ = 0;
  for (const auto& [number, settling] : std::exchange(settling_, {})) {
    ended(settling.op, kUnknown, settling.asked_us);
  }
  for (Held& held : held_) {
    old_.push_back(std::move(held));
  }
  held_.clear();
  while (old_.size() > kMaxHeld) {
    old_.pop_front();
  }
}

void Consumer::add_kept(std::set<std::string>& queues) const {
  for (const auto& [alias, subscription] : subscriptions_) {
    if (subscription.patient) {
      queues.insert(subscription.queue);
    }
  }
}

void Consumer::drain(const std::set<std::string>& kept) {
  draining_ = true;
  if (link_ == nullptr) {
    return;
  }
  std::vector<std::uint32_t> left;
  for (const auto& [alias, subscription] : subscriptions_) {
    if (subscription.patient && kept.contains(subscription.queue)) {
      count("client: keeps a subscription to the end");
      set_credit(alias, stage_.options.window_messages);
    } else {
      left.push_back(alias);
    }
  }
  for (const std::uint32_t alias : left) {
    unsubscribe(alias);
  }
  for (Held& held : std::exchange(held_, {})) {
    finish(std::move(held));
  }
  for (const std::size_t i : targets(false)) {
    if (!kept.contains(stage_.targets[i].name)) {
      subscribe(stage_.targets[i].name);
    }
  }
}

void Consumer::step() {
  if (link_ == nullptr) {
    return;
  }
  if (eager_ > 0) {
    --eager_;
    work_again_on_something_old();
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
  const std::uint32_t alias = ++last_alias_;
  core::Subscribe command;
  command.name_space = kNamespace;
  command.queue = queue;
  command.alias = alias;
  if (rng().per_mille(500)) {
    command.lease_ms = 1 + rng().skewed(stage_.options.lease_ms * 2);
  }
  const bool patient = draining_ || rng().per_mille(stage_.options.patient_per_mille);
  if (patient) {
    command.lease_ms = kPatientLeaseMs;
  }
  command.window_messages = draining_ ? 50 : stage_.options.window_messages;
  command.window_bytes = draining_ ? 100'000 : stage_.options.window_bytes;
  subscriptions_[alias] = {queue, patient};
  request(command, nullptr);
}

void Consumer::unsubscribe() {
  if (subscriptions_.empty()) {
    return;
  }
  unsubscribe(subscriptions_.begin()->first);
}

void Consumer::unsubscribe(std::uint32_t alias) {
  subscriptions_.erase(alias);
  request(core::Unsubscribe{alias}, nullptr, [this, alias](auto session, std::uint64_t) {
    stage_.oracle.heard_unsubscribe(session, alias);
  });
}

void Consumer::change_credit() {
  if (subscriptions_.empty()) {
    return;
  }
  count("client: credit");
  set_credit(subscriptions_.begin()->first,
             rng().per_mille(200) ? 0 : stage_.options.window_messages);
}

void Consumer::set_credit(std::uint32_t alias, std::uint32_t window_messages) {
  proto::Credit credit;
  credit.alias = alias;
  credit.window_messages = window_messages;
  credit.window_bytes = stage_.options.window_bytes;
  link_->up([credit](shard::Shard& shard, proto::SessionId session) {
    shard.set_credit(session, credit);
  });
}

void Consumer::receive() {
  const std::vector<std::size_t> queues = targets(false);
  core::Receive command;
  command.name_space = kNamespace;
  command.queue = stage_.targets[rng().pick(queues)].name;
  command.max_messages = static_cast<std::uint32_t>(1 + rng().skewed(9));
  command.max_bytes = rng().per_mille(300) ? static_cast<std::uint32_t>(rng().between(1, 300)) : 0;
  command.wait_ms = rng().per_mille(500) ? 0 : rng().between(1, 500);
  if (rng().per_mille(500)) {
    command.lease_ms = rng().skewed(stage_.options.lease_ms * 2);  // 0 at times
  }
  const std::uint32_t deadline_ms =
      rng().per_mille(200) ? static_cast<std::uint32_t>(1 + rng().skewed(50)) : 0;
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
  const Target& target = rng().pick(stage_.targets);
  if (target.topic) {
    request(core::DescribeTopic{kNamespace, target.name}, nullptr);
  } else if (rng().per_mille(200)) {
    request(core::DescribeQueue{kNamespace, "no-such-queue"}, nullptr);
  } else {
    request(core::DescribeQueue{kNamespace, target.name}, nullptr);
  }
}

void Consumer::hear_failed(const proto::SettleFailure& failure) {
  if (const auto it = settling_.find(failure.settle_number); it != settling_.end()) {
    it->second.outcome = failure.code;
  }
}

void Consumer::hear_settled(std::uint64_t up_to) {
  while (!settling_.empty() && settling_.begin()->first <= up_to) {
    const Settling& settling = settling_.begin()->second;
    ended(settling.op, settling.outcome, settling.asked_us);
    settling_.erase(settling_.begin());
  }
}

void Consumer::hear_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  ended(Op::kDelivery, kDone, now_us());
  keep(delivery, alias);
}

void Consumer::keep(core::Delivery delivery, std::uint32_t alias) {
  Held held;
  held.first = delivery.first_index;
  held.count = delivery.span;  // a settlement may name what is done between them
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
  settle(held, range_of(held, SettleKind::kAck, 0), Op::kAck);
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

void Consumer::settle(const Held& held, proto::SettleRange range, Op op, bool soon) {
  if (link_ == nullptr) {
    return;
  }
  proto::Settle settle;
  settle.settle_number = ++last_settle_;
  settling_[last_settle_] = {op, now_us()};
  settle.alias = held.alias;
  if (range.kind == SettleKind::kNack && rng().per_mille(300)) {
    settle.reasons.emplace_back("it broke");
    range.reason = 1;
  }
  settle.ranges.push_back(range);
  link_->up(
      [this, queue = held.delivery.queue, settle](shard::Shard& shard, proto::SessionId session) {
        stage_.oracle.heard_settle(session, queue, settle);
        shard.settle(session, queue, settle);
      },
      soon);
}

Consumer::Word Consumer::word_of(const Held& held, proto::SettleRange range, bool damaged) {
  proto::ReceiptHandle handle;
  handle.incarnation = stage_.host.incarnation_of(held.delivery.nonce);
  handle.queue = held.delivery.queue;
  handle.generation = held.delivery.generation;
  handle.grant = range.grant;
  handle.index = range.first_index;
  handle.nonce = range.nonce;
  handle.base_offset = range.base_offset;
  range.count = 1;
  Word word;
  word.command.handle = proto::encode_handle(handle);
  word.command.kind = range.kind;
  word.command.value_ms = range.value;
  word.nonce = held.delivery.nonce;
  word.queue = held.delivery.queue;
  word.must_fail = damaged;
  if (damaged) {
    char& letter = rng().pick(word.command.handle);
    letter = letter == 'A' ? 'B' : 'A';
    range.grant = proto::GrantId{};
    range.nonce = 0;
  }
  word.range = range;
  return word;
}

void Consumer::tell_oracle(Word& word, proto::SessionId session, std::uint64_t request) {
  proto::SettleRange heard = word.range;
  if (!stage_.host.is_of_this_incarnation(word.nonce)) {
    count("client: settles by a handle of an old incarnation");
    word.must_fail = true;
    heard.grant = proto::GrantId{};
    heard.nonce = 0;
  }
  stage_.oracle.heard_handle(session, request, word.queue, heard);
}

void Consumer::check(const Word& word, bool is_done) {
  if (word.must_fail && is_done) {
    stage_.world.violate("a handle that is damaged or of an old incarnation was taken");
  }
}

void Consumer::settle_by_handle(Word said, Op op) {
  const auto word = std::make_shared<Word>(std::move(said));
  request(
      word->command,
      [this, word](const proto::Result<core::Reply>& reply) { check(*word, reply.has_value()); },
      [this, word](auto session, std::uint64_t id) { tell_oracle(*word, session, id); }, 0, op);
}

void Consumer::settle_by_handles(std::vector<Word> said) {
  core::SettleManyByHandle command;
  for (const Word& word : said) {
    command.entries.emplace_back(word.command);
  }
  const auto words = std::make_shared<std::vector<Word>>(std::move(said));
  request(
      std::move(command),
      [this, words](const proto::Result<core::Reply>& reply) {
        for (std::size_t i = 0; reply && i < words->size(); ++i) {
          const proto::Result<>& outcome = std::get<core::SettledMany>(*reply).outcomes.at(i);
          count(outcome ? "client: one of many handles settled"
                        : "client: one of many handles refused");
          check((*words)[i], outcome.has_value());
        }
      },
      [this, words](auto session, std::uint64_t id) {
        for (Word& word : *words) {
          tell_oracle(word, session, id);
        }
      });
}

SettleKind Consumer::some_way_back() {
  const std::uint64_t dice = rng().below(1000);
  return dice < 400   ? SettleKind::kNack
         : dice < 600 ? SettleKind::kRelease
         : dice < 750 ? SettleKind::kTransient
         : dice < 900 ? SettleKind::kNotNow
                      : SettleKind::kPoison;
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
    count("client: lets a lease expire");
    put_away();
    remove();
    return;
  }
  if (!held.extended && rng().per_mille(50)) {
    settle_when_it_ends(held);
    put_away();
    remove();
    return;
  }
  if (!held.started && rng().per_mille(600)) {
    held_[static_cast<std::size_t>(at)].started = true;
    settle(held, range_of(held, SettleKind::kStarted, 0), Op::kStarted);
    return;
  }
  if (rng().per_mille(100)) {
    const auto value = static_cast<std::uint32_t>(
        rng().per_mille(100) ? 0 : rng().skewed(stage_.options.lease_ms * 2));
    held_[static_cast<std::size_t>(at)].extended = true;
    settle(held, range_of(held, SettleKind::kExtend, value), Op::kExtend);
    return;
  }
  if (held.count > 1 && rng().per_mille(300)) {
    count("client: settles a part");
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
    kind = some_way_back();
    if (takes_delay(kind) && rng().per_mille(500)) {
      value = static_cast<std::uint32_t>(rng().between(1, 1000));
    } else if (kind == SettleKind::kNack || kind == SettleKind::kTransient) {
      value = rng().per_mille(500) ? proto::kDelayByPolicy : 0;
    }
  }
  const Op op = op_of(kind);
  put_away();
  if (rng().per_mille(200)) {
    std::vector<Word> words;
    for (std::uint32_t i = 0; i < held.count; ++i) {
      proto::SettleRange range = range_of(held, kind, value);
      range.first_index = held.first + i;
      words.push_back(word_of(held, range, false));
    }
    if (rng().per_mille(500)) {
      for (std::uint64_t others = rng().below(4); others > 0; --others) {
        const OldWord old = something_old(true);
        words.push_back(word_of(old.held, old.range, old.damaged));
      }
      settle_by_handles(std::move(words));
      return;
    }
    for (Word& word : words) {
      settle_by_handle(std::move(word), Op::kHandle);
    }
  } else {
    settle(held, range_of(held, kind, value), op);
  }
}

/// Its settlement gets to the broker in the very millisecond of broker time in which the lease
/// ends, in the one before or in the one after. No client could do that on purpose.
void Consumer::settle_when_it_ends(const Held& held) {
  const proto::TimeMs end =
      stage_.host.drawn_at(held.delivery.nonce)->time + held.delivery.lease_ms;
  settle_at(end + rng().between(-1, 1), held, link_);
}

void Consumer::settle_at(proto::TimeMs time, const Held& held, const std::weak_ptr<Link>& link) {
  if (link_ == nullptr || link.lock() != link_ || !link_->broker_open() || draining_) {
    return;
  }
  const std::int64_t stands_us = stage_.host.waits_us();
  const std::int64_t left_ms = time - stage_.host.now();
  if (stands_us > 0 || left_ms > 0) {
    const std::int64_t wait_us = stands_us > 0 ? stands_us : left_ms * 1000 - now_us() % 1000;
    stage_.world.after(wait_us, [this, time, held, link] { settle_at(time, held, link); });
    return;
  }
  count(left_ms == 0 ? "client: settles in the millisecond of a deadline"
                     : "client: settles later, a deadline has gone by");
  const auto kind = static_cast<SettleKind>(rng().between(1, 8));
  const auto value = static_cast<std::uint32_t>(takes_delay(kind) ? rng().between(0, 500) : 0);
  settle(held, range_of(held, kind, value), Op::kSettleOld, true);
}

Consumer::OldWord Consumer::something_old(bool by_handle) {
  const std::size_t last = eager_ > 0 ? std::min<std::size_t>(old_.size(), kMaxEager) : old_.size();
  OldWord word;
  word.held = old_[old_.size() - 1 - rng().below(last)];
  const auto kind = static_cast<SettleKind>(rng().between(1, 8));
  const auto value = static_cast<std::uint32_t>(takes_delay(kind) ? rng().between(0, 500) : 0);
  proto::SettleRange& range = word.range;
  range = range_of(word.held, kind, value);
  word.is_altered = eager_ == 0 && rng().per_mille(500);
  if (word.is_altered) {
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
        word.damaged = by_handle;
        range.nonce ^= 1;
        break;
    }
  }
  return word;
}

void Consumer::work_again_on_something_old() {
  if (old_.empty()) {
    return;
  }
  const bool by_handle = rng().per_mille(500);
  const OldWord word = something_old(by_handle);
  if (by_handle) {
    settle_by_handle(word_of(word.held, word.range, word.damaged),
                     word.is_altered ? Op::kHandleAltered : Op::kHandleOld);
  } else {
    settle(word.held, word.range, word.is_altered ? Op::kSettleAltered : Op::kSettleOld);
  }
}

}  // namespace weir::sim
