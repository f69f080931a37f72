#pragma once

#include "broker/core/attempt.hpp"
#include "broker/core/record.hpp"
#include "weir/storage/v1/rows.pb.h"

#include <optional>

// What is the same in a row and in a record, as messages of weir.storage.v1.
namespace weir::core::messages {

void write(const NamespaceCreated& from, storage::v1::NamespaceRow& to);
void write(const QueueCreated& from, storage::v1::QueueRow& to);
void write(const TopicCreated& from, storage::v1::TopicRow& to);
void write(const TouchedBatch& from, storage::v1::TouchedBatchRow& to);
void write(const Attempt& from, storage::v1::AttemptRow& to);
void write(const Redrive& from, storage::v1::RedriveRow& to);

/// nullopt when the message says what no definition can say: a name or a setting that is refused
/// when it is asked for, a UUID of another size, ids that the allocator does not give.
std::optional<NamespaceCreated> read(const storage::v1::NamespaceRow& from);
std::optional<QueueCreated> read(const storage::v1::QueueRow& from);
std::optional<TopicCreated> read(const storage::v1::TopicRow& from);
/// nullopt, too, for runs outside of the batch, and for a cold batch with something under way.
std::optional<TouchedBatch> read(const storage::v1::TouchedBatchRow& from,
                                 proto::Offset last_offset);

std::optional<Attempt> read(const storage::v1::AttemptRow& from, std::uint16_t number);
/// nullopt, too, for one that is further than its end.
std::optional<Redrive> read(const storage::v1::RedriveRow& from);
std::optional<ReturnCause> read(storage::v1::ReturnCause cause);

using PartRows = google::protobuf::RepeatedPtrField<storage::v1::SentPart>;
void write(const std::vector<SentPart>& from, PartRows& to);
/// Parts of a batch of so many messages, or none.
std::optional<std::vector<SentPart>> read(const PartRows& from, std::uint32_t count);

/// Whether an allocator can have given this number, and can give another one after it.
[[nodiscard]] inline bool is_id(std::uint64_t number) {
  return number != 0 && number < static_cast<std::uint64_t>(INT64_MAX);
}

}  // namespace weir::core::messages
