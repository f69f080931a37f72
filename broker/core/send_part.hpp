#pragma once

#include "broker/core/command.hpp"
#include "broker/core/decision.hpp"
#include "broker/core/record.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/bytes.hpp"
#include "proto/ids.hpp"

#include <cstdint>

namespace weir::core {

/// Some messages of a send, as a batch of their own. The send must outlive it.
class SendPart {
 public:
  SendPart(const SendBatch& send, proto::TimeMs now);
  /// Those at rising indexes.
  void add(std::uint32_t index);
  [[nodiscard]] std::uint32_t count() const { return builder_.count(); }
  /// As RebuiltBatch::finish(); they have no producer.
  [[nodiscard]] proto::SharedBytes finish(proto::Offset base_offset, proto::Offset prev_last_offset,
                                          std::uint32_t epoch);

 private:
  const SendBatch& send_;
  proto::TimeMs now_;
  proto::BatchBuilder builder_;
};

/// The record of a whole send as it came. Takes its bytes.
[[nodiscard]] BatchAppended append_whole(SendBatch& send, const LogEnd& end, std::uint32_t epoch,
                                         proto::TimeMs now);

}  // namespace weir::core
