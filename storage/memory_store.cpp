#include "storage/memory_store.hpp"

#include "proto/assert.hpp"
#include "proto/hex.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// SplitMix64 (Steele, Lea, Flood 2014): one step from any state to a well mixed number.
std::uint64_t mix(std::uint64_t state) {
  state += 0x9e3779b97f4a7c15U;
  state = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
  state = (state ^ (state >> 27U)) * 0x94d049bb133111ebU;
  return state ^ (state >> 31U);
}

// FNV-1a over 64 bits, with the size in front so that neighbours cannot run into one another.
std::uint64_t hash_bytes(std::uint64_t hash, std::string_view bytes) {
  hash = mix(hash ^ bytes.size());
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  return hash;
}

constexpr std::size_t kDumpedValueBytes = 64;

}  // namespace

struct MemoryStore::ReadState {
  std::mutex mutex;
  std::multiset<Sequence> live;  // what readers look at
  bool failing = false;
  std::uint64_t random = 0;
  FaultRates rates;
};

// A moment of the store, shared by a reader and its scans: rows they stand on stay in place.
class MemoryStore::Moment {
 public:
  Moment(const MemoryStore& store, Sequence sequence) : store_(store), sequence_(sequence) {}
  ~Moment() { store_.release(sequence_); }
  Moment(const Moment&) = delete;
  Moment& operator=(const Moment&) = delete;

  [[nodiscard]] const MemoryStore& store() const { return store_; }
  [[nodiscard]] Sequence sequence() const { return sequence_; }

 private:
  const MemoryStore& store_;
  const Sequence sequence_;
};

// Map nodes with a version that a live snapshot sees are never erased, so standing on one between
// calls is safe; moving to a neighbour needs the lock.
class MemoryStore::Scan final : public Iterator {
 public:
  Scan(std::shared_ptr<const Moment> moment, Family family, std::string_view lower,
       std::string_view upper)
      : moment_(std::move(moment)),
        rows_(moment_->store().rows_of(family)),
        lower_(lower),
        upper_(upper) {
    seek(lower_);
  }

  [[nodiscard]] bool valid() const override { return valid_; }

  void next() override {
    if (!valid_ || !begin_move()) {
      return;
    }
    const std::shared_lock lock(moment_->store().mutex_);
    ++position_;
    settle_forward();
  }

  void seek(std::string_view key) override {
    if (!begin_move()) {
      return;
    }
    const std::shared_lock lock(moment_->store().mutex_);
    position_ = rows_.lower_bound(std::max(key, std::string_view(lower_)));
    settle_forward();
  }

  void seek_for_prev(std::string_view key) override {
    if (!begin_move()) {
      return;
    }
    const std::shared_lock lock(moment_->store().mutex_);
    auto above = is_below_upper(key) ? rows_.upper_bound(key) : rows_.lower_bound(upper_);
    while (above != rows_.begin()) {
      --above;
      if (above->first < lower_) {
        return;
      }
      if (take(above)) {
        return;
      }
    }
  }

  [[nodiscard]] std::string_view key() const override {
    WEIR_ASSERT(valid_, "key() of a scan that stands nowhere");
    return position_->first;
  }
  [[nodiscard]] std::string_view value() const override {
    WEIR_ASSERT(valid_, "value() of a scan that stands nowhere");
    return value_.view();
  }
  [[nodiscard]] proto::Result<> status() const override {
    if (failed_) {
      return fail(Errc::kStorageFailed, "injected fault: scan failed");
    }
    return {};
  }

 private:
  // False when the move fails; a failed scan stays failed.
  bool begin_move() {
    valid_ = false;
    failed_ = failed_ || moment_->store().read_fails();
    return !failed_;
  }

  [[nodiscard]] bool is_below_upper(std::string_view key) const {
    return upper_.empty() || key < upper_;
  }

  void settle_forward() {
    for (; position_ != rows_.end() && is_below_upper(position_->first); ++position_) {
      if (take(position_)) {
        return;
      }
    }
  }

