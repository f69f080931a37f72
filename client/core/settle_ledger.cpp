#include "client/core/settle_ledger.hpp"

#include "client/core/convert.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {

std::uint64_t SettleLedger::add(std::uint64_t channel, SettleBatch batch) {
  Outcome& frame = open_.emplace_back();
  frame.channel = channel;
  frame.batch = std::move(batch);
  return first_ + open_.size() - 1;
}

std::vector<SettleLedger::Outcome> SettleLedger::on_settled(const proto::Settled& settled) {
  for (const proto::SettleFailure& failure : settled.failed) {
    if (failure.settle_number >= first_ && failure.settle_number - first_ < open_.size()) {
      open_[failure.settle_number - first_].failures.push_back(failure);
    }
  }
  std::vector<Outcome> done;
  while (!open_.empty() && first_ <= settled.up_to) {
    done.push_back(std::move(open_.front()));
    open_.pop_front();
    ++first_;
  }
  return done;
}

std::map<std::uint64_t, std::vector<SettleBatch>> SettleLedger::take_open() {
  std::map<std::uint64_t, std::vector<SettleBatch>> open;
  for (Outcome& frame : open_) {
    open[frame.channel].push_back(std::move(frame.batch));
  }
  open_.clear();
  first_ = 1;
  return open;
}

void answer_waiters(SettleBatch& batch, const std::vector<proto::SettleFailure>& failures) {
  for (SettleWaiter& waiter : batch.waiters) {
    const auto failed = std::ranges::find_if(failures, [&](const proto::SettleFailure& failure) {
      return failure.grant == waiter.grant && waiter.index >= failure.first_index &&
             waiter.index - failure.first_index < failure.count;
    });
    Result<> result;
    if (failed != failures.end()) {
      result = Error(static_cast<ErrorCode>(failed->code));
    }
    waiter.callback(result);
  }
  batch.waiters.clear();
}

}  // namespace weir::sdk
