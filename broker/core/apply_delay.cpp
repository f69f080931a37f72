#include "broker/core/row_codec.hpp"
#include "broker/core/shard_state.hpp"
#include "storage/key_codec.hpp"

#include <string>

// What records do to messages that are put off, and the rows that follow from it: one with the
// messages, by due time, and one that finds it by their offsets. And to what is known of a send
// without its batch.
namespace weir::core {

using storage::Family;
using storage::KeyKind;

void ShardState::apply_one(const Delayed& record, Queue::Effects&) {
  Queue& queue = change(record.queue);
  queue.apply(record);
  const std::uint32_t generation = queue.counters().generation;
  const proto::Offset last = record.base_offset + record.count - 1;
  rows_.put(
      Family::kLog,
      storage::timed_batch_key(KeyKind::kDelayed, record.queue.value, generation, record.due, last),
      record.stored);
  rows_.put(Family::kState,
            storage::batch_key(KeyKind::kDelayIndex, record.queue.value, generation, last),
            rows::encode(rows::DelayIndex{record.due, record.count}));
  reindex(record.queue);
}

void ShardState::apply_one(const DelayEnded& record, Queue::Effects&) {
  Queue& queue = change(record.queue);
  queue.apply(record);
  const std::uint32_t generation = queue.counters().generation;
  rows_.remove(Family::kLog, storage::timed_batch_key(KeyKind::kDelayed, record.queue.value,
                                                      generation, record.due, record.last_offset));
  rows_.remove(Family::kState, storage::batch_key(KeyKind::kDelayIndex, record.queue.value,
                                                  generation, record.last_offset));
}

void ShardState::apply_one(const SequenceTaken& record, Queue::Effects&) {
  producers_.apply(record);
  changed_windows_.emplace(proto::ProducerId{static_cast<std::uint64_t>(record.producer_id)},
                           record.log);
}

void ShardState::apply_one(const Deduplicated& record, Queue::Effects&) {
  Queue& queue = change(record.queue);
  const std::uint32_t generation = queue.counters().generation;
  for (const proto::TimeMs part : queue.counters().deduplication_parts) {
    if (part < record.first_part) {
      const std::string prefix = storage::deduplication_prefix(record.queue, generation, part);
      rows_.remove_range(Family::kState, prefix, storage::prefix_end(prefix));
    }
  }
  queue.apply(record);
  for (const Deduplicated::Id& known : record.ids) {
    rows_.put(Family::kState,
              storage::deduplication_key(record.queue, generation, record.part, known.id),
              rows::encode(KnownMessage{known.offset, record.time}));
  }
}

}  // namespace weir::core
