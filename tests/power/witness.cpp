#include "tests/power/witness.hpp"

#include "proto/batch/crc32c.hpp"
#include "storage/commit_chain.hpp"
#include "tests/power/disk_tap.hpp"

#include <cstring>
#include <string_view>
#include <utility>

namespace weir::power {

using storage::WriteBatch;

proto::Result<std::uint64_t> rows_digest(const storage::Reader& reader) {
  std::uint64_t digest = 0;
  for (const storage::Family family : {storage::Family::kState, storage::Family::kLog}) {
    const auto rows = reader.scan(family, "", "", {.sequential = true});
    for (; rows->valid(); rows->next()) {
      const std::uint32_t key = proto::crc32c(static_cast<std::uint32_t>(family), rows->key());
      const std::uint32_t value = proto::crc32c(key, rows->value());
      digest = (digest ^ (std::uint64_t{key} << 32U) ^ value) * 0x100000001b3U;
    }
    if (const proto::Result<> status = rows->status(); !status) {
      return status.error();
    }
  }
  return digest;
}

class Witness::Store final : public storage::KeyValueStore {
 public:
  Store(Witness& witness, storage::KeyValueStore& store) : witness_(witness), store_(store) {}

  [[nodiscard]] std::unique_ptr<storage::Reader> snapshot() const override {
    return store_.snapshot();
  }

  [[nodiscard]] proto::Result<> commit(std::span<const WriteBatch* const> batches) override {
    witness_.begin(batches);
    const proto::Result<> committed = store_.commit(batches);
    if (committed) {
      DiskTap::instance().note(Step::kCommitEnd, witness_.newest_, {});
    }
    return committed;
  }

 private:
  Witness& witness_;
  storage::KeyValueStore& store_;
};

Witness::Witness() : model_(std::make_unique<storage::MemoryStore>()) {}
Witness::~Witness() = default;

Witness::Attached Witness::attach(storage::KeyValueStore& store) {
  const proto::Result<storage::CommitPoint> recovered =
      storage::read_commit_point(*store.snapshot());
  if (!recovered) {
    return recovered.error();
  }
  const std::uint64_t index = recovered->index.value;
  std::vector<Commit> kept = std::move(commits_);
  std::erase_if(kept, [index](const Commit& commit) { return commit.index > index; });
  commits_.clear();
  model_ = std::make_unique<storage::MemoryStore>();
  for (Commit& commit : kept) {
    std::vector<const WriteBatch*> batches;
    for (const WriteBatch& batch : commit.batches) {
      batches.push_back(&batch);
    }
    if (const proto::Result<> applied = model_->commit(batches); !applied) {
      return applied.error();
    }
    commits_.push_back(std::move(commit));
  }
  const proto::Result<std::uint64_t> found = rows_digest(*store.snapshot());
  if (!found) {
    return found.error();
  }
  newest_ = commits_.empty() ? 0 : commits_.back().index;
  if (newest_ != index || *found != rows_digest(*model_->snapshot()).value()) {
    return proto::fail(proto::Errc::kStorageFailed,
                       "the rows behind commit " + std::to_string(index) +
                           " are not what was committed up to " + std::to_string(newest_));
  }
  return watched(store);
}

Witness::Attached Witness::adopt(storage::KeyValueStore& store) {
  WriteBatch rows;
  const auto reader = store.snapshot();
  for (const storage::Family family : {storage::Family::kState, storage::Family::kLog}) {
    for (const auto scan = reader->scan(family, "", "", {}); scan->valid(); scan->next()) {
      rows.put(family, std::string(scan->key()), std::string(scan->value()));
    }
  }
  const WriteBatch* all = &rows;
  if (const proto::Result<> copied = model_->commit({&all, 1}); !copied) {
    return copied.error();
  }
  newest_ = storage::read_commit_point(*reader).value().index.value;
  return watched(store);
}

Witness::Attached Witness::watched(storage::KeyValueStore& store) {
  DiskTap::instance().note(Step::kRecovered, newest_, {});
  return std::unique_ptr<storage::KeyValueStore>(std::make_unique<Store>(*this, store));
}

void Witness::begin(std::span<const WriteBatch* const> batches) {
  Commit commit;
  for (const WriteBatch* batch : batches) {
    commit.batches.push_back(*batch);
  }
  // The model has no faults.
  static_cast<void>(model_->commit(batches).value());
  const auto reader = model_->snapshot();
  commit.index = storage::read_commit_point(*reader).value().index.value;
  const std::uint64_t digest = rows_digest(*reader).value();
  std::string_view bytes(reinterpret_cast<const char*>(&digest), sizeof(digest));
  DiskTap::instance().note(Step::kCommitBegin, commit.index, bytes);
  newest_ = commit.index;
  commits_.push_back(std::move(commit));
}

}  // namespace weir::power
