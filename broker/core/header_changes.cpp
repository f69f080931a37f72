#include "broker/core/header_changes.hpp"

#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <cstddef>
#include <string_view>

namespace weir::core {
namespace {

constexpr std::string_view kOwnPrefix = "weir.";
constexpr std::size_t kMaxBytes = 4096;  // of all names and values

}  // namespace

proto::Result<> check(const HeaderChanges& changes) {
  using proto::Errc;
  std::size_t bytes = 0;
  const auto is_free = [&bytes](const std::string& name) {
    bytes += name.size();
    return !name.empty() && !name.starts_with(kOwnPrefix);
  };
  const auto refused = [](const std::string& name) {
    return proto::fail(Errc::kInvalidArgument,
                       "a header '" + proto::printable(name) +
                           "' cannot be changed: a name is not empty, and those that begin with "
                           "'weir.' are the broker's own");
  };
  for (const auto& [name, value] : changes.set) {
    if (!is_free(name)) {
      return refused(name);
    }
    bytes += value.size();
  }
  for (const std::string& name : changes.remove) {
    if (!is_free(name)) {
      return refused(name);
    }
  }
  if (changes.set.size() + changes.remove.size() > proto::kMaxHeaders || bytes > kMaxBytes) {
    return proto::fail(Errc::kLimitExceeded, "at most " + std::to_string(proto::kMaxHeaders) +
                                                 " headers may be changed, with " +
                                                 std::to_string(kMaxBytes) +
                                                 " bytes of names and values");
  }
  return {};
}

}  // namespace weir::core
