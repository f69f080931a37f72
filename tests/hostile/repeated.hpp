#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::hostile {

inline std::string repeated(std::string_view unit, std::size_t count) {
  std::string all;
  all.reserve(unit.size() * count);
  for (std::size_t i = 0; i < count; ++i) {
    all += unit;
  }
  return all;
}

}  // namespace weir::hostile
