#include "broker/core/send_part.hpp"

#include "broker/core/rebuilt_batch.hpp"
#include "proto/assert.hpp"
#include "proto/batch/stored_batch.hpp"

#include <string_view>
#include <utility>

namespace weir::core {

SendPart::SendPart(const SendBatch& send, proto::TimeMs now)
    : send_(send), now_(now), builder_(proto::kStoredHeaderBytes) {}

void SendPart::add(std::uint32_t index) {
  const std::string_view batch = std::string_view(send_.stored).substr(proto::kStoredHeaderBytes);
  const auto decoded = proto::decode_record(batch.substr(send_.columns.records[index].position));
  WEIR_ASSERT(decoded.has_value(), "a batch was checked when it came");
  builder_.add({decoded->record.key, decoded->record.value, decoded->record.headers,
                proto::timestamp_of(send_.columns.header.base_timestamp, decoded->record)});
}

proto::SharedBytes SendPart::finish(proto::Offset base_offset, proto::Offset prev_last_offset,
                                    std::uint32_t epoch) {
  return finish_rebuilt(builder_, base_offset, prev_last_offset, epoch, now_);
}

BatchAppended append_whole(SendBatch& send, const LogEnd& end, std::uint32_t epoch,
                           proto::TimeMs now) {
  const proto::BatchHeader& header = send.columns.header;
  BatchAppended record;
  record.log = end.log;
  record.topic = send.topic;
  record.base_offset = end.next_offset;
  record.count = send.columns.count();
  record.time = now;
  record.producer_id = header.producer_id;
  record.producer_epoch = static_cast<std::uint16_t>(header.producer_epoch);
  record.base_sequence = header.base_sequence;
  record.stored =
      stamped(std::move(send.stored), {proto::StoredKind::kData, now, end.prev_last_offset},
              end.next_offset, epoch);
  return record;
}

}  // namespace weir::core
