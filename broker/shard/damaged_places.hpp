#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

namespace weir::shard {

/// Where stored message data could not be read, so that nobody tries again and again. Soft: a
/// restart finds by itself what is still damaged. Bounded: beyond kMaxPlaces the one that was found
/// first is forgotten, and is found again by whoever needs it.
class DamagedPlaces {
 public:
  static constexpr std::size_t kMaxPlaces = 1024;
  struct Place {
    proto::LogId log;
    std::uint32_t generation = 0;
    proto::Offset offset = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  /// False when it was known.
  bool add(const Place& place, const proto::Error& why);
  /// Why it cannot be read, or nullptr when nothing is known against it.
  [[nodiscard]] const proto::Error* find(const Place& place) const;
  void clear();

 private:
  std::map<Place, proto::Error> places_;
  std::deque<Place> order_;
};

}  // namespace weir::shard
