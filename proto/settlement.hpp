#pragma once

#include "proto/error.hpp"
#include "proto/frame/frames.hpp"

#include <string>
#include <string_view>
#include <vector>

// The words of settlements: what consumers say of messages, and what they are told.
namespace weir::proto {

/// What a refused settlement tells a person; a frame brings the code alone.
Error settle_error(Errc code);

/// A handler's words as they are kept: UTF-8, whatever was not replaced by '?', cut to at most
/// kMaxReasonBytes between two characters.
std::string reason_of(std::string_view words);

/// What comes closest in protocol 1, which knows no reasons, no redelivery policy and fewer kinds.
void say_in_protocol_1(std::vector<SettleRange>& ranges);

}  // namespace weir::proto
