#include "broker/core/attempt.hpp"

namespace weir::core {

std::string_view name(ReturnCause cause) {
  switch (cause) {
    case ReturnCause::kReleased:
      return "released";
    case ReturnCause::kFailed:
      return "failed";
    case ReturnCause::kPoison:
      return "poison";
    case ReturnCause::kTransient:
      return "transient";
    case ReturnCause::kNotNow:
      return "not_now";
    case ReturnCause::kExpired:
      return "expired";
    case ReturnCause::kLost:
      return "lost";
    case ReturnCause::kUnsaid:
      break;
  }
  return "unsaid";
}

}  // namespace weir::core
