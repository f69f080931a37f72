#pragma once

#include "proto/batch/crc32c.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/varint.hpp"
#include "proto/endian.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Batches by hand, also such as the builder would never make.
namespace weir::proto::test {

template <class Int>
std::string varint(Int value) {
  char bytes[10];
  return std::string(bytes, write_varint(bytes, value));
}

/// A length and the bytes behind it.
inline std::string field(std::string_view bytes) {
  return varint(static_cast<std::int32_t>(bytes.size())) + std::string(bytes);
}

inline std::string no_field() {
  return varint(std::int32_t{-1});
}

/// A record from its body: attributes, deltas and all the rest.
inline std::string record_of(std::string_view body) {
  return field(body);
}

/// A body up to the key's length.
inline std::string body_start(std::int32_t offset_delta, std::int64_t timestamp_delta = 0) {
  return std::string(1, '\0') + varint(timestamp_delta) + varint(offset_delta);
}

/// Length and CRC set to what the bytes are.
inline std::string sealed(std::string batch) {
  store_be<std::int32_t>(batch.data() + 8, static_cast<std::int32_t>(batch.size()) - 12);
  store_be<std::uint32_t>(batch.data() + 17, crc32c(0, std::string_view(batch).substr(21)));
  return batch;
}

template <class Int>
std::string with(std::string batch, std::size_t at, std::type_identity_t<Int> value) {
  store_be<Int>(batch.data() + at, value);
  return batch;
}

/// A sealed batch of these bytes that claims `count` records.
inline std::string batch_of(std::string_view records, std::int32_t count) {
  std::string batch(kBatchHeaderBytes, '\0');
  batch[16] = 2;
  store_be<std::int32_t>(batch.data() + 23, count - 1);
  store_be<std::int64_t>(batch.data() + 43, -1);
  store_be<std::int16_t>(batch.data() + 51, -1);
  store_be<std::int32_t>(batch.data() + 53, -1);
  store_be<std::int32_t>(batch.data() + 57, count);
  return sealed(batch.append(records));
}

/// A batch of plain values as a producer makes it.
inline std::string batch_with_values(const std::vector<std::string>& values,
                                     Compression compression = Compression::kNone) {
  BatchBuilder builder;
  for (const std::string& value : values) {
    RecordInput record;
    record.value = value;
    record.timestamp = 1'700'000'000'000;
    builder.add(record);
  }
  return builder.finish(BatchBuilder::Producer{}, compression);
}

}  // namespace weir::proto::test
