#include "proto/settlement.hpp"

#include "proto/limits.hpp"
#include "proto/utf8.hpp"

#include <algorithm>

namespace weir::proto {

Error settle_error(Errc code) {
  if (code == Errc::kLimitExceeded) {
    return make_error(code, "a lease ends at most " + std::to_string(kMaxLeaseMs) +
                                " ms (12 h) after the message was handed out");
  }
  return make_error(code);
}

std::string reason_of(std::string_view words) {
  std::string reason;
  reason.reserve(std::min(words.size(), kMaxReasonBytes));
  while (!words.empty()) {
    const std::size_t bytes = utf8_character_bytes(words);
    const std::size_t taken = std::max<std::size_t>(bytes, 1);
    if (reason.size() + taken > kMaxReasonBytes) {
      break;
    }
    reason.append(bytes == 0 ? "?" : words.substr(0, bytes));
    words.remove_prefix(taken);
  }
  return reason;
}

void say_in_protocol_1(std::vector<SettleRange>& ranges) {
  for (SettleRange& range : ranges) {
    range.reason = 0;
    range.value = range.value == kDelayByPolicy ? 0 : range.value;
    // With a pause: what is released there comes again at once.
    if (range.kind == SettleKind::kPoison || range.kind == SettleKind::kTransient ||
        range.kind == SettleKind::kNotNow) {
      range.kind = SettleKind::kNack;
    }
  }
}

}  // namespace weir::proto
