#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

// The lines that the modes of weir-hostile print: a name and a number.
namespace weir::hostile {

inline void print(std::string_view what, std::int64_t count) {
  std::printf("%-28.*s %lld\n", static_cast<int>(what.size()), what.data(),
              static_cast<long long>(count));
}
inline void print(std::string_view what, std::uint64_t count) {
  print(what, static_cast<std::int64_t>(count));
}

inline std::int64_t percentile(const std::vector<std::int64_t>& sorted, std::size_t per_cent) {
  return sorted.empty() ? 0 : sorted[(sorted.size() - 1) * per_cent / 100];
}

}  // namespace weir::hostile
