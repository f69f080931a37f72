#include "tests/sim/coverage.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <iomanip>
#include <optional>
#include <sstream>

namespace weir::sim {
namespace {

using proto::Errc;

constexpr std::array<std::string_view, kOps> kOpNames = {
    "send",
    "send again",
    "send what was answered",
    "send without a producer id",
    "init producer",
    "subscribe",
    "unsubscribe",
    "receive",
    "describe",
    "ack",
    "nack",
    "release",
    "poison",
    "transient",
    "not now",
    "started",
    "extend",
    "settle something old",
    "settle an altered grant",
    "settle by handle",
    "settle by an old handle",
    "settle by an altered handle",
    "settle by many handles",
    "subscribe to a topic",
    "unsubscribe from a topic",
    "list offsets",
    "delivery",
    "topic batch",
    "start a redrive",
    "cancel a redrive",
    "list redrives",
    "look",
};

constexpr std::array<Outcome, Coverage::kOutcomes> kOutcomeOf = {
    kDone,
    kUnknown,
    refused(Errc::kDeadlineExceeded),
    refused(Errc::kDiskFull),
    refused(Errc::kOutOfOrderSequence),
    refused(Errc::kProducerFenced),
    refused(Errc::kReceiptExpired),
    refused(Errc::kReceiptInvalid),
    refused(Errc::kOffsetOutOfRange),
    refused(Errc::kQueueNotFound),
    refused(Errc::kInvalidArgument),
    refused(Errc::kStorageFailed),
    refused(Errc::kPaused),
    refused(Errc::kQueueFull),
    refused(Errc::kInUse),
    refused(Errc::kMessageExpired),
    refused(Errc::kMessageNotFound),
};

std::string name_of(Outcome outcome) {
  return outcome == kDone      ? "done"
         : outcome == kUnknown ? "unknown"
                               : std::string(proto::name(static_cast<Errc>(outcome)));
}

using Set = std::uint32_t;
constexpr Set kAll = ~Set{0};
static_assert(kOps <= 32 && Coverage::kOutcomes <= 32);

constexpr Set ops(std::initializer_list<Op> list) {
  Set set = 0;
  for (const Op op : list) {
    set |= Set{1} << static_cast<unsigned>(op);
  }
  return set;
}

constexpr Set outcomes(std::initializer_list<Outcome> list) {
  Set set = 0;
  for (const Outcome outcome : list) {
    for (std::size_t i = 0; i < kOutcomeOf.size(); ++i) {
      set |= kOutcomeOf[i] == outcome ? Set{1} << i : 0;
    }
  }
  return set;
}

constexpr Set kSends = ops({Op::kSend, Op::kSendAgain, Op::kSendAnswered, Op::kSendPlain});
constexpr Set kNumberedSends = ops({Op::kSend, Op::kSendAgain, Op::kSendAnswered});
constexpr Set kLeases = ops({Op::kAck, Op::kNack, Op::kRelease, Op::kPoison, Op::kTransient,
                             Op::kNotNow, Op::kStarted, Op::kExtend, Op::kSettleOld,
                             Op::kSettleAltered, Op::kHandle, Op::kHandleOld, Op::kHandleAltered});
constexpr Set kOwnLeases = ops({Op::kAck, Op::kNack, Op::kRelease, Op::kPoison, Op::kTransient,
                                Op::kNotNow, Op::kStarted, Op::kExtend, Op::kHandle});
constexpr Set kRedrives = ops({Op::kStartRedrive, Op::kCancelRedrive});
constexpr Set kPushed = ops({Op::kDelivery, Op::kTopicBatch});

struct Limit {
  Set ops;
  Set outcomes;
  Set faults;
  std::string_view reason;
};

/// What cannot be. A cell that one of these names is an error when it is reached.
constexpr std::array kLimits = {
    Limit{kPushed, ~outcomes({kDone}), kAll, "what the broker brings is no answer"},
    Limit{kAll, outcomes({kUnknown}), bit(Fault::kNone), "only a fault takes an answer away"},
    Limit{~kSends, outcomes({refused(Errc::kDiskFull)}), kAll, "only sends need room"},
    Limit{kSends, outcomes({refused(Errc::kDiskFull)}), bit(Fault::kNone),
          "sends are refused only while the disk is full"},
    Limit{~kSends, outcomes({refused(Errc::kPaused)}), kAll, "only sends are refused in a pause"},
    Limit{ops({Op::kSendAnswered}), outcomes({refused(Errc::kPaused)}), kAll,
          "what was stored before is told to be, paused or not"},
    Limit{~kSends, outcomes({refused(Errc::kQueueFull)}), kAll, "puts nothing into a queue"},
    Limit{ops({Op::kSendAnswered}), outcomes({refused(Errc::kQueueFull)}), kAll,
          "what was stored before is told to be, full or not"},
    Limit{~kNumberedSends & ~ops({Op::kInitProducer}), outcomes({refused(Errc::kProducerFenced)}),
          kAll, "has no producer id"},
    Limit{~kNumberedSends, outcomes({refused(Errc::kOutOfOrderSequence)}), kAll, "has no sequence"},
    Limit{ops({Op::kHandles}),
          outcomes({refused(Errc::kReceiptExpired), refused(Errc::kReceiptInvalid)}), kAll,
          "is told of each message for itself"},
    Limit{~kLeases, outcomes({refused(Errc::kReceiptExpired), refused(Errc::kReceiptInvalid)}),
          kAll, "names no lease"},
    Limit{kOwnLeases, outcomes({refused(Errc::kReceiptInvalid)}), kAll,
          "was given to this very session"},
    Limit{~ops({Op::kStartRedrive}), outcomes({refused(Errc::kInUse)}), kAll,
          "begins nothing that there is one of"},
    Limit{~ops({Op::kUnsubscribeTopic}) & ~kRedrives, outcomes({refused(Errc::kInvalidArgument)}),
          kAll, "asks for nothing invalid"},
    Limit{~ops({Op::kSubscribeTopic}), outcomes({refused(Errc::kOffsetOutOfRange)}), kAll,
          "names no offset"},
    Limit{~ops({Op::kDescribe}) & ~kRedrives, outcomes({refused(Errc::kQueueNotFound)}), kAll,
          "names only queues that exist"},
    Limit{~ops({Op::kSubscribeTopic}), outcomes({refused(Errc::kStorageFailed)}), kAll,
          "reads nothing for itself: when the disk fails the broker stops"},
    Limit{ops({Op::kSubscribeTopic}), outcomes({refused(Errc::kStorageFailed)}), bit(Fault::kNone),
          "the disk fails only when it is told to"},
    Limit{~kSends & ~ops({Op::kReceive}), outcomes({refused(Errc::kDeadlineExceeded)}), kAll,
          "is asked without a deadline"},
    Limit{~kSends, outcomes({refused(Errc::kMessageExpired)}), kAll, "sends no message"},
    Limit{ops({Op::kSendAnswered}), outcomes({refused(Errc::kMessageExpired)}), kAll,
          "what was stored before is told to be, late or not"},
    Limit{~ops({Op::kLook}), outcomes({refused(Errc::kMessageNotFound)}), kAll,
          "asks for no message by its id"},
};

const Limit* limit_of(std::size_t op, std::size_t outcome, std::size_t fault) {
  const auto has = [](Set set, std::size_t index) { return ((set >> index) & 1U) != 0; };
  const auto* found = std::find_if(kLimits.begin(), kLimits.end(), [&](const Limit& limit) {
    return has(limit.ops, op) && has(limit.outcomes, outcome) && has(limit.faults, fault);
  });
  return found != kLimits.end() ? found : nullptr;
}

}  // namespace

std::string_view name(Op op) {
  return kOpNames[static_cast<std::size_t>(op)];
}

std::string Coverage::to_string(const Cell& cell) {
  return std::string(kOpNames[cell.op]) + "|" + name_of(kOutcomeOf[cell.outcome]) + "|" +
         std::string(name(static_cast<Fault>(cell.fault)));
}

template <class Visit>
void Coverage::visit(const Visit& visit) const {
  for (std::size_t op = 0; op < kOps; ++op) {
    for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      for (std::size_t fault = 0; fault < kFaults; ++fault) {
        const Cell cell{op, outcome, fault};
        visit(cell, cells_[at(cell)], limit_of(op, outcome, fault));
      }
    }
  }
}

