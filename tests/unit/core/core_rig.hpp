#pragma once

#include "broker/core/row_check.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "storage/memory_store.hpp"
#include "storage/shard_rows.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

// A shard's state with its batches in memory, driven by hand: every time is an argument.
namespace weir::core::test {

inline constexpr proto::TimeMs kNow = 1'700'000'000'000;

/// A small generator of our own, the same everywhere (xorshift64*).
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(next() % limit); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// A batch as the session hands it over: room for our header, then what the producer built.
inline SendBatch send_of(proto::LogId log, proto::BatchBuilder& builder,
                         proto::BatchBuilder::Producer producer = {}, bool topic = false) {
  SendBatch batch;
  batch.log = log;
  batch.topic = topic;
  batch.stored = builder.finish(producer, proto::Compression::kNone);
  batch.columns =
      proto::validate_batch(std::string_view(batch.stored).substr(proto::kStoredHeaderBytes),
                            topic ? proto::BatchUse::kTopic : proto::BatchUse::kQueue)
          .value();
  return batch;
}

/// Headers by name, with their texts.
using TextHeaders = std::vector<std::pair<std::string_view, std::string>>;

/// Puts a message into a batch.
inline void add_message(proto::BatchBuilder& builder, const std::string& value,
                        const TextHeaders& texts) {
  std::vector<proto::Header> headers;
  for (const auto& [name, text] : texts) {
    headers.push_back({name, text});
  }
  proto::RecordInput record;
  record.value = value;
  record.headers = headers;
  record.timestamp = kNow;
  builder.add(record);
}

/// Where in their batch the messages lie that were handed out.
inline std::vector<std::uint32_t> indexes_in(const Delivery& delivery) {
  std::vector<std::uint32_t> indexes;
  proto::for_each_record(delivery.records.view(), static_cast<std::int32_t>(delivery.count),
                         [&](const proto::RecordView& record) {
                           indexes.push_back(static_cast<std::uint32_t>(record.offset_delta));
                         })
      .value();
  return indexes;
}

/// The values of what was handed out.
inline std::vector<std::string> values_in(const Delivery& delivery) {
  std::vector<std::string> values;
  std::string_view bytes = delivery.records.view();
  for (std::uint32_t i = 0; i < delivery.count; ++i) {
    const auto decoded = proto::decode_record(bytes).value();
    values.emplace_back(decoded.record.value.value());
    bytes.remove_prefix(decoded.bytes);
  }
  return values;
}
inline std::vector<std::string> values_in(const std::vector<Delivery>& deliveries) {
  std::vector<std::string> all;
  for (const Delivery& delivery : deliveries) {
    for (std::string& value : values_in(delivery)) {
      all.push_back(std::move(value));
    }
  }
  return all;
}

/// The same of messages of those values.
inline SendBatch a_batch(proto::LogId log, const std::vector<std::string>& values,
                         proto::BatchBuilder::Producer producer = {}, bool topic = false,
                         const std::vector<std::optional<std::int64_t>>& delays_ms = {}) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    TextHeaders headers;
    if (i < delays_ms.size() && delays_ms[i]) {
      headers.emplace_back(proto::kHeaderDelay, std::to_string(*delays_ms[i]));
    }
    add_message(builder, values[i], headers);
  }
  return send_of(log, builder, producer, topic);
}

inline std::vector<std::string> values_of(std::uint32_t count, const std::string& text = "v") {
  std::vector<std::string> values;
  for (std::uint32_t i = 0; i < count; ++i) {
    values.push_back(text + std::to_string(i));
  }
  return values;
}

/// A stored batch as it lies in memory.
inline CachedBatch cached(const proto::SharedBytes& stored) {
  const auto parsed = proto::parse_stored_batch(stored.view(), true).value();
  auto columns = proto::read_columns(parsed.batch).value();
  CachedBatch batch;
  batch.base_offset = columns.header.base_offset;
  batch.last_offset = columns.header.last_offset();
  batch.append_time = parsed.header.append_time;
  batch.base_timestamp = columns.header.base_timestamp;
  batch.stored_bytes = stored.size();
  batch.batch = stored.slice(proto::kStoredHeaderBytes, parsed.batch.size());
  batch.expiries = expiries_of(columns, batch.append_time);
  batch.groups = std::move(columns.groups);
  batch.records = std::move(columns.records);
  return batch;
}

