#pragma once

#include "proto/batch/record_batch.hpp"
#include "proto/handle.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <string>

namespace weir::core {

/// Which messages of a queue are meant. What is empty or 0 asks for nothing; the others must all
/// hold.
struct MessageFilter {
  std::string reason = {};        // why it died, as its header tells it
  std::string header = {};        // has a header of this name …
  std::string header_value = {};  // … and value
  std::string key = {};           // of the message
  proto::TimeMs died_after = 0;   // at that time, or later
  proto::TimeMs died_before = 0;
  std::string message_id = {};  // the one of this id
  friend bool operator==(const MessageFilter&, const MessageFilter&) = default;

  [[nodiscard]] bool takes_all() const { return *this == MessageFilter(); }
};

/// Of the texts of a filter, together.
inline constexpr std::size_t kMaxFilterBytes = 4096;

/// INVALID_ARGUMENT for what no message can be, LIMIT_EXCEEDED.
[[nodiscard]] proto::Result<> check(const MessageFilter& filter);

/// Whether a message that lies there is meant.
[[nodiscard]] bool takes(const MessageFilter& filter, const proto::RecordView& record,
                         const proto::MessagePlace& place);

/// The id of a message that lies there: the one that it brought along, or the place's own.
[[nodiscard]] std::string id_of(const proto::RecordView& record, const proto::MessagePlace& place);

}  // namespace weir::core