void Coverage::record(Op op, Outcome outcome, FaultSet faults, std::uint64_t times) {
  const auto* const known = std::find(kOutcomeOf.begin(), kOutcomeOf.end(), outcome);
  if (known == kOutcomeOf.end()) {
    unplanned_.insert(std::string(name(op)) + "|" + name_of(outcome));
    return;
  }
  for (std::size_t fault = 0; fault < kFaults; ++fault) {
    if (((faults >> fault) & 1U) != 0) {
      cells_[at({static_cast<std::size_t>(op), static_cast<std::size_t>(known - kOutcomeOf.begin()),
                 fault})] += times;
    }
  }
}

void Coverage::merge(const Coverage& other) {
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    cells_[i] += other.cells_[i];
  }
  unplanned_.insert(other.unplanned_.begin(), other.unplanned_.end());
}

std::vector<std::string> Coverage::blind() const {
  std::vector<std::string> found;
  visit([&found](const Cell& cell, std::uint64_t times, const Limit* limit) {
    if (times == 0 && limit == nullptr) {
      found.push_back(to_string(cell));
    }
  });
  return found;
}

std::vector<std::string> Coverage::contradictions() const {
  std::vector<std::string> found(unplanned_.begin(), unplanned_.end());
  visit([&found](const Cell& cell, std::uint64_t times, const Limit* limit) {
    if (times != 0 && limit != nullptr) {
      found.push_back(to_string(cell) + " (" + std::string(limit->reason) + ")");
    }
  });
  return found;
}