/// A message and its group.
struct Grouped {
  std::string group;
  std::string value;
};

/// A batch for a FIFO queue.
inline SendBatch a_grouped_batch(proto::LogId log, const std::vector<Grouped>& messages) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (const Grouped& message : messages) {
    add_message(builder, message.value, {{proto::kHeaderGroup, message.group}});
  }
  return send_of(log, builder);
}

/// A message of a group, and what it is known by.
struct Sending {
  std::string value;
  std::optional<std::string> id = {};
  std::optional<proto::TimeMs> deadline = {};
};

/// A batch for a FIFO queue that takes a message once.
inline SendBatch a_batch_with_ids(proto::LogId log, const std::vector<Sending>& messages,
                                  proto::BatchBuilder::Producer producer = {}) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (const Sending& message : messages) {
    TextHeaders headers = {{proto::kHeaderGroup, "g"}};
    if (message.id) {
      headers.emplace_back(proto::kHeaderDeduplicationId, *message.id);
    }
    if (message.deadline) {
      headers.emplace_back(proto::kHeaderDeadline, std::to_string(*message.deadline));
    }
    add_message(builder, message.value, headers);
  }
  return send_of(log, builder, producer);
}

/// Every batch that was ever appended, unless a test takes it out.
class MemorySource final : public BatchSource {
 public:
  void add(proto::LogId log, const proto::SharedBytes& stored) {
    CachedBatch batch = cached(stored);
    batches_.insert_or_assign({log, batch.last_offset}, std::move(batch));
  }
  void clear() { batches_.clear(); }
  [[nodiscard]] const CachedBatch* find(proto::LogId log, proto::Offset offset) const override {
    const auto it = batches_.lower_bound({log, offset});
    return it != batches_.end() && it->first.first == log && it->second.base_offset <= offset
               ? &it->second
               : nullptr;
  }

 private:
  std::map<std::pair<proto::LogId, proto::Offset>, CachedBatch> batches_;
};

/// Every attempt that ended, as the rows tell it.
class MemoryAttempts final : public AttemptSource {
 public:
  void add(const Returned& record, const Queue::EndedAttempt& ended) {
    for (std::uint32_t i = 0; i < ended.messages; ++i) {
      attempts_[{record.range.queue, ended.place.offset + i}].push_back(
          {ended.place.number, record.time, ended.cause,
           ended.holder ? *ended.holder : std::string(), record.reason});
    }
  }
  [[nodiscard]] const std::vector<Attempt>* find(proto::QueueId queue, proto::Offset offset,
                                                 std::uint16_t /*attempts*/) const override {
    static const std::vector<Attempt> kNone;
    const auto it = attempts_.find({queue, offset});
    return it != attempts_.end() ? &it->second : &kNone;
  }

 private:
  std::map<std::pair<proto::QueueId, proto::Offset>, std::vector<Attempt>> attempts_;
};

/// Every deduplication id, as the rows tell it.
class MemoryIds final : public KnownIds {
 public:
  void add(const Deduplicated& record, std::uint32_t generation) {
    for (const Deduplicated::Id& known : record.ids) {
      ids_.insert_or_assign({record.queue, generation, known.id},
                            KnownMessage{known.offset, record.time});
    }
  }
  [[nodiscard]] Found find(proto::QueueId queue, std::uint32_t generation,
                           const DeduplicationId& id) const override {
    const auto it = ids_.find({queue, generation, id});
    return it != ids_.end() ? std::optional(it->second) : std::nullopt;
  }

 private:
  std::map<std::tuple<proto::QueueId, std::uint32_t, DeduplicationId>, KnownMessage> ids_;
};

/// What a look at all rows of a store says.
inline proto::Result<RowCheck::Counts> check_rows(const storage::KeyValueStore& store) {
  RowCheck check;
  const auto visited = storage::visit_shard_rows(
      *store.snapshot(),
      [&check](storage::Family family, std::string_view key, std::string_view value) {
        return check.add(family, key, value);
      });
  if (!visited) {
    return visited.error();
  }
  const auto whole = check.finish();
  return whole ? proto::Result<RowCheck::Counts>(check.counts()) : whole.error();
}