  bool take(Rows::const_iterator row) {
    const proto::SharedBytes* value = visible(row->second, moment_->sequence());
    if (value == nullptr) {
      return false;
    }
    position_ = row;
    value_ = *value;
    valid_ = true;
    return true;
  }

  std::shared_ptr<const Moment> moment_;
  const Rows& rows_;
  std::string lower_;
  std::string upper_;
  Rows::const_iterator position_;
  proto::SharedBytes value_;
  bool valid_ = false;
  bool failed_ = false;
};

class MemoryStore::Snapshot final : public Reader {
 public:
  explicit Snapshot(std::shared_ptr<const Moment> moment) : moment_(std::move(moment)) {}

  [[nodiscard]] proto::Result<std::optional<std::string>> get(Family family,
                                                              std::string_view key) const override {
    const MemoryStore& store = moment_->store();
    if (store.read_fails()) {
      return fail(Errc::kStorageFailed, "injected fault: read failed");
    }
    const std::shared_lock lock(store.mutex_);
    const Rows& rows = store.rows_of(family);
    const auto row = rows.find(key);
    const proto::SharedBytes* value =
        row == rows.end() ? nullptr : visible(row->second, moment_->sequence());
    if (value == nullptr) {
      return std::optional<std::string>();
    }
    return std::optional<std::string>(value->view());
  }

  [[nodiscard]] std::unique_ptr<Iterator> scan(Family family, std::string_view lower,
                                               std::string_view upper,
                                               ScanOptions /*options*/) const override {
    return std::make_unique<Scan>(moment_, family, lower, upper);
  }

 private:
  std::shared_ptr<const Moment> moment_;
};

MemoryStore::MemoryStore() : read_state_(std::make_unique<ReadState>()) {}

MemoryStore::~MemoryStore() {
  WEIR_ASSERT(read_state_->live.empty(), "a reader outlived its store");
}

std::unique_ptr<Reader> MemoryStore::snapshot() const {
  const std::shared_lock lock(mutex_);
  {
    const std::scoped_lock read_lock(read_state_->mutex);
    read_state_->live.insert(synced_);
  }
  return std::make_unique<Snapshot>(std::make_shared<const Moment>(*this, synced_));
}

void MemoryStore::release(Sequence sequence) const {
  const std::scoped_lock lock(read_state_->mutex);
  read_state_->live.erase(read_state_->live.find(sequence));
}

proto::Result<> MemoryStore::commit(std::span<const WriteBatch* const> batches) {
  const std::unique_lock lock(mutex_);
  if (const proto::Result<> written = write_locked(batches); !written) {
    return written.error();
  }
  if (planned_fault_ == CommitFault::kAfterWrite) {
    failed_ = true;
    return fail(Errc::kStorageFailed, "injected fault: sync failed, the outcome is unknown");
  }
  synced_ = written_;
  lies_.clear();
  collect_garbage();
  return {};
}

proto::Result<> MemoryStore::write_unsynced(std::span<const WriteBatch* const> batches) {
  const std::unique_lock lock(mutex_);
  return write_locked(batches);
}

proto::Result<> MemoryStore::write_locked(std::span<const WriteBatch* const> batches) {
  if (failed_) {
    return fail(Errc::kStorageFailed, "the store failed before and takes no more writes");
  }
  if (!planned_fault_ && draw(&FaultRates::commits_per_million)) {
    planned_fault_ = mix(written_) % 2 == 0 ? CommitFault::kAfterWrite : CommitFault::kBeforeWrite;
  }
  if (planned_fault_ == CommitFault::kBeforeWrite) {
    failed_ = true;
    return fail(Errc::kStorageFailed, "injected fault: write failed");
  }
  ++written_;
  for (const WriteBatch* batch : batches) {
    batch->visit([this](const Operation& operation) {
      apply(operation, written_);
      return true;
    });
  }
  return {};
}

