#include "client/core/reader_machine.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

// What a broker may send as one batch: those of producers are smaller, those that it rebuilds as
// well.
constexpr std::size_t kMaxWireBatchBytes = std::size_t{16} << 20;

}  // namespace

ReaderMachine::ReaderMachine(const ReaderOptions& options) : options_(options) {}

ReaderMachine::Request ReaderMachine::request() const {
  Request request;
  request.window_messages = options_.window_messages();
  request.window_bytes = options_.window_bytes();
  if (!has_begun_) {
    request.partitions = options_.partitions();
    request.from = options_.from();
    return request;
  }
  for (const auto& [number, partition] : partitions_) {
    if (!partition.finished()) {
      request.partitions.emplace_back(number, StartPosition::offset(partition.position.offset));
    }
  }
  return request;
}

void ReaderMachine::on_subscribed(const std::vector<PartitionPosition>& positions) {
  for (const PartitionPosition& position : positions) {
    Partition& partition =
        partitions_.try_emplace(position.partition, kMaxWireBatchBytes).first->second;
    partition.position = position;
    partition.behind_waiting = position.offset;
    if (!has_begun_) {
      partition.stop = options_.to();
      if (options_.stop_at_end()) {
        partition.stop =
            std::min(position.high_watermark, partition.stop.value_or(position.high_watermark));
      }
    }
  }
  has_begun_ = true;
}

proto::Result<> ReaderMachine::admit(std::size_t bytes) {
  received_bytes_ += bytes;
  // A batch travels whole, so one may be above the window.
  if (received_bytes_ - told_bytes_ > options_.window_bytes() + kMaxWireBatchBytes) {
    return proto::fail(proto::Errc::kMalformed, "records of more than there is credit for");
  }
  return {};
}

proto::Result<> ReaderMachine::on_records(const proto::Records& frame) {
  const auto found = partitions_.find(frame.partition);
  if (found == partitions_.end()) {
    return proto::fail(proto::Errc::kMalformed, "records of a partition that was not asked for");
  }
  Partition& partition = found->second;
  partition.position.high_watermark =
      std::max(partition.position.high_watermark, frame.high_watermark);
  std::string_view piece = frame.bytes;
  while (true) {
    proto::Result<std::optional<RecordAssembler::WholeBatch>> batch =
        partition.assembler.take(piece);
    if (!batch) {
      return batch.error();
    }
    if (!*batch) {
      break;
    }
    arrive(partition, frame.partition, std::move(**batch));
  }
  if (partition.assembler.buffered() == 0) {
    partition.behind_waiting = std::max(partition.behind_waiting, frame.next_offset);
  }
  if (partition.waiting == 0) {
    partition.position.offset = std::max(partition.position.offset, partition.behind_waiting);
  }
  return {};
}

void ReaderMachine::arrive(Partition& partition, std::uint32_t number,
                           RecordAssembler::WholeBatch batch) {
  partition.behind_waiting = std::max(partition.behind_waiting, batch.header.last_offset() + 1);
  const bool is_behind_stop = partition.stop && batch.header.base_offset >= *partition.stop;
  const bool is_known = batch.header.last_offset() < partition.position.offset;
  if (partition.finished() || is_behind_stop || is_known || batch.header.control()) {
    consume(batch.header, batch.bytes.size());
    return;
  }
  WaitingBatch& waiting = waiting_.emplace_back();
  waiting.partition = number;
  waiting.header = batch.header;
  waiting.wire_bytes = batch.bytes.size();
  waiting.bytes = std::make_shared<const std::string>(std::move(batch.bytes));
  waiting.records_left = batch.header.record_count;
  ++partition.waiting;
}

void ReaderMachine::on_session_lost() {
  waiting_.clear();
  front_is_open_ = false;
  end_.reset();
  for (auto& [number, partition] : partitions_) {
    partition.assembler.clear();
    partition.waiting = 0;
  }
  consumed_messages_ = consumed_bytes_ = told_messages_ = told_bytes_ = received_bytes_ = 0;
}

