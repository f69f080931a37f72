#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::proto::test {

/// A batch that another implementation of the format has encoded (tests/data/recordbatch.json, made
/// with the encoder of python3-kafka 2.0.2).
struct GoldenVector {
  std::string codec;                       // "none", "gzip", "snappy", "lz4" or "zstd"
  std::array<std::int64_t, 3> producer{};  // id, epoch, first sequence
  std::string bytes;
  std::int32_t records = 0;
};

std::vector<GoldenVector> golden_vectors();

}  // namespace weir::proto::test