proto::Result<> MemoryStore::sync() {
  const std::unique_lock lock(mutex_);
  if (failed_) {
    return fail(Errc::kStorageFailed, "the store failed before and takes no more writes");
  }
  if (planned_fault_) {
    failed_ = true;
    return fail(Errc::kStorageFailed, "injected fault: sync failed, the outcome is unknown");
  }
  synced_ = written_;
  lies_.clear();
  collect_garbage();
  return {};
}

proto::Result<> MemoryStore::sync_lying() {
  const std::unique_lock lock(mutex_);
  if (failed_) {
    return fail(Errc::kStorageFailed, "the store failed before and takes no more writes");
  }
  lies_.push_back(synced_);
  synced_ = written_;
  return {};
}

std::size_t MemoryStore::lies() const {
  const std::shared_lock lock(mutex_);
  return lies_.size();
}

void MemoryStore::apply(const Operation& operation, Sequence sequence) {
  Rows& rows = rows_of(operation.family);
  switch (operation.kind) {
    case Operation::Kind::kPut:
      set(operation.family, rows.try_emplace(std::string(operation.key)).first,
          proto::SharedBytes(std::string(operation.value)), sequence);
      break;
    case Operation::Kind::kDelete:
      if (const auto row = rows.find(operation.key); row != rows.end()) {
        set(operation.family, row, std::nullopt, sequence);
      }
      break;
    case Operation::Kind::kDeleteRange:
      for (auto row = rows.lower_bound(operation.key);
           row != rows.end() && row->first < operation.value; ++row) {
        set(operation.family, row, std::nullopt, sequence);
      }
      break;
  }
}

void MemoryStore::set(Family family, Rows::iterator row, std::optional<proto::SharedBytes> value,
                      Sequence sequence) {
  std::vector<Version>& versions = row->second.versions;
  if (!versions.empty() && !versions.back().value && !value) {
    return;
  }
  // Something to clean up later: an older version below this one, or a deletion that must go
  // itself.
  if (!versions.empty() || !value) {
    garbage_.push_back(Garbage{.sequence = sequence, .family = family, .row = row});
    ++row->second.garbage_entries;
  }
  if (!versions.empty() && versions.back().sequence == sequence) {
    versions.back().value = std::move(value);
  } else {
    versions.push_back(Version{.sequence = sequence, .value = std::move(value)});
  }
}

const proto::SharedBytes* MemoryStore::visible(const Row& row, Sequence at) {
  for (auto version = row.versions.rbegin(); version != row.versions.rend(); ++version) {
    if (version->sequence <= at) {
      return version->value ? &*version->value : nullptr;
    }
  }
  return nullptr;
}

void MemoryStore::collect_garbage() {
  Sequence oldest = durable();
  {
    const std::scoped_lock lock(read_state_->mutex);
    if (!read_state_->live.empty()) {
      oldest = std::min(oldest, *read_state_->live.begin());
    }
  }
  while (!garbage_.empty() && garbage_.front().sequence <= oldest) {
    const Garbage entry = garbage_.front();
    garbage_.pop_front();
    Row& row = entry.row->second;
    --row.garbage_entries;
    // The newest version that the oldest reader sees hides all before it.
    auto first_kept = row.versions.begin();
    while (std::next(first_kept) != row.versions.end() &&
           std::next(first_kept)->sequence <= oldest) {
      ++first_kept;
    }
    row.versions.erase(row.versions.begin(), first_kept);
    if (row.garbage_entries == 0 && row.versions.size() == 1 && !row.versions.front().value) {
      rows_of(entry.family).erase(entry.row);
    }
  }
}

void MemoryStore::drop_newer_than(Sequence kept) {
  while (!garbage_.empty() && garbage_.back().sequence > kept) {
    --garbage_.back().row->second.garbage_entries;
    garbage_.pop_back();
  }
  for (Rows& rows : rows_) {
    for (auto row = rows.begin(); row != rows.end();) {
      std::vector<Version>& versions = row->second.versions;
      while (!versions.empty() && versions.back().sequence > kept) {
        versions.pop_back();
      }
      row = versions.empty() ? rows.erase(row) : std::next(row);
    }
  }
}

