#include "client/core/settle_ledger.hpp"

#include "client/core/convert.hpp"
#include "proto/settlement.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

/// A broker takes 16 MiB of settlements that it has not answered.
constexpr std::size_t kMaxReasonBytesUnderWay = std::size_t{4} << 20;

proto::Error not_open() {
  return proto::fail(proto::Errc::kMalformed, "an answer to a settlement that is not open");
}

}  // namespace

std::uint64_t SettleLedger::add(std::uint64_t channel, SettleBatch batch) {
  Outcome& frame = open_.emplace_back();
  frame.channel = channel;
  for (proto::SettleRange& range : batch.ranges) {
    frame.messages += range.count;
    if (range.reason == 0) {
      continue;
    }
    const std::size_t bytes = batch.reasons[range.reason - 1].size();
    if (reason_bytes_ + bytes > kMaxReasonBytesUnderWay) {
      range.reason = 0;
    } else {
      frame.reason_bytes += bytes;
      reason_bytes_ += bytes;
    }
  }
  frame.batch = std::move(batch);
  return first_ + open_.size() - 1;
}

proto::Result<std::vector<SettleLedger::Outcome>> SettleLedger::on_settled(
    const proto::Settled& settled) {
  if (settled.up_to >= first_ + open_.size()) {
    return not_open();
  }
  for (const proto::SettleFailure& failure : settled.failed) {
    if (failure.settle_number < first_ || failure.settle_number - first_ >= open_.size()) {
      return not_open();
    }
    Outcome& frame = open_[failure.settle_number - first_];
    if (frame.failures.size() == frame.messages) {
      return proto::fail(proto::Errc::kMalformed, "more failures than there were settlements");
    }
    frame.failures.push_back(failure);
  }
  std::vector<Outcome> done;
  while (!open_.empty() && first_ <= settled.up_to) {
    reason_bytes_ -= open_.front().reason_bytes;
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
  reason_bytes_ = 0;
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
      result = to_public(proto::settle_error(proto::code_from_wire(failed->code)));
    }
    waiter.callback(result);
  }
  batch.waiters.clear();
}

}  // namespace weir::sdk
