#include "tests/sim/producer.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir::sim {

using proto::Errc;

namespace {

/// More than the broker remembers, so that the oldest are not told apart, and must be refused.
constexpr std::size_t kMaxAnswered = 2 * proto::kMaxUnconfirmedBatches;

}  // namespace

void Producer::came_up() {
  if (!producer_) {
    init_producer();
    return;
  }
  for (auto& [log, destination] : destinations_) {
    resend(log);
  }
}

void Producer::went_down() {
  starting_ = false;
  for (const auto& [number, tried] : std::exchange(sent_, {})) {
    ended(tried.op, kUnknown, tried.asked_us);
  }
}

void Producer::forget() {
  previous_ = {};
  producer_.reset();
  destinations_.clear();
}

/// Everything that was not answered stays unknown: the next epoch cannot tell it apart.
void Producer::give_up() {
  previous_ = producer_.value_or(previous_);
  if (rng().per_mille(200)) {
    ++previous_.epoch;  // nobody has given that one out
  }
  producer_.reset();
  destinations_.clear();
  init_producer();
}

void Producer::init_producer() {
  if (link_ == nullptr || starting_) {
    return;
  }
  starting_ = true;
  request(core::InitProducer{previous_.id, previous_.epoch},
          [this](const proto::Result<core::Reply>& reply) {
            starting_ = false;
            if (reply) {
              producer_ = std::get<core::ProducerInfo>(*reply);
            } else {
              previous_ = {};
              init_producer();
            }
          });
}

bool Producer::is_idle() const {
  for (const auto& [log, destination] : destinations_) {
    if (!destination.flights.empty()) {
      return false;
    }
  }
  return true;
}

proto::LogId Producer::pick_log() {
  Target& target = rng().pick(stage_.targets);
  return rng().pick(target.logs);
}

Oracle::Batch Producer::new_batch(proto::LogId log, bool idempotent) {
  Oracle::Batch batch{log, {}, idempotent};
  batch.has_groups = is_fifo(log);
  batch.has_ids = batch.has_groups && rng().per_mille(stage_.options.deduplication_per_mille);
  const std::int64_t size = 1 + rng().skewed(stage_.options.max_batch - 1);
  for (std::int64_t i = 0; i < size; ++i) {
    batch.messages.push_back(stage_.oracle.new_message(log));
  }
  if (!is_topic(log) && !batch.has_groups && rng().per_mille(stage_.options.delay_per_mille)) {
    for (std::int64_t i = 0; i < size; ++i) {
      batch.delays_ms.push_back(rng().per_mille(300) ? proto::BatchColumns::kNoDelay
                                                     : some_delay_ms(rng(), stage_.options));
    }
  }
  if (!is_topic(log) && !is_fifo(log)) {
    if (rng().per_mille(stage_.options.priority_per_mille)) {
      for (std::int64_t i = 0; i < size; ++i) {
        batch.priorities.push_back(some_priority(rng()));
      }
    }
    batch.has_groups = rng().per_mille(stage_.options.group_per_mille);
  }
  if (!is_topic(log) && rng().per_mille(stage_.options.ttl_per_mille)) {
    batch.lives.resize(batch.messages.size());
    for (proto::RecordLife& life : batch.lives) {
      life = some_life(rng(), stage_.options, clock_ms());
    }
  }
  return batch;
}