void MemoryStore::restart_at(Sequence kept) {
  drop_newer_than(kept);
  written_ = kept;
  synced_ = kept;
  lies_.clear();
  failed_ = false;
  planned_fault_.reset();
  collect_garbage();
}

void MemoryStore::crash_losing_unsynced() {
  const std::unique_lock lock(mutex_);
  restart_at(synced_);
}

std::size_t MemoryStore::crash(std::uint64_t seed) {
  const std::unique_lock lock(mutex_);
  const Sequence surviving = mix(seed) % (written_ - synced_ + 1);
  restart_at(synced_ + surviving);
  return surviving;
}

void MemoryStore::crash_losing_lies(std::size_t kept) {
  const std::unique_lock lock(mutex_);
  WEIR_ASSERT(kept < lies_.size(), "there is no such lie");
  restart_at(lies_[kept]);
}

void MemoryStore::fail_next_commit(CommitFault fault) {
  const std::unique_lock lock(mutex_);
  planned_fault_ = fault;
}

void MemoryStore::fail_reads(bool failing) {
  const std::scoped_lock lock(read_state_->mutex);
  read_state_->failing = failing;
}

void MemoryStore::set_fault_rates(FaultRates rates) {
  const std::scoped_lock lock(read_state_->mutex);
  read_state_->rates = rates;
  read_state_->random = rates.seed;
}

bool MemoryStore::draw(std::uint32_t FaultRates::* per_million) const {
  const std::scoped_lock lock(read_state_->mutex);
  if (read_state_->rates.*per_million == 0) {
    return false;
  }
  read_state_->random = mix(read_state_->random);
  return read_state_->random % 1'000'000 < read_state_->rates.*per_million;
}

bool MemoryStore::read_fails() const {
  {
    const std::scoped_lock lock(read_state_->mutex);
    if (read_state_->failing) {
      return true;
    }
  }
  return draw(&FaultRates::reads_per_million);
}

void MemoryStore::visit_rows(
    const std::function<void(Family, std::string_view key, std::string_view value)>& visit) const {
  const std::shared_lock lock(mutex_);
  for (const Family family : {Family::kState, Family::kLog}) {
    for (const auto& [key, row] : rows_of(family)) {
      if (const proto::SharedBytes* value = visible(row, synced_)) {
        visit(family, key, value->view());
      }
    }
  }
}

std::uint64_t MemoryStore::digest(const RowFilter& include) const {
  std::uint64_t hash = 0;
  visit_rows([&](Family family, std::string_view key, std::string_view value) {
    if (!include || include(family, key)) {
      hash = mix(hash ^ static_cast<std::uint64_t>(family));
      hash = hash_bytes(hash_bytes(hash, key), value);
    }
  });
  return hash;
}

std::string MemoryStore::dump() const {
  std::string text;
  visit_rows([&](Family family, std::string_view key, std::string_view value) {
    text += family == Family::kState ? "state " : "log ";
    proto::append_hex(text, key);
    text += " = ";
    proto::append_hex(text, value.substr(0, kDumpedValueBytes));
    if (value.size() > kDumpedValueBytes) {
      text += "… (" + std::to_string(value.size()) + " bytes)";
    }
    text += '\n';
  });
  return text;
}

std::size_t MemoryStore::rows(Family family) const {
  std::size_t count = 0;
  visit_rows(
      [&](Family of, std::string_view, std::string_view) { count += of == family ? 1U : 0U; });
  return count;
}

std::size_t MemoryStore::kept_versions() const {
  const std::shared_lock lock(mutex_);
  std::size_t count = 0;
  for (const Rows& rows : rows_) {
    for (const auto& [key, row] : rows) {
      count += row.versions.size();
    }
  }
  return count;
}

std::size_t MemoryStore::unsynced_changes() const {
  const std::shared_lock lock(mutex_);
  return written_ - synced_;
}

}  // namespace weir::storage
