#include "broker/core/row_codec.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/planted_bugs.hpp"
#include "storage/import.hpp"
#include "storage/key_codec.hpp"

#include <functional>
#include <string>
#include <utility>

// Recovery: the rows are the truth, nothing is replayed.
namespace weir::core {

using proto::Errc;
using proto::fail;
using storage::Family;
using storage::KeyKind;

namespace {

using Row = std::function<proto::Result<>(std::string_view key, std::string_view value)>;

/// Calls `visit` for every row below `prefix`; the first error ends it.
proto::Result<> for_each_row(const storage::Reader& reader, const std::string& prefix,
                             const Row& visit) {
  const auto rows =
      reader.scan(Family::kState, prefix, storage::prefix_end(prefix), {.sequential = true});
  for (; rows->valid(); rows->next()) {
    if (auto done = visit(rows->key(), rows->value()); !done) {
      return done;
    }
  }
  return rows->status();
}

proto::Error bad_key(const char* what) {
  return fail(Errc::kCorruptBatch, std::string("the key of a row of kind '") + what +
                                       "' is damaged or its object is missing");
}

}  // namespace

proto::Result<> ShardState::restore(const storage::Reader& reader) {
  const auto imported = storage::read_import_mark(reader);
  if (!imported) {
    return imported.error();
  }
  if (*imported) {
    imported_ = (*imported)->least_incarnation;
  }
  const auto allocator =
      reader.get(Family::kState, storage::meta_key(storage::MetaRow::kAllocator));
  if (!allocator) {
    return allocator.error();
  }
  if (*allocator) {
    const auto values = rows::decode_allocator(**allocator);
    if (!values) {
      return values.error();
    }
    allocator_ = {values->next_object, values->next_producer, values->next_grant,
                  values->next_grant};
    identity_.incarnation = values->incarnation;
  }
  auto done = for_each_row(reader, storage::kind_prefix(KeyKind::kNamespace),
                           [this](std::string_view, std::string_view value) -> proto::Result<> {
                             const auto row = rows::decode_namespace(value);
                             if (!row) {
                               return row.error();
                             }
                             catalog_.apply(*row);
                             return {};
                           });
  if (!done) {
    return done;
  }
  if (done = restore_queues(reader); !done) {
    return done;
  }
  if (done = restore_redrives(reader); !done) {
    return done;
  }
  if (done = restore_topics(reader); !done) {
    return done;
  }
  return restore_producers(reader);
}

proto::Result<> ShardState::restore_queues(const storage::Reader& reader) {
  auto done = for_each_row(reader, storage::kind_prefix(KeyKind::kQueue),
                           [this](std::string_view, std::string_view value) -> proto::Result<> {
                             const auto row = rows::decode_queue(value);
                             if (!row) {
                               return row.error();
                             }
                             catalog_.apply(*row);
                             queues_.emplace(row->id, Queue(*row));
                             note_dead_letter_queue(*row);
                             return {};
                           });
  if (!done) {
    return done;
  }
  done = for_each_row(
      reader, storage::kind_prefix(KeyKind::kQueueState),
      [this](std::string_view key, std::string_view value) { return restore_lane(key, value); });
  if (!done) {
    return done;
  }
  done = for_each_row(reader, storage::kind_prefix(KeyKind::kTouchedBatch),
                      [this](std::string_view key, std::string_view value) -> proto::Result<> {
                        const auto at = storage::parse_batch_key(KeyKind::kTouchedBatch, key);
                        const auto queue =
                            at ? queues_.find(proto::QueueId{at->id}) : queues_.end();
                        if (queue == queues_.end()) {
                          return bad_key("touched batch");
                        }
                        if (at->generation != queue->second.counters().generation) {
                          return {};  // of a life that was purged; the sweep has not come by yet
                        }
                        auto row = rows::decode_touched(value, at->last_offset);
                        if (!row) {
                          return row.error();
                        }
                        queue->second.restore(std::move(row->batch), row->is_cold);
                        return {};
                      });
  for (const auto& [id, queue] : queues_) {
    reindex(id);
  }
  return done;
}

/// The numbers of a queue's own log, or of another lane: those come behind the queues themselves.
proto::Result<> ShardState::restore_lane(std::string_view key, std::string_view value) {
  const auto id = storage::parse_object_key(KeyKind::kQueueState, key);
  const proto::QueueId lane{id.value_or(0)};
  if (!id || !queues_.contains(proto::home_of(lane))) {
    return bad_key("queue state");
  }
  const auto row = rows::decode_counters(value);
  if (!row) {
    return row.error();
  }
  if (!proto::is_in_lane(lane, row->cursor) || !proto::is_in_lane(lane, row->next_offset)) {
    return bad_key("queue state");
  }
  Queue& queue = queues_.contains(lane) ? queues_.at(lane) : open_lane(lane);
  if (proto::lane_tag(lane) != 0 && row->generation != queue.counters().generation) {
    return bad_key("queue state");
  }
  queue.restore(*row);
  return {};
}

proto::Result<> ShardState::restore_redrives(const storage::Reader& reader) {
  return for_each_row(
      reader, storage::kind_prefix(KeyKind::kRedrive),
      [this](std::string_view key, std::string_view value) -> proto::Result<> {
        auto row = rows::decode_redrive(value);
        if (!row) {
          return row.error();
        }
        if (storage::parse_object_key(KeyKind::kRedrive, key) != row->source.value ||
            !queues_.contains(row->source)) {
          return bad_key("redrive");
        }
        if (WEIR_PLANTED(redrive_forgets_where_it_was) && row->is_running()) {
          row->position = 0;
        }
        redrives_.set(*std::move(row));
        return {};
      });
}

proto::Result<> ShardState::restore_topics(const storage::Reader& reader) {
  auto done = for_each_row(reader, storage::kind_prefix(KeyKind::kTopic),
                           [this](std::string_view, std::string_view value) -> proto::Result<> {
                             const auto row = rows::decode_topic(value);
                             if (!row) {
                               return row.error();
                             }
                             catalog_.apply(*row);
                             std::uint32_t index = 0;
                             for (const proto::PartitionId id : row->partitions) {
                               Partition partition;
                               partition.topic = row->id;
                               partition.index = index++;
                               partitions_.emplace(id, partition);
                             }
                             return {};
                           });
  if (!done) {
    return done;
  }
  return for_each_row(reader, storage::kind_prefix(KeyKind::kPartitionState),
                      [this](std::string_view key, std::string_view value) -> proto::Result<> {
                        const auto id = storage::parse_object_key(KeyKind::kPartitionState, key);
                        const auto it =
                            id ? partitions_.find(proto::PartitionId{*id}) : partitions_.end();
                        if (it == partitions_.end()) {
                          return bad_key("partition state");
                        }
                        return rows::decode_partition(value, it->second);
                      });
}

proto::Result<> ShardState::restore_producers(const storage::Reader& reader) {
  std::map<proto::ProducerId, Producers::Producer> found;
  auto done = for_each_row(reader, storage::kind_prefix(KeyKind::kProducer),
                           [&](std::string_view key, std::string_view value) -> proto::Result<> {
                             const auto id = storage::parse_object_key(KeyKind::kProducer, key);
                             const auto row = rows::decode_producer(value);
                             if (!id) {
                               return bad_key("producer");
                             }
                             if (!row) {
                               return row.error();
                             }
                             Producers::Producer& producer = found[proto::ProducerId{*id}];
                             producer.epoch = row->epoch;
                             producer.used_time = row->used_time;
                             return {};
                           });
  if (!done) {
    return done;
  }
  done = for_each_row(reader, storage::kind_prefix(KeyKind::kProducerWindow),
                      [&](std::string_view key, std::string_view value) -> proto::Result<> {
                        const auto at = storage::parse_producer_window_key(key);
                        const auto producer = at ? found.find(at->producer) : found.end();
                        if (producer == found.end()) {
                          return bad_key("producer window");
                        }
                        auto row = rows::decode_window(value);
                        if (!row) {
                          return row.error();
                        }
                        if (!WEIR_PLANTED(forget_sequences_at_restart)) {
                          producer->second.windows.emplace(at->log, std::move(*row));
                        }
                        return {};
                      });
  for (auto& [id, producer] : found) {
    producers_.restore(id, std::move(producer));
  }
  return done;
}

}  // namespace weir::core
