#pragma once

#include "proto/batch/record_batch.hpp"
#include "proto/batch/varint.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// One record taken apart without allocating: what decoding and checking have in common. Internal to
// the batch codec.
namespace weir::proto {

/// Length prefix, attributes, both deltas, two lengths and the header count, all of one byte.
inline constexpr std::size_t kMinRecordBytes = 7;
/// Two lengths of one byte.
inline constexpr std::size_t kMinHeaderBytes = 2;

/// Bytes of a record, or their absence (which is not the same as no bytes).
struct FieldPart {
  const char* at = nullptr;
  std::int32_t length = -1;  // -1: none

  [[nodiscard]] std::size_t bytes() const {
    return length > 0 ? static_cast<std::size_t>(length) : 0;
  }
  [[nodiscard]] std::optional<std::string_view> view() const {
    return length < 0 ? std::nullopt : std::optional(std::string_view(at, bytes()));
  }
};

struct RecordParts {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t header_count = 0;
  FieldPart key;
  FieldPart value;
  const char* headers = nullptr;
  const char* end = nullptr;  // behind the record
};

/// Reads a length and that many bytes. nullptr when malformed.
[[nodiscard]] inline const char* read_field(const char* at, const char* end, FieldPart& field) {
  at = read_varint(at, end, field.length);
  if (at == nullptr || field.length < -1 || field.length > end - at) {
    return nullptr;
  }
  field.at = at;
  return at + field.bytes();
}

/// Takes the record at the front of [at, end) apart, up to its headers. False when malformed.
[[nodiscard]] inline bool read_record_parts(const char* at, const char* end, RecordParts& parts) {
  std::int32_t length = 0;
  at = read_varint(at, end, length);
  if (at == nullptr || length < 1 || length > end - at) {
    return false;
  }
  end = at + length;
  parts.end = end;
  ++at;  // attributes: no bit has a meaning yet
  at = read_varint(at, end, parts.timestamp_delta);
  if (at == nullptr) {
    return false;
  }
  at = read_varint(at, end, parts.offset_delta);
  if (at == nullptr) {
    return false;
  }
  at = read_field(at, end, parts.key);
  if (at == nullptr) {
    return false;
  }
  at = read_field(at, end, parts.value);
  if (at == nullptr) {
    return false;
  }
  at = read_varint(at, end, parts.header_count);
  if (at == nullptr) {
    return false;
  }
  parts.headers = at;
  return parts.header_count >= 0 && static_cast<std::size_t>(parts.header_count) <=
                                        static_cast<std::size_t>(end - at) / kMinHeaderBytes;
}

/// Reads one header from [at, end); nullptr when malformed.
[[nodiscard]] inline const char* read_header(const char* at, const char* end, Header& header) {
  FieldPart key;
  at = read_field(at, end, key);
  if (at == nullptr || key.length < 0) {
    return nullptr;
  }
  FieldPart value;
  at = read_field(at, end, value);
  header.key = std::string_view(key.at, key.bytes());
  header.value = value.view();
  return at;
}

}  // namespace weir::proto
