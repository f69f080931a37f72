#pragma once

#include "proto/frame/frames.hpp"
#include "weir/consumer.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sdk {

/// Somebody who wants to know when the settlement of one message is durable.
struct SettleWaiter {
  SettleWaiter(proto::GrantId of_grant, std::uint32_t of_index, SettleCallback on_done)
      : grant(of_grant), index(of_index), callback(std::move(on_done)) {}

  proto::GrantId grant;
  std::uint32_t index;
  SettleCallback callback;
};

/// What is to be told to the broker, and who waits for it.
struct SettleBatch {
  std::vector<proto::SettleRange> ranges;
  std::vector<SettleWaiter> waiters;
  std::vector<std::string> reasons = {};  // that ranges have

  [[nodiscard]] bool empty() const { return ranges.empty(); }
};

/// Gathers settlements of single messages into ranges. What is said about one message keeps its
/// order; an extension that has not left goes when the message is settled: it would be of no use,
/// and its refusal (the lease is over) would pass for one of the settlement beside it, since the
/// broker names the message and not the range.
class SettleCoalescer {
 public:
  /// `keeps_order`: of a FIFO queue, where what is said behind a message that goes back is said of
  /// one that is gone. Nothing moves across what is no ack.
  explicit SettleCoalescer(bool keeps_order = false) : keeps_order_(keeps_order) {}

  /// `range` has at least one message.
  void add(proto::SettleRange range, std::string_view reason = {});
  void add_waiter(SettleWaiter waiter) { batch_.waiters.push_back(std::move(waiter)); }

  [[nodiscard]] bool empty() const { return batch_.ranges.empty(); }
  /// Everything so far, adjacent messages as one range.
  [[nodiscard]] SettleBatch take();

 private:
  bool keeps_order_;
  SettleBatch batch_;
  bool has_extensions_ = false;
  bool is_merged_ = true;  // no range was put behind another of its kind and grant out of order
};

}  // namespace weir::sdk
