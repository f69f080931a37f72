#pragma once

#include "client/core/settle_coalescer.hpp"
#include "proto/frame/frames.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace weir::sdk {

/// Settlements that left on one connection and are not durable yet: numbers them 1, 2, 3 … and
/// keeps them, so that they can be said again on the next.
class SettleLedger {
 public:
  /// What is known of one frame once it is durable.
  struct Outcome {
    std::uint64_t channel = 0;
    SettleBatch batch;
    std::uint64_t messages = 0;  // that it names, each as often as it does
    std::size_t reason_bytes = 0;
    std::vector<proto::SettleFailure> failures;
  };

  /// The frame's settle number. `channel` names whose it is. Where so many reasons are under way
  /// that the broker would break off, those of the batch are dropped first.
  std::uint64_t add(std::uint64_t channel, SettleBatch batch);
  /// The frame that was added last.
  [[nodiscard]] const SettleBatch& newest() const { return open_.back().batch; }
  /// The frames that are done, oldest first. MALFORMED: it answers what was not said.
  [[nodiscard]] proto::Result<std::vector<Outcome>> on_settled(const proto::Settled& settled);
  /// Ends the connection: what was not durable, oldest first, by channel.
  [[nodiscard]] std::map<std::uint64_t, std::vector<SettleBatch>> take_open();
  [[nodiscard]] bool empty() const { return open_.empty(); }

 private:
  std::deque<Outcome> open_;  // from number first_ on
  std::size_t reason_bytes_ = 0;
  std::uint64_t first_ = 1;
};

/// Tells those who wait for `batch` what became of it.
void answer_waiters(SettleBatch& batch, const std::vector<proto::SettleFailure>& failures);

}  // namespace weir::sdk
