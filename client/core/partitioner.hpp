#pragma once

#include <cstdint>
#include <string_view>

namespace weir::sdk {

/// MurmurHash2, 32 bit, as Kafka's Java client computes it (seed 0x9747b28c), so that a key goes to
/// the partition where Kafka's clients would put it.
/// Source: org.apache.kafka.common.utils.Utils.murmur2.
[[nodiscard]] std::uint32_t murmur2(std::string_view bytes);

/// Which partition a record with this key belongs to. `partitions` is at least 1.
[[nodiscard]] std::uint32_t partition_of_key(std::string_view key, std::uint32_t partitions);

/// For records without a key: one partition until its batch is complete, then the next.
class StickyPartition {
 public:
  explicit StickyPartition(std::uint32_t first) : current_(first) {}

  [[nodiscard]] std::uint32_t current(std::uint32_t partitions) const {
    return current_ % partitions;
  }
  void advance() { ++current_; }

 private:
  std::uint32_t current_;
};

}  // namespace weir::sdk