struct CoreRig {
  ShardState state{100};
  MemorySource batches;
  MemoryAttempts attempts;
  MemoryIds ids;
  Queue::Effects effects;  // of the newest record; what was freed, of all of them
  std::uint64_t last_nonce = 1000;
  std::map<std::tuple<proto::QueueId, proto::TimeMs, proto::Offset>, CachedBatch> lane;

  CoreRig() { apply(state.decide_start()); }

  void apply(const Record& record) {
    auto freed = std::move(effects.freed);
    effects = {};
    effects.freed = std::move(freed);
    state.apply(record, effects);
    if (const auto* returned = std::get_if<Returned>(&record)) {
      for (const Queue::EndedAttempt& ended : effects.ended) {
        attempts.add(*returned, ended);
      }
    }
    if (const auto* appended = std::get_if<BatchAppended>(&record)) {
      batches.add(appended->log, appended->stored);
    } else if (const auto* known = std::get_if<Deduplicated>(&record)) {
      ids.add(*known, state.queue(known->queue)->counters().generation);
    } else if (const auto* put = std::get_if<Delayed>(&record)) {
      CachedBatch batch = cached(put->stored);
      const proto::Offset last = batch.last_offset;
      lane.insert_or_assign({put->queue, put->due, last}, std::move(batch));
    } else if (const auto* gone = std::get_if<DelayEnded>(&record)) {
      lane.erase({gone->queue, gone->due, gone->last_offset});
    }
  }
  void apply(const std::vector<Record>& records) {
    for (const Record& record : records) {
      apply(record);
    }
  }

  /// As the shard decides it, with all that was ever sent at hand.
  proto::Result<ShardState::SendDecision> decide(SendBatch& batch, proto::TimeMs now) const {
    if (const Queue* queue = batch.topic ? nullptr : state.queue(proto::QueueId{batch.log.value})) {
      batch.ids = deduplication_ids(*queue, batch);
    }
    auto decided = state.decide(batch, ids, now);
    if (!decided) {
      return decided.error();
    }
    return std::get<ShardState::SendDecision>(*std::move(decided));
  }
  proto::QueueId create_queue(const std::string& name, QueueSettings settings = {}) {
    apply(state.decide(CreateQueue{"default", name, std::move(settings), Uuid{7}}).value());
    return state.catalog().queue("default", name).value();
  }
  TopicCreated create_topic(const std::string& name, std::uint32_t partitions) {
    apply(state.decide(CreateTopic{"default", name, {partitions}, Uuid{8}}).value());
    return *state.catalog().topic("default", name).value();
  }
  ProducerStarted start_producer(proto::TimeMs now = kNow) {
    const auto records = state.decide(InitProducer{}, now).value();
    apply(records);
    return std::get<ProducerStarted>(records.front());
  }
  /// Sends one batch; returns its base offset.
  proto::Offset send(proto::QueueId id, const std::vector<std::string>& values,
                     proto::TimeMs now = kNow, proto::BatchBuilder::Producer producer = {}) {
    SendBatch batch = a_batch(proto::LogId{id.value}, values, producer);
    const auto decision = decide(batch, now).value();
    if (decision.record) {
      apply(Record{*decision.record});
    }
    apply(decision.more);
    return decision.base_offset;
  }
  /// The same where each message, as far as there are any, asks for a delay.
  proto::Offset send_delayed(proto::QueueId id, const std::vector<std::string>& values,
                             const std::vector<std::optional<std::int64_t>>& delays_ms,
                             proto::TimeMs now = kNow,
                             proto::BatchBuilder::Producer producer = {}) {
    SendBatch batch = a_batch(proto::LogId{id.value}, values, producer, false, delays_ms);
    const auto decision = decide(batch, now).value();
    apply(decision.more);
    return decision.base_offset;
  }
  /// Everything in a queue's delay lane, the next that is due first.
  std::vector<DelayedBatch> delayed(proto::QueueId id) {
    std::vector<DelayedBatch> rows;
    for (const auto& [key, batch] : lane) {
      if (std::get<0>(key) == id) {
        rows.push_back({std::get<1>(key), batch});
      }
    }
    return rows;
  }
  /// Makes ready what is due.
  void move_due(proto::QueueId id, proto::TimeMs now) {
    apply(state.decide_due(id, delayed(id), now));
  }