// Unpacks the batch, as late as possible: only what the application reads is held unpacked.
proto::Result<> ReaderMachine::open(WaitingBatch& batch) const {
  std::string unpacked;
  const proto::Result<std::string_view> records =
      proto::batch_records(*batch.bytes, batch.header, options_.max_batch_bytes(), unpacked);
  if (!records) {
    return records.error();
  }
  batch.unread = *records;
  if (batch.header.compression() != proto::Compression::kNone) {
    batch.bytes = std::make_shared<const std::string>(std::move(unpacked));
    batch.unread = *batch.bytes;
  }
  return {};
}

proto::Result<std::optional<ReadRecord>> ReaderMachine::next() {
  while (!waiting_.empty()) {
    WaitingBatch& batch = waiting_.front();
    if (!front_is_open_) {
      if (const proto::Result<> opened = open(batch); !opened) {
        return opened.error();
      }
      front_is_open_ = true;
    }
    Partition& partition = partitions_.at(batch.partition);
    if (batch.records_left == 0 || partition.finished()) {
      finish_batch(batch);
      continue;
    }
    proto::Result<proto::DecodedRecord> decoded = proto::decode_record(batch.unread);
    if (!decoded) {
      return decoded.error();
    }
    if (decoded->record.offset_delta < 0 ||
        decoded->record.offset_delta > batch.header.last_offset_delta) {
      return proto::fail(proto::Errc::kMalformed, "a record lies outside of its batch's offsets");
    }
    batch.unread.remove_prefix(decoded->bytes);
    --batch.records_left;
    const proto::Offset offset = batch.header.base_offset + decoded->record.offset_delta;
    if (offset < partition.position.offset) {
      continue;
    }
    if (partition.stop && offset >= *partition.stop) {
      partition.position.offset = *partition.stop;
      continue;
    }
    partition.position.offset = offset + 1;
    ReadRecord read;
    read.bytes = batch.bytes;
    read.partition = batch.partition;
    read.offset = offset;
    read.timestamp = batch.header.log_append_time()
                         ? batch.header.max_timestamp
                         : proto::timestamp_of(batch.header.base_timestamp, decoded->record);
    read.record = std::move(decoded->record);
    if (batch.records_left == 0) {
      finish_batch(batch);
    }
    return std::optional(std::move(read));
  }
  if (end_ && !finished()) {
    return *end_;
  }
  return std::optional<ReadRecord>();
}

void ReaderMachine::finish_batch(const WaitingBatch& batch) {
  Partition& partition = partitions_.at(batch.partition);
  --partition.waiting;
  const proto::Offset behind =
      partition.waiting == 0 ? partition.behind_waiting : batch.header.last_offset() + 1;
  partition.position.offset = std::max(partition.position.offset, behind);
  consume(batch.header, batch.wire_bytes);
  waiting_.pop_front();
  front_is_open_ = false;
}

void ReaderMachine::consume(const proto::BatchHeader& header, std::uint64_t wire_bytes) {
  consumed_messages_ += static_cast<std::uint64_t>(header.record_count);
  consumed_bytes_ += wire_bytes;
}

bool ReaderMachine::credit_is_due() const {
  return 2 * (consumed_messages_ - told_messages_) >= options_.window_messages() ||
         2 * (consumed_bytes_ - told_bytes_) >= options_.window_bytes();
}

std::optional<proto::Credit> ReaderMachine::take_credit() {
  if (!credit_is_due()) {
    return std::nullopt;
  }
  told_messages_ = consumed_messages_;
  told_bytes_ = consumed_bytes_;
  proto::Credit credit;
  credit.window_messages = options_.window_messages();
  credit.window_bytes = options_.window_bytes();
  credit.consumed_messages = consumed_messages_;
  credit.consumed_bytes = consumed_bytes_;
  return credit;
}

bool ReaderMachine::finished() const {
  return has_begun_ && std::ranges::all_of(
                           partitions_, [](const auto& entry) { return entry.second.finished(); });
}

std::vector<PartitionPosition> ReaderMachine::positions() const {
  std::vector<PartitionPosition> positions;
  positions.reserve(partitions_.size());
  for (const auto& [number, partition] : partitions_) {
    PartitionPosition& position = positions.emplace_back(partition.position);
    position.offset = std::min(position.offset, partition.stop.value_or(position.offset));
  }
  return positions;
}

}  // namespace weir::sdk