std::string Producer::build(const Oracle::Batch& batch, std::int32_t sequence) const {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (std::size_t i = 0; i < batch.messages.size(); ++i) {
    const MessageNumber number = batch.messages[i];
    const std::string value = value_of(number, value_bytes(stage_.options, number));
    proto::RecordInput record;
    record.value = value;
    std::string delay;
    std::vector<proto::Header> headers;
    if (!batch.delays_ms.empty() && batch.delays_ms[i] != proto::BatchColumns::kNoDelay) {
      delay = std::to_string(batch.delays_ms[i]);
      headers.push_back({proto::kHeaderDelay, delay});
    }
    const proto::RecordLife life = batch.lives.empty() ? proto::RecordLife() : batch.lives[i];
    const std::string ttl = std::to_string(life.ttl_ms);
    const std::string deadline = std::to_string(life.deadline);
    if (life.ttl_ms >= 0) {
      headers.push_back({proto::kHeaderTtl, ttl});
    }
    if (life.deadline >= 0) {
      headers.push_back({proto::kHeaderDeadline, deadline});
    }
    const std::string priority =
        batch.priorities.empty() ? std::string() : std::to_string(batch.priorities[i]);
    if (!priority.empty()) {
      headers.push_back({proto::kHeaderPriority, priority});
    }
    const std::string group = group_of(number);
    const std::string id = "d" + std::to_string(number);
    if (batch.has_groups) {
      headers.push_back({proto::kHeaderGroup, group});
    }
    if (batch.has_ids) {
      headers.push_back({proto::kHeaderDeduplicationId, id});
    }
    record.timestamp = clock_ms();
    // What a redrive may choose by.
    const std::string key = "k" + std::to_string(number % 4);
    if (number % 3 != 0) {
      record.key = key;
      headers.push_back({kColourHeader, number % 2 == 0 ? "r" : "b"});
    }
    record.headers = headers;
    builder.add(record);
  }
  proto::BatchBuilder::Producer producer;
  if (batch.idempotent) {
    producer.id = static_cast<std::int64_t>(producer_->id.value);
    producer.epoch = static_cast<std::int16_t>(producer_->epoch);
    producer.base_sequence = sequence;
  }
  return builder.finish(producer, proto::Compression::kNone);
}

void Producer::step() {
  if (link_ == nullptr) {
    return;
  }
  if (!producer_) {
    init_producer();
    return;
  }
  const std::uint64_t dice = rng().below(1000);
  if (dice < 750) {
    send_new();
  } else if (dice < 830) {
    send_answered();
  } else if (dice < 900) {
    if (!destinations_.empty()) {
      auto it = destinations_.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(rng().below(destinations_.size())));
      resend(it->first);
    }
  } else if (dice < 970) {
    send_plain();
  } else if (dice < 990) {
    send_corrupt();
  } else {
    count("client: gives up and takes the next epoch");
    give_up();
  }
}

void Producer::send_new() {
  const proto::LogId log = pick_log();
  Destination& destination = destinations_[log];
  if (destination.flights.size() >= proto::kMaxUnconfirmedBatches) {
    resend(log);
    return;
  }
  Flight flight;
  flight.batch = new_batch(log, true);
  flight.bytes = build(flight.batch, destination.next_sequence);
  destination.next_sequence += static_cast<std::int32_t>(flight.batch.messages.size());
  destination.flights.push_back(std::move(flight));
  transmit(destination.flights.back(), Op::kSend);
}

/// Without a producer id: nothing tells a second one from the first, so it is sent once; or its
/// queue knows its messages by their ids, and it is sent whenever one likes, with others as well.
void Producer::send_plain() {
  constexpr std::size_t kMaxKept = 20;
  if (!known_.empty() && rng().per_mille(600)) {
    count("client: sends again what is known by its ids");
    Flight& flight = rng().pick(known_);
    transmit(flight, Op::kSendPlain);
    return;
  }
  Flight flight;
  flight.batch = new_batch(pick_log(), false);
  if (flight.batch.has_ids && !known_.empty() && rng().per_mille(500)) {
    const Oracle::Batch& other = rng().pick(known_).batch;
    if (other.log == flight.batch.log && other.lives.empty() && flight.batch.lives.empty()) {
      count("client: sends some again that are known by their ids");
      const auto at = static_cast<std::ptrdiff_t>(rng().below(flight.batch.messages.size() + 1));
      flight.batch.messages.insert(flight.batch.messages.begin() + at, other.messages.begin(),
                                   other.messages.end());
    }
  }
  flight.bytes = build(flight.batch, -1);
  transmit(flight, Op::kSendPlain);
  if (flight.batch.has_ids && flight.batch.lives.empty()) {
    known_.push_back(std::move(flight));
    if (known_.size() > kMaxKept) {
      known_.erase(known_.begin());
    }
  }
}

void Producer::send_answered() {
  for (auto& [log, destination] : destinations_) {
    if (!destination.answered.empty()) {
      transmit(rng().pick(destination.answered), Op::kSendAnswered);
      return;
    }
  }
}