  ShardState::DispatchWish wish(proto::QueueId id, std::uint32_t max_messages) {
    ShardState::DispatchWish wanted;
    wanted.queue = id;
    wanted.max_messages = max_messages;
    wanted.max_bytes = 1 << 20;
    wanted.lease_ms = 1000;
    wanted.nonce = ++last_nonce;
    return wanted;
  }
  /// Hands one slice out, or nothing. Throws when the data is not in memory.
  std::optional<Delivery> take(const ShardState::DispatchWish& wanted, proto::TimeMs now) {
    auto step = state.decide(wanted, batches, now);
    while (const auto* aside = std::get_if<Passed>(&step)) {
      apply(Record{*aside});
      step = state.decide(wanted, batches, now);
    }
    if (std::holds_alternative<Need>(step)) {
      throw std::runtime_error("the batch is not in memory");
    }
    auto* given = std::get_if<ShardState::DispatchStep>(&step);
    if (given == nullptr) {
      return std::nullopt;
    }
    apply(Record{given->record});
    return std::move(given->delivery);
  }
  std::optional<Delivery> take(proto::QueueId id, std::uint32_t max_messages, proto::TimeMs now) {
    return take(wish(id, max_messages), now);
  }

  /// Of all places of what is held.
  static proto::SettleRange range(const Delivery& held, proto::SettleKind kind,
                                  std::uint32_t value = 0) {
    return {kind, held.grant, held.nonce, held.base_offset, held.first_index, held.span, value};
  }
  /// Settles and applies; the codes of what failed.
  std::vector<ShardState::SettleDecision::Failure> settle(proto::QueueId id,
                                                          const proto::SettleRange& settled,
                                                          proto::TimeMs now,
                                                          std::string_view reason = {}) {
    const auto decided = state.decide(id, settled, reason, 0, now, std::nullopt);
    const auto& decision = std::get<ShardState::SettleDecision>(decided);
    apply(decision.records);
    return decision.failed;
  }
  /// The code of the only failure; nullopt when all went well.
  std::optional<proto::Errc> outcome(proto::QueueId id, const proto::SettleRange& settled,
                                     proto::TimeMs now) {
    const auto failed = settle(id, settled, now);
    return failed.empty() ? std::nullopt : std::optional(failed.front().code);
  }
  /// Leases of those who are still there, or are gone, that have ended.
  [[nodiscard]] std::optional<ShardState::Records> expired(proto::TimeMs now,
                                                           bool holders_live = true) const {
    return state.decide_expire(
        now, state.next_grant(), [holders_live](const std::string*) { return holders_live; }, 0);
  }
  void expire(proto::TimeMs now, bool holders_live = true) {
    while (const auto records = expired(now, holders_live)) {
      apply(*records);
    }
  }
  /// One step of the move to the dead-letter queue.
  [[nodiscard]] std::optional<ShardState::Records> dead_letters(proto::QueueId id,
                                                                proto::TimeMs now) const {
    const auto step = state.decide_dead_letter(id, batches, attempts, now);
    const auto* records = std::get_if<ShardState::Records>(&step);
    return records != nullptr ? std::optional(*records) : std::nullopt;
  }
  [[nodiscard]] QueueInfo info(proto::QueueId id, proto::TimeMs now) const {
    return state.info(*state.queue(id), now);
  }
  void commit(storage::MemoryStore& store) {
    const storage::WriteBatch rows = state.take_rows();
    const std::array<const storage::WriteBatch*, 1> all = {&rows};
    store.commit(all).value();
  }
};

/// Live messages by state, counted one by one.
inline RunCounts count_one_by_one(const Queue& queue) {
  RunCounts counts;
  for (const auto& [last, batch] : queue.touched_batches()) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const Run* run = batch.run_at(i);
      if (batch.acked(i) || run == nullptr) {
        continue;
      }
      counts.leased += run->state == RunState::kLeased ? 1 : 0;
      counts.returned += run->state == RunState::kReturned ? 1 : 0;
      counts.dying += run->state == RunState::kDying ? 1 : 0;
      counts.parked += run->state == RunState::kParked ? 1 : 0;
    }
  }
  return counts;
}

}  // namespace weir::core::test
