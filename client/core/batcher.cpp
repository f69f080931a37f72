#include "client/core/batcher.hpp"

#include "proto/assert.hpp"

#include <utility>

namespace weir::sdk {

namespace {

// The records that are wanted by their index.
template <class Wanted>
proto::BatchBuilder rebuild(std::string_view batch, Wanted is_wanted) {
  proto::BatchBuilder builder;
  const proto::Result<proto::BatchHeader> header = proto::parse_batch_header(batch);
  WEIR_ASSERT(header.has_value(), "the batch is our own");
  std::string scratch;
  const proto::Result<std::string_view> records =
      proto::batch_records(batch, *header, proto::kMaxBatchBytes, scratch);
  WEIR_ASSERT(records.has_value(), "the batch is our own");
  std::size_t index = 0;
  const proto::Result<> walked =
      proto::for_each_record(*records, header->record_count, [&](const proto::RecordView& record) {
        if (is_wanted(index++)) {
          proto::RecordInput input;
          input.key = record.key;
          input.value = record.value;
          input.headers = record.headers;
          input.timestamp = proto::timestamp_of(header->base_timestamp, record);
          builder.add(input);
        }
      });
  WEIR_ASSERT(walked.has_value(), "the batch is our own");
  return builder;
}

}  // namespace

proto::BatchBuilder rebuild_alive(std::string_view batch, WaiterList& waiters) {
  proto::BatchBuilder builder =
      rebuild(batch, [&waiters](std::size_t index) { return waiters.is_alive(index); });
  waiters.close_gaps();
  return builder;
}

proto::BatchBuilder rebuild_range(std::string_view batch, std::size_t first, std::size_t end) {
  return rebuild(batch, [=](std::size_t index) { return index >= first && index < end; });
}

bool Batcher::fits(const WaitingBatch& batch, std::size_t record_bytes, bool is_delayed) const {
  return batch.round == round_ && batch.is_delayed == is_delayed &&
         batch.builder.count() < limits_.max_records &&
         batch.builder.bytes() + record_bytes <= limits_.max_bytes;
}

std::size_t Batcher::add(const proto::RecordInput& record, SendCallback callback,
                         TimePoint deadline) {
  // The producer puts it in front of the application's.
  const bool is_delayed =
      !record.headers.empty() && record.headers.front().key == proto::kHeaderDelay;
  std::size_t bytes = batches_.empty() ? 0 : batches_.back().builder.bytes_of(record);
  if (batches_.empty() || !fits(batches_.back(), bytes, is_delayed)) {
    WaitingBatch& fresh = batches_.emplace_back();
    fresh.waiters = WaiterList(last_count_);
    fresh.round = round_;
    fresh.is_delayed = is_delayed;
    bytes = fresh.builder.bytes_of(record);
  }
  WaitingBatch& batch = batches_.back();
  batch.builder.add(record);
  batch.waiters.add(std::move(callback), deadline);
  batch.bytes += bytes;
  return bytes;
}

std::size_t Batcher::waiting_bytes() const {
  return batches_.empty() ? 0 : batches_.front().builder.bytes();
}

// A batch that nobody waits for any more gives back its bytes as well.
template <class Take>
void Batcher::drop(WaitingBatch& batch, Dropped& dropped, Take take) {
  const std::size_t before = batch.waiters.alive();
  take(batch.waiters, dropped.callbacks);
  const std::size_t after = batch.waiters.alive();
  if (before != after) {
    dropped.released.push_back({batch.round, before - after, after == 0 ? batch.bytes : 0});
  }
}

void Batcher::forget_dropped() {
  std::erase_if(batches_, [](const WaitingBatch& batch) { return batch.waiters.alive() == 0; });
}

void Batcher::take_expired(TimePoint now, Dropped& expired) {
  for (WaitingBatch& batch : batches_) {
    drop(batch, expired, [now](WaiterList& waiters, std::vector<SendCallback>& callbacks) {
      waiters.take_expired(now, callbacks);
    });
  }
  forget_dropped();
}

void Batcher::take_stopped(Dropped& stopped) {
  for (WaitingBatch& batch : batches_) {
    drop(batch, stopped, [](WaiterList& waiters, std::vector<SendCallback>& callbacks) {
      waiters.take_stopped(callbacks);
    });
  }
  forget_dropped();
}

std::optional<WaitingBatch> Batcher::take(TimePoint now, Dropped& expired) {
  while (!batches_.empty()) {
    WaitingBatch batch = std::move(batches_.front());
    batches_.pop_front();
    last_count_ = batch.waiters.size();
    drop(batch, expired, [now](WaiterList& waiters, std::vector<SendCallback>& callbacks) {
      waiters.take_expired(now, callbacks);
    });
    if (batch.waiters.alive() == 0) {
      continue;
    }
    if (batch.waiters.alive() < batch.waiters.size()) {
      const std::string finished = batch.builder.finish({}, proto::Compression::kNone);
      batch.builder = rebuild_alive(finished, batch.waiters);
    }
    return batch;
  }
  return std::nullopt;
}

void Batcher::take_all(Dropped& all) {
  for (WaitingBatch& batch : batches_) {
    all.released.push_back({batch.round, batch.waiters.alive(), batch.bytes});
    batch.waiters.take_all(all.callbacks);
  }
  batches_.clear();
}

std::optional<TimePoint> Batcher::earliest_deadline() const {
  std::optional<TimePoint> earliest;
  for (const WaitingBatch& batch : batches_) {
    earliest = earlier(earliest, batch.waiters.earliest());
  }
  return earliest;
}

}  // namespace weir::sdk