void Producer::send_corrupt() {
  count("client: sends something damaged");
  Oracle::Batch batch{pick_log(), {stage_.oracle.new_message(pick_log())}, true};
  std::string bytes = build(batch, 0).substr(proto::kStoredHeaderBytes);
  const std::size_t at = 21 + rng().below(bytes.size() - 21);
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng().below(8)));
  const auto columns = proto::validate_batch(bytes, proto::BatchUse::kQueue);
  if (columns) {
    stage_.world.violate("a damaged batch was taken");
    return;
  }
  count("send: refused at the door, " + std::string(proto::name(columns.error().code)));
}

bool Producer::is_fifo(proto::LogId log) const {
  return std::ranges::any_of(stage_.targets, [log](const Target& target) {
    return target.is_fifo() && target.logs.front() == log;
  });
}

bool Producer::is_topic(proto::LogId log) const {
  for (const Target& target : stage_.targets) {
    if (std::ranges::find(target.logs, log) != target.logs.end()) {
      return target.topic;
    }
  }
  return false;
}

void Producer::transmit(Flight& flight, Op op) {
  flight.send_number = ++last_send_;
  sent_[flight.send_number] = {flight.batch.log, flight.batch.messages.front(), op, now_us()};
  const bool topic = is_topic(flight.batch.log);
  std::uint32_t deadline_ms = 0;
  if (!stage_.healed && rng().per_mille(stage_.options.deadline_per_mille)) {
    deadline_ms = static_cast<std::uint32_t>(1 + rng().skewed(9));
  }
  link_->up([this, topic, deadline_ms, batch = flight.batch, bytes = flight.bytes,
             number = flight.send_number](shard::Shard& shard, proto::SessionId session) {
    auto columns = proto::validate_batch(std::string_view(bytes).substr(proto::kStoredHeaderBytes),
                                         topic ? proto::BatchUse::kTopic : proto::BatchUse::kQueue);
    if (!columns) {
      stage_.world.violate("a good batch was refused: " + columns.error().to_string());
      return;
    }
    stage_.oracle.heard_send(session, number, batch);
    shard.send(session, {batch.log, topic, number, bytes, std::move(*columns)}, deadline_ms);
  });
}

void Producer::resend(proto::LogId log) {
  destinations_[log].resends = false;
  if (link_ == nullptr) {
    return;
  }
  for (Flight& flight : destinations_[log].flights) {
    transmit(flight, Op::kSendAgain);
  }
}

void Producer::hear_sent(const proto::SentEntry& entry) {
  const auto known = sent_.find(entry.send_number);
  if (known == sent_.end()) {
    stage_.world.violate("a send was answered twice");
    return;
  }
  const auto [log, first, op, asked_us] = known->second;
  sent_.erase(known);
  ended(op, entry.code, asked_us);
  const auto it = destinations_.find(log);
  if (it == destinations_.end()) {
    return;
  }
  Destination& destination = it->second;
  for (std::size_t i = 0; i < destination.flights.size(); ++i) {
    Flight& flight = destination.flights[i];
    if (flight.batch.messages.front() != first) {
      continue;
    }
    if (entry.code == 0) {
      destination.answered.push_back(std::move(destination.flights[i]));
      destination.flights.erase(destination.flights.begin() + static_cast<std::ptrdiff_t>(i));
      if (destination.answered.size() > kMaxAnswered) {
        destination.answered.pop_front();
      }
    } else if (flight.send_number != entry.send_number) {
      return;  // a later try is under way
    } else if (static_cast<Errc>(entry.code) == Errc::kProducerFenced) {
      count("client: fenced, begins anew");
      previous_ = {};
      producer_.reset();
      destinations_.clear();
      init_producer();
    } else if (static_cast<Errc>(entry.code) == Errc::kMessageExpired) {
      give_up();  // nobody waits for these any more
    } else if (stage_.healed && static_cast<Errc>(entry.code) == Errc::kQueueFull) {
      count("client: gives up on a full queue");  // what is parked there makes no room any more
      give_up();
    } else if (!destination.resends) {
      destination.resends = true;
      stage_.world.after(rng().between(1000, 50'000), [this, to = log] { resend(to); });
    }
    return;
  }
}

}  // namespace weir::sim
