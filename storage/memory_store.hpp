#pragma once

#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::storage {

/// What goes wrong with the next commit of a MemoryStore.
enum class CommitFault : std::uint8_t {
  kBeforeWrite,  // nothing of it is written
  kAfterWrite,   // written, but the sync fails: a crash may or may not keep it
};

/// Faults drawn from a seed, for simulations: the same seed and calls give the same faults.
struct FaultRates {
  std::uint64_t seed = 1;
  std::uint32_t commits_per_million = 0;
  std::uint32_t reads_per_million = 0;
};

/// A KeyValueStore in memory that behaves as a disk does: it can lose what was not synced, fail,
/// and fail for good. Deterministic: no clock, no address and no hash order reaches a result.
///
/// Rows keep their older versions as long as a reader or a possible crash needs them, so taking a
/// snapshot costs nothing that grows with the store. Readers may run beside one writer, in other
/// threads too; a reader must not outlive the store.
class MemoryStore final : public KeyValueStore {
 public:
  MemoryStore();
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  /// Shows what is synced; what write_unsynced() wrote since is not visible yet.
  [[nodiscard]] std::unique_ptr<Reader> snapshot() const override;
  /// write_unsynced() and sync().
  [[nodiscard]] proto::Result<> commit(std::span<const WriteBatch* const> batches) override;

  /// Writes the batches as one atomic change that a crash may still forget.
  [[nodiscard]] proto::Result<> write_unsynced(std::span<const WriteBatch* const> batches);
  /// Makes everything written so far durable and visible.
  [[nodiscard]] proto::Result<> sync();
  /// The same with a disk that lies: what was written becomes visible, but a power loss may forget
  /// it until the next sync() that tells the truth.
  [[nodiscard]] proto::Result<> sync_lying();
  /// Calls of sync_lying() since the disk last told the truth.
  [[nodiscard]] std::size_t lies() const;

  /// A power loss: forgets every change that was not synced. Takes writes again afterwards, as a
  /// restarted process does; a planned fault is forgotten.
  void crash_losing_unsynced();
  /// The same, but the first few unsynced changes survive, as many as `seed` says: whole changes,
  /// in order, which is what a write-ahead log gives: a last one that is torn is not there. Returns
  /// how many survived.
  std::size_t crash(std::uint64_t seed);
  /// A power loss that shows the lies: everything is forgotten that was written after the first
  /// `kept` of them, which must be fewer than lies().
  void crash_losing_lies(std::size_t kept);

  void fail_next_commit(CommitFault fault);
  /// Every read from now on fails (true) or works again (false).
  void fail_reads(bool failing);
  /// Draws faults by chance from now on, in addition to planned ones; zero rates switch it off.
  void set_fault_rates(FaultRates rates);

  /// Decides whether a row counts in a digest.
  using RowFilter = std::function<bool(Family, std::string_view key)>;
  /// A hash of every synced row: equal contents give equal digests, on every machine.
  [[nodiscard]] std::uint64_t digest(const RowFilter& include = nullptr) const;
  /// Every synced row as a line of text, in order: family, key and value in hex (a long value cut,
  /// with its size).
  [[nodiscard]] std::string dump() const;
  /// Number of synced rows in a family.
  [[nodiscard]] std::size_t rows(Family family) const;
  /// Versions of rows held in memory, for tests of their disposal.
  [[nodiscard]] std::size_t kept_versions() const;
  /// Changes written and not synced.
  [[nodiscard]] std::size_t unsynced_changes() const;

 private:
  class Moment;
  class Scan;
  class Snapshot;

  using Sequence = std::uint64_t;
  struct Version {
    Sequence sequence = 0;
    std::optional<proto::SharedBytes> value;  // nullopt: deleted
  };
  struct Row {
    std::vector<Version> versions;  // ascending, never empty outside a call
    std::size_t garbage_entries = 0;
  };
  using Rows = std::map<std::string, Row, std::less<>>;
  // At `sequence` a version of the row became invisible to newer readers.
  struct Garbage {
    Sequence sequence = 0;
    Family family = Family::kState;
    Rows::iterator row;
  };

  static const proto::SharedBytes* visible(const Row& row, Sequence at);
  void apply(const Operation& operation, Sequence sequence);
  void set(Family family, Rows::iterator row, std::optional<proto::SharedBytes> value,
           Sequence sequence);
  void collect_garbage();
  void drop_newer_than(Sequence kept);
  void restart_at(Sequence kept);
  [[nodiscard]] Sequence durable() const { return lies_.empty() ? synced_ : lies_.front(); }
  proto::Result<> write_locked(std::span<const WriteBatch* const> batches);
  [[nodiscard]] bool draw(std::uint32_t FaultRates::* per_million) const;
  [[nodiscard]] bool read_fails() const;
  void visit_rows(
      const std::function<void(Family, std::string_view key, std::string_view value)>& visit) const;
  void release(Sequence sequence) const;

  [[nodiscard]] Rows& rows_of(Family family) { return rows_[static_cast<std::size_t>(family)]; }
  [[nodiscard]] const Rows& rows_of(Family family) const {
    return rows_[static_cast<std::size_t>(family)];
  }

  mutable std::shared_mutex mutex_;
  Rows rows_[kFamilyCount];
  std::deque<Garbage> garbage_;  // ascending by sequence
  Sequence written_ = 0;
  Sequence synced_ = 0;
  std::vector<Sequence> lies_;  // where each began: the first one where the truth ends
  bool failed_ = false;
  std::optional<CommitFault> planned_fault_;

  // Readers change these, so they have a lock of their own; it is taken after mutex_.
  struct ReadState;
  std::unique_ptr<ReadState> read_state_;
};

}  // namespace weir::storage
