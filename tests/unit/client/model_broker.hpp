#pragma once

#include "proto/batch/record_batch.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sdk::test {

/// What a broker does with idempotent producers, by Kafka's rules and nothing else: the next
/// sequence is stored, one of the last five batches is a duplicate, everything else is out of
/// order.
class ModelBroker {
 public:
  /// Answers one batch for one partition.
  proto::SentEntry append(std::uint32_t partition, std::string_view batch) {
    proto::SentEntry entry;
    const auto columns = proto::validate_batch(batch, proto::BatchUse::kTopic);
    if (!columns) {
      entry.code = static_cast<std::uint16_t>(columns.error().code);
      return entry;
    }
    const proto::BatchHeader& header = columns->header;
    Fence& fence = epochs_[header.producer_id];
    if (header.producer_epoch < fence.epoch) {
      entry.code = static_cast<std::uint16_t>(proto::Errc::kProducerFenced);
      return entry;
    }
    fence.epoch = header.producer_epoch;
    Producer& producer = producers_[{partition, header.producer_id}];
    if (producer.epoch != header.producer_epoch) {
      producer = Producer();
      producer.epoch = header.producer_epoch;
    }
    for (const Remembered& known : producer.last) {
      if (known.base_sequence == header.base_sequence && known.count == header.record_count) {
        entry.flags = proto::SentEntry::kDuplicate;
        entry.base_offset = known.base_offset;
        return entry;
      }
    }
    if (header.base_sequence != producer.next) {
      ++out_of_order;
      entry.code = static_cast<std::uint16_t>(proto::Errc::kOutOfOrderSequence);
      return entry;
    }
    auto& log = logs[partition];
    entry.base_offset = static_cast<proto::Offset>(log.size());
    std::string scratch;
    const auto records = proto::batch_records(batch, header, proto::kMaxBatchBytes, scratch);
    static_cast<void>(proto::for_each_record(
        *records, header.record_count,
        [&log](const proto::RecordView& record) { log.emplace_back(*record.value); }));
    producer.next = header.base_sequence + header.record_count;
    producer.last.push_back({header.base_sequence, header.record_count, entry.base_offset});
    if (producer.last.size() > 5) {
      producer.last.pop_front();
    }
    return entry;
  }

  /// A fresh id, or the next epoch; epoch -1 when the previous one is fenced.
  std::pair<std::uint64_t, int> init_producer(std::uint64_t previous, std::uint32_t epoch) {
    if (previous == 0) {
      return {++next_producer_, 0};
    }
    Fence& fence = epochs_[static_cast<std::int64_t>(previous)];
    if (static_cast<int>(epoch) != fence.epoch) {
      return {previous, -1};
    }
    return {previous, ++fence.epoch};
  }

  /// Forgets the sequences of everybody, as after the loss of a disk.
  void forget_producers() { producers_.clear(); }

  std::map<std::uint32_t, std::vector<std::string>> logs;
  std::uint64_t out_of_order = 0;

 private:
  struct Fence {
    int epoch = 0;
  };
  struct Remembered {
    std::int32_t base_sequence;
    std::int32_t count;
    proto::Offset base_offset;
  };
  struct Producer {
    int epoch = 0;
    std::int32_t next = 0;
    std::deque<Remembered> last;
  };

  std::uint64_t next_producer_ = 0;
  std::map<std::int64_t, Fence> epochs_;
  std::map<std::pair<std::uint32_t, std::int64_t>, Producer> producers_;
};

}  // namespace weir::sdk::test
