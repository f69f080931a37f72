#include "storage/import.hpp"

#include "storage/key_codec.hpp"

#include <array>
#include <string>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// Values of the row kImport.
constexpr std::string_view kUnfinished = "\x01";
constexpr std::string_view kFinished = "\x02";

void put_import_mark(WriteBatch& rows, std::string_view state) {
  rows.put(Family::kState, meta_key(MetaRow::kImport), std::string(state));
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
    put_import_mark(rows_, kUnfinished);
    return commit();
  }

  proto::Result<> take(Family family, std::string_view key, std::string_view value) {
    rows_.put(family, std::string(key), std::string(value));
    return rows_.bytes() >= commit_bytes_ ? commit() : proto::Result<>();
  }

  proto::Result<> finish(const CommitPoint& point) {
    if (auto done = commit(); !done) {
      return done;
    }
    put_commit_point(rows_, point);
    put_import_mark(rows_, kFinished);
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
  if (auto done = importer.finish(*point); !done) {
    return done.error();
  }
  return summary;
}

proto::Result<bool> was_imported(const Reader& reader) {
  const auto row = reader.get(Family::kState, meta_key(MetaRow::kImport));
  if (!row) {
    return row.error();
  }
  if (*row && **row != kFinished) {
    return fail(Errc::kStorageFailed,
                "the import into this store was not finished; throw it away and import again");
  }
  return row->has_value();
}

void remove_import_mark(WriteBatch& rows) {
  rows.remove(Family::kState, meta_key(MetaRow::kImport));
}

}  // namespace weir::storage
