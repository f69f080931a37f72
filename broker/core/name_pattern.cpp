#include "broker/core/name_pattern.hpp"

#include "proto/limits.hpp"

#include <cstddef>
#include <string>

namespace weir::core {

proto::Result<> check_pattern(std::string_view pattern) {
  if (pattern.size() > proto::kMaxPatternBytes) {
    return proto::fail(
        proto::Errc::kInvalidArgument,
        "a pattern has at most " + std::to_string(proto::kMaxPatternBytes) + " characters");
  }
  return {};
}

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) {
    return true;
  }
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t at = 0;
  std::size_t star = kNone;   // the last `*` that was passed
  std::size_t behind_it = 0;  // where the text behind it is tried in the name
  for (std::size_t i = 0; i < name.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      behind_it = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == name[i])) {
      ++at;
      ++i;
    } else if (star != kNone) {
      // That star takes one character more; earlier ones need not, what follows them was found.
      at = star + 1;
      i = ++behind_it;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == kNone;
}

}  // namespace weir::core
