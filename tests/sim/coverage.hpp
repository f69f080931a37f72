#pragma once

#include "proto/error.hpp"
#include "tests/sim/faults.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// What clients ask for, and what the broker brings them.
enum class Op : std::uint8_t {
  kSend,
  kSendAgain,     // what was not answered yet
  kSendAnswered,  // what was
  kSendPlain,     // without a producer id
  kInitProducer,
  kSubscribe,
  kUnsubscribe,
  kReceive,
  kDescribe,
  kAck,
  kNack,
  kRelease,
  kPoison,
  kTransient,
  kNotNow,
  kStarted,
  kExtend,
  kSettleOld,      // a lease that was settled, or left to expire
  kSettleAltered,  // a grant that nobody has
  kHandle,         // the same by receipt handle
  kHandleOld,
  kHandleAltered,
  kHandles,  // many handles in one request
  kSubscribeTopic,
  kUnsubscribeTopic,
  kListOffsets,
  kDelivery,
  kTopicBatch,
  kStartRedrive,
  kCancelRedrive,
  kListRedrives,
  kLook,
  kCount,
};
inline constexpr std::size_t kOps = static_cast<std::size_t>(Op::kCount);
std::string_view name(Op op);

/// How an operation ended for the client: 0 done, the code of a refusal, or kUnknownOutcome.
using Outcome = std::uint16_t;
inline constexpr Outcome kDone = 0;
constexpr Outcome refused(proto::Errc code) {
  return static_cast<Outcome>(code);
}
inline constexpr Outcome kUnknown = refused(proto::Errc::kUnknownOutcome);

/// How often each operation met each outcome while each fault was in force: between the moment when
/// the client asked and the one when it knew. A generator that never reaches a case has not tested
/// it, and nothing fails: so each cell must be reached in a campaign, or stands in one table of
/// what cannot be, with its reason.
class Coverage {
 public:
  void record(Op op, Outcome outcome, FaultSet faults, std::uint64_t times = 1);
  void merge(const Coverage& other);

  /// A table: a row for each operation and outcome, a column for each fault; then the reasons of
  /// what cannot be.
  void print(std::ostream& out) const;
  /// Cells that can be reached and were not.
  [[nodiscard]] std::vector<std::string> blind() const;
  /// Cells that were reached and stand in the table of what cannot be, and outcomes that no cell is
  /// planned for.
  [[nodiscard]] std::vector<std::string> contradictions() const;

  /// One line for each cell that was reached, "NUMBER OP|OUTCOME|FAULT".
  void save(std::ostream& out) const;
  /// Adds what save() wrote on one line; false where there is no such cell (any more).
  bool load(std::string_view line);

  static constexpr std::size_t kOutcomes = 17;

 private:
  struct Cell {
    std::size_t op = 0;
    std::size_t outcome = 0;
    std::size_t fault = 0;
  };
  static std::size_t at(const Cell& cell) {
    return (cell.op * kOutcomes + cell.outcome) * kFaults + cell.fault;
  }
  static std::string to_string(const Cell& cell);
  template <class Visit>
  void visit(const Visit& visit) const;

  std::array<std::uint64_t, kOps * kOutcomes * kFaults> cells_{};
  std::set<std::string> unplanned_;
};

}  // namespace weir::sim
