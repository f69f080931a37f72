#pragma once

#include "proto/batch/record_batch.hpp"

#include <cstddef>
#include <cstdint>

// Where the fields of a batch's header lie. Internal to the batch codec.
namespace weir::proto {

inline constexpr std::size_t kBaseOffsetAt = 0;
inline constexpr std::size_t kBatchLengthAt = 8;
/// The length field counts from here on.
inline constexpr std::size_t kLengthCountsFrom = 12;
inline constexpr std::size_t kLeaderEpochAt = 12;
inline constexpr std::size_t kMagicAt = 16;
inline constexpr std::size_t kCrcAt = 17;
/// The checksum counts from here on.
inline constexpr std::size_t kAttributesAt = 21;
inline constexpr std::size_t kLastOffsetDeltaAt = 23;
inline constexpr std::size_t kBaseTimestampAt = 27;
inline constexpr std::size_t kMaxTimestampAt = 35;
inline constexpr std::size_t kProducerIdAt = 43;
inline constexpr std::size_t kProducerEpochAt = 51;
inline constexpr std::size_t kBaseSequenceAt = 53;
inline constexpr std::size_t kRecordCountAt = 57;
static_assert(kRecordCountAt + 4 == kBatchHeaderBytes);

inline constexpr std::uint8_t kMagic = 2;

/// Attribute bits with a meaning to us: codec, timestamp type, transactional, control.
inline constexpr std::uint16_t kKnownAttributes = 0x3f;

}  // namespace weir::proto