void Coverage::print(std::ostream& out) const {
  constexpr int kWidth = 9;
  out << std::left << std::setw(28) << "operation" << std::setw(22) << "outcome" << std::right;
  for (std::size_t fault = 0; fault < kFaults; ++fault) {
    out << " " << std::setw(kWidth) << name(static_cast<Fault>(fault)).substr(0, kWidth);
  }
  std::ostringstream row;
  bool is_possible = false;
  visit([&](const Cell& cell, std::uint64_t times, const Limit* limit) {
    if (cell.fault == 0) {
      row.str("");
      is_possible = false;
      row << "\n"
          << std::left << std::setw(28) << kOpNames[cell.op] << std::setw(22)
          << name_of(kOutcomeOf[cell.outcome]) << std::right;
    }
    is_possible = is_possible || limit == nullptr;
    row << " " << std::setw(kWidth) << (limit != nullptr ? "-" : std::to_string(times));
    if (cell.fault + 1 == kFaults && is_possible) {
      out << row.str();
    }
  });
  out << "\nWhat cannot be (-, or no row at all):\n";
  for (const Limit& limit : kLimits) {
    std::size_t cells = 0;
    visit([&](const Cell&, std::uint64_t, const Limit* of) { cells += of == &limit ? 1 : 0; });
    out << std::setw(6) << cells << " cells: " << limit.reason << "\n";
  }
}

void Coverage::save(std::ostream& out) const {
  visit([&out](const Cell& cell, std::uint64_t times, const Limit*) {
    if (times != 0) {
      out << times << " " << to_string(cell) << "\n";
    }
  });
}

bool Coverage::load(std::string_view line) {
  std::uint64_t times = 0;
  const auto number = std::from_chars(line.data(), line.data() + line.size(), times);
  if (number.ec != std::errc{} || number.ptr == line.data() + line.size()) {
    return false;
  }
  const std::string_view wanted(number.ptr + 1, line.data() + line.size());
  std::optional<std::size_t> found;
  visit([&](const Cell& cell, std::uint64_t, const Limit*) {
    if (to_string(cell) == wanted) {
      found = at(cell);
    }
  });
  if (found) {
    cells_[*found] += times;
  }
  return found.has_value();
}

}  // namespace weir::sim
