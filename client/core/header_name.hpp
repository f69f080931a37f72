#pragma once

#include "proto/error.hpp"
#include "proto/result.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace weir::sdk {

inline constexpr std::size_t kMaxHeaderNameBytes = 255;

/// INVALID_ARGUMENT unless a person can read and type a header's name. The broker keeps any, since
/// other protocols know such.
inline proto::Result<> check_header_name(std::string_view name) {
  const auto is_printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (name.empty() || name.size() > kMaxHeaderNameBytes ||
      !std::ranges::all_of(name, is_printable)) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "the message has a header whose name is not 1 to " +
                           std::to_string(kMaxHeaderNameBytes) + " printable ASCII characters");
  }
  return {};
}

}  // namespace weir::sdk
