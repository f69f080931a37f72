#include "broker/core/producers.hpp"

#include "proto/assert.hpp"
#include "proto/lanes.hpp"
#include "proto/limits.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>

namespace weir::core {

std::int32_t next_sequence(std::int32_t base_sequence, std::uint32_t count) {
  constexpr std::int64_t kModulus = std::int64_t{1} << 31;
  return static_cast<std::int32_t>((static_cast<std::int64_t>(base_sequence) + count) % kModulus);
}

proto::Result<std::optional<SentBatch>> Producers::check(proto::LogId log, std::int64_t id,
                                                         std::int16_t epoch,
                                                         std::int32_t base_sequence,
                                                         std::uint32_t count) const {
  if (id < 0) {
    return std::optional<SentBatch>{};
  }
  const Producer* producer = find(proto::ProducerId{static_cast<std::uint64_t>(id)});
  if (producer == nullptr) {
    return proto::fail(proto::Errc::kProducerFenced,
                       "producer " + std::to_string(id) + " is not known, or was idle too long");
  }
  if (WEIR_PLANTED(accept_fenced_producer)) {
    epoch = static_cast<std::int16_t>(producer->epoch);
  }
  if (epoch < 0 || static_cast<std::uint16_t>(epoch) < producer->epoch) {
    return proto::fail(proto::Errc::kProducerFenced,
                       "producer " + std::to_string(id) + " has epoch " +
                           std::to_string(producer->epoch) + ", not " + std::to_string(epoch));
  }
  if (static_cast<std::uint16_t>(epoch) > producer->epoch || base_sequence < 0) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "this producer epoch was not given out, or the sequence is negative");
  }
  const auto window = producer->windows.find(log);
  std::int32_t expected = 0;
  if (window != producer->windows.end() && window->second.epoch == producer->epoch &&
      !window->second.batches.empty()) {
    for (const SentBatch& sent : window->second.batches) {
      if (sent.base_sequence == base_sequence && sent.count == count) {
        return std::optional<SentBatch>{sent};
      }
    }
    const SentBatch& last = window->second.batches.back();
    expected = next_sequence(last.base_sequence, last.count);
  }
  if (base_sequence != expected && !WEIR_PLANTED(accept_sequence_gaps)) {
    return proto::fail(
        proto::Errc::kOutOfOrderSequence,
        "sequence " + std::to_string(expected) + " is next, not " + std::to_string(base_sequence));
  }
  return std::optional<SentBatch>{};
}

const Producers::Producer* Producers::find(proto::ProducerId id) const {
  const auto it = producers_.find(id);
  return it != producers_.end() ? &it->second : nullptr;
}

std::optional<std::pair<proto::TimeMs, proto::ProducerId>> Producers::oldest() const {
  if (by_use_.empty()) {
    return std::nullopt;
  }
  return *by_use_.begin();
}

void Producers::touch(proto::ProducerId id, Producer& producer, proto::TimeMs time) {
  by_use_.erase({producer.used_time, id});
  producer.used_time = std::max(producer.used_time, time);
  by_use_.emplace(producer.used_time, id);
}

void Producers::apply(const ProducerStarted& record) {
  Producer& producer = producers_[record.id];
  producer.epoch = record.epoch;
  touch(record.id, producer, record.time);
}

std::vector<proto::LogId> Producers::apply(const ProducerForgotten& record) {
  std::vector<proto::LogId> logs;
  const auto it = producers_.find(record.id);
  WEIR_ASSERT(it != producers_.end(), "only a known producer is forgotten");
  for (const auto& [log, window] : it->second.windows) {
    logs.push_back(log);
    leave(log, record.id);
  }
  by_use_.erase({it->second.used_time, record.id});
  producers_.erase(it);
  return logs;
}

void Producers::leave(proto::LogId log, proto::ProducerId producer) {
  const auto it = by_log_.find(log);
  it->second.erase(producer);
  if (it->second.empty()) {
    by_log_.erase(it);
  }
}

std::vector<proto::ProducerId> Producers::forget(proto::LogId log) {
  const auto it = by_log_.find(log);
  if (it == by_log_.end()) {
    return {};
  }
  const std::vector<proto::ProducerId> had_one(it->second.begin(), it->second.end());
  by_log_.erase(it);
  for (const proto::ProducerId id : had_one) {
    producers_.at(id).windows.erase(log);
  }
  return had_one;
}

void Producers::append(const BatchAppended& record) {
  if (record.producer_id >= 0) {
    apply(SequenceTaken{proto::home_of(record.log), record.producer_id, record.producer_epoch,
                        record.base_sequence, record.count, record.base_offset, record.time});
  }
}

void Producers::apply(const SequenceTaken& record) {
  const proto::ProducerId id{static_cast<std::uint64_t>(record.producer_id)};
  const auto it = producers_.find(id);
  WEIR_ASSERT(it != producers_.end(), "a batch of an unknown producer is refused");
  const auto [place, is_new] = it->second.windows.try_emplace(record.log);
  if (is_new) {
    by_log_[record.log].insert(id);
  }
  ProducerWindow& window = place->second;
  if (window.epoch != record.producer_epoch) {
    window.epoch = record.producer_epoch;
    window.batches.clear();
  }
  window.batches.push_back(
      {record.base_sequence, record.count, record.base_offset, record.time, record.parts});
  if (window.batches.size() >
      (WEIR_PLANTED(remember_one_batch) ? 1 : proto::kMaxUnconfirmedBatches)) {
    window.batches.pop_front();
  }
  touch(id, it->second, record.time);
}

void Producers::restore(proto::ProducerId id, Producer producer) {
  for (const auto& [log, window] : producer.windows) {
    by_log_[log].insert(id);
    for (const SentBatch& sent : window.batches) {
      producer.used_time = std::max(producer.used_time, sent.append_time);
    }
  }
  by_use_.emplace(producer.used_time, id);
  producers_.insert_or_assign(id, std::move(producer));
}

}  // namespace weir::core
