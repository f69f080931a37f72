#pragma once

#include "broker/core/record.hpp"
#include "proto/result.hpp"

#include <string>
#include <string_view>

// Records as a replicated log carries them: messages of weir.storage.v1.
namespace weir::core::records {

/// The record, complete: applying what decode() gives back changes the same.
[[nodiscard]] std::string encode(const Record& record);

/// Checks everything that a record says about itself, so that the bytes may come from anywhere:
/// CORRUPT_BATCH when they are damaged, contradict themselves, or hold a field that this version
/// does not know. Whether the record fits the state it is applied to (the queue is there, the
/// offset is the next one) is for the order of the stream to promise; nothing here can tell.
[[nodiscard]] proto::Result<Record> decode(std::string_view bytes);

}  // namespace weir::core::records
