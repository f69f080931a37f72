#include "tests/sim/report.hpp"

#include <array>
#include <iomanip>

namespace weir::sim {
namespace {

constexpr std::array<std::string_view, 70> kMustOccur = {
    "check: ledger",
    "check: replica",
    "delivery: again",
    "delivery: first",
    "disk: commit",
    "disk: load",
    "fault: connection cut",
    "fault: crash that kept all unsynced",
    "fault: crash that kept some unsynced",
    "fault: crash that lost all unsynced",
    "fault: crash with nothing unsynced",
    "fault: failed sync",
    "fault: reset",
    "fault: sends refused for a while",
    "fault: the broker goes on with an import",
    "fault: the process stalls",
    "fault: the replica restarts",
    "fault: the wall clock is set",
    "message: dead-lettered",
    "messages parked at the end",
    "network: connected",
    "network: no room for more",
    "op: ack",
    "op: credit",
    "op: describe",
    "op: extend",
    "op: fenced, begins anew",
    "op: give up and take the next epoch",
    "op: init producer",
    "op: let a lease expire",
    "op: list offsets",
    "op: nack",
    "op: receive",
    "op: release",
    "op: send",
    "op: send a second time",
    "op: send again what was answered",
    "op: send damaged",
    "op: send without a producer id",
    "op: settle a part",
    "op: settle by a handle of an old incarnation",
    "op: settle by handle",
    "op: settle something old",
    "op: settle with an altered grant",
    "op: started",
    "op: subscribe",
    "op: subscribe to a topic",
    "op: topic credit",
    "op: unsubscribe",
    "op: unsubscribe from a topic",
    "receive: messages",
    "receive: nothing",
    "reply: done",
    "reply: refused, DEADLINE_EXCEEDED",
    "reply: refused, OFFSET_OUT_OF_RANGE",
    "reply: refused, QUEUE_NOT_FOUND",
    "reply: refused, RECEIPT_EXPIRED",
    "reply: refused, RECEIPT_INVALID",
    "reply: unknown outcome",
    "send: duplicate",
    "send: refused, DEADLINE_EXCEEDED",
    "send: refused, DISK_FULL",
    "send: refused, OUT_OF_ORDER_SEQUENCE",
    "send: refused, PRODUCER_FENCED",
    "settle: refused, RECEIPT_EXPIRED",
    "settle: refused, RECEIPT_INVALID",
    "shard: batch paged in",
    "shard: batch paged out",
    "shard: input waited for rows",
    "topic: batch read",
};

}  // namespace

void Report::count(std::string_view cell, std::uint64_t times) {
  const auto it = cells_.find(cell);
  if (it != cells_.end()) {
    it->second += times;
  } else {
    cells_.emplace(cell, times);
  }
}

void Report::merge(const Report& other) {
  for (const auto& [cell, times] : other.cells_) {
    cells_[cell] += times;
  }
}

void Report::print(std::ostream& out) const {
  for (const auto& [cell, times] : cells_) {
    out << std::setw(12) << times << "  " << cell << "\n";
  }
}

std::vector<std::string> Report::missing() const {
  std::vector<std::string> zero;
  for (const std::string_view cell : kMustOccur) {
    const auto it = cells_.find(cell);
    if (it == cells_.end() || it->second == 0) {
      zero.emplace_back(cell);
    }
  }
  return zero;
}

}  // namespace weir::sim
