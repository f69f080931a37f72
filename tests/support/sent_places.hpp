#pragma once

#include "proto/frame/frames.hpp"

#include <cstdint>
#include <vector>

namespace weir::test {

/// Where one message of a batch lies that was taken.
struct SentPlace {
  proto::Offset offset = 0;
  bool is_known = false;      // by its deduplication id, from before
  bool is_elsewhere = false;  // in another lane than the batch
};

/// Of each message of a batch of so many, in their order, as the answer to the send tells it.
[[nodiscard]] inline std::vector<SentPlace> places_of(const proto::SentEntry& entry,
                                                      std::uint32_t count) {
  std::vector<SentPlace> places;
  auto known = entry.known.begin();
  auto elsewhere = entry.elsewhere.begin();
  proto::Offset next = entry.base_offset;
  for (std::uint32_t i = 0; i < count; ++i) {
    SentPlace& place = places.emplace_back();
    place.is_known = known != entry.known.end() && known->index == i;
    place.is_elsewhere = elsewhere != entry.elsewhere.end() && elsewhere->index == i;
    place.offset = place.is_known       ? (known++)->offset
                   : place.is_elsewhere ? (elsewhere++)->offset
                                        : next++;
  }
  return places;
}

}  // namespace weir::test
