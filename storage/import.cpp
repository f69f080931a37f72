#include "storage/import.hpp"

#include "proto/endian.hpp"
#include "storage/key_codec.hpp"

#include <array>
#include <string>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// Values of the row kImport: a state, and behind kFinished the least incarnation (u32,
// little-endian).
constexpr char kUnfinished = 1;
constexpr char kFinished = 2;
constexpr std::size_t kFinishedBytes = 5;

void put_import_mark(WriteBatch& rows, std::string_view value) {
  rows.put(Family::kState, meta_key(MetaRow::kImport), value);
}

std::string finished(std::uint32_t least_incarnation) {
  std::string value(kFinishedBytes, kFinished);
  proto::store_le<std::uint32_t>(value.data() + 1, least_incarnation);
  return value;
}

proto::Result<> check_empty(const KeyValueStore& store) {
  const auto reader = store.snapshot();
  for (const Family family : {Family::kState, Family::kLog}) {
    const auto rows = reader->scan(family, "", "", {});
    if (rows->valid()) {
      return fail(Errc::kConflict, "a shard is imported into an empty store, and this one is not");
    }
    if (auto read = rows->status(); !read) {
      return read;
    }
  }
  return {};
}

// Rows on their way into the store, in commits of bounded size.
class Importer {
 public:
  Importer(KeyValueStore& store, std::size_t commit_bytes)
      : store_(store), commit_bytes_(commit_bytes) {}

  proto::Result<> begin() {
    put_import_mark(rows_, std::string(1, kUnfinished));
    return commit();
  }

  proto::Result<> take(Family family, std::string_view key, std::string_view value) {
    rows_.put(family, key, value);
    return rows_.bytes() >= commit_bytes_ ? commit() : proto::Result<>();
  }

  proto::Result<> finish(const CommitPoint& point, std::uint32_t least_incarnation) {
    if (auto done = commit(); !done) {
      return done;
    }
    put_commit_point(rows_, point);
    put_import_mark(rows_, finished(least_incarnation));
    return commit();
  }

 private:
  proto::Result<> commit() {
    const WriteBatch rows = std::exchange(rows_, {});
    const std::array<const WriteBatch*, 1> batches = {&rows};
    return rows.empty() ? proto::Result<>() : store_.commit(batches);
  }

  KeyValueStore& store_;
  const std::size_t commit_bytes_;
  WriteBatch rows_;
};

}  // namespace

proto::Result<TransferSummary> import_shard(KeyValueStore& store, const ByteSource& source,
                                            const ImportOptions& options) {
  if (auto empty = check_empty(store); !empty) {
    return empty.error();
  }
  TransferReader reader(source);
  const auto point = reader.read_header();
  if (!point) {
    return point.error();
  }
  Importer importer(store, options.commit_bytes);
  if (auto begun = importer.begin(); !begun) {
    return begun.error();
  }
  auto summary =
      reader.read_rows([&importer](Family family, std::string_view key, std::string_view value) {
        return importer.take(family, key, value);
      });
  if (!summary) {
    return summary;
  }
  if (auto done = importer.finish(*point, options.least_incarnation); !done) {
    return done.error();
  }
  return summary;
}

proto::Result<std::optional<ImportMark>> read_import_mark(const Reader& reader) {
  const auto row = reader.get(Family::kState, meta_key(MetaRow::kImport));
  if (!row) {
    return row.error();
  }
  if (!*row) {
    return std::optional<ImportMark>();
  }
  const std::string& value = **row;
  if (value.size() != kFinishedBytes || value.front() != kFinished) {
    return fail(Errc::kStorageFailed,
                "the import into this store was not finished; throw it away and import again");
  }
  return std::optional(
      ImportMark{.least_incarnation = proto::load_le<std::uint32_t>(value.data() + 1)});
}

proto::Result<bool> was_imported(const Reader& reader) {
  const auto mark = read_import_mark(reader);
  return mark ? proto::Result<bool>(mark->has_value()) : mark.error();
}

void remove_import_mark(WriteBatch& rows) {
  rows.remove(Family::kState, meta_key(MetaRow::kImport));
}

}  // namespace weir::storage
