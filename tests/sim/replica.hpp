#pragma once

#include "broker/core/shard_state.hpp"
#include "broker/shard/replicated_log.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/commit_chain.hpp"
#include "storage/memory_store.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// A second machine that is told nothing but the records of the stream: it applies them to a state
/// of its own and writes the rows that follow to a store of its own. Both stores must stay equal.
///
/// As a consensus log would, it gets exactly the units that are committed: the primary's store says
/// which those are, also after a crash that kept a part of what was not synced.
class Replica {
 public:
  explicit Replica(std::uint32_t max_producers);

  /// A unit that the primary submitted; whether it will ever be committed is not known yet.
  void hear(const shard::CommitUnit& unit);
  /// Applies what the primary's store holds of what was heard. Says what is wrong: a record that
  /// cannot be decoded, a unit that is missing, rows that became different.
  [[nodiscard]] std::optional<std::string> follow(const storage::MemoryStore& primary);
  /// The primary lost what it had not committed, and will use its indexes again.
  void forget_unfollowed() { heard_.clear(); }
  /// Drops all memory and reads its own store, as after a restart.
  [[nodiscard]] std::optional<std::string> restart();
  /// The first row that the two stores do not have in common, the commit row last.
  [[nodiscard]] std::optional<std::string> difference(const storage::MemoryStore& primary) const;

  [[nodiscard]] proto::CommitIndex applied() const { return last_.index; }
  [[nodiscard]] std::uint32_t incarnation() const { return state_->identity().incarnation; }

 private:
  struct Heard {
    proto::CommitIndex index;
    proto::TimeMs time = 0;
    std::vector<std::string> records;
  };
  [[nodiscard]] proto::Result<> apply(const Heard& unit);

  const std::uint32_t max_producers_;
  std::unique_ptr<core::ShardState> state_;
  storage::MemoryStore store_;
  storage::CommitPoint last_;
  std::deque<Heard> heard_;
};

/// A key for a person: its kind, the object that it belongs to, and what else is in it.
[[nodiscard]] std::string describe_key(storage::Family family, std::string_view key);

}  // namespace weir::sim
