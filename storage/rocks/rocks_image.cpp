#include "storage/rocks/rocks_image.hpp"

#include "storage/rocks/rocks_reader.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

class Image final : public RocksImage {
 public:
  ~Image() override {
    if (database_.db) {
      for (rocksdb::ColumnFamilyHandle* family : database_.families) {
        database_.db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
      }
    }
  }
  Image() = default;
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  proto::Result<> open(const std::string& path, const RocksBudget& budget) {
    rocksdb::DBOptions options = database_options(budget, nullptr);
    options.listeners.clear();
    options.create_if_missing = false;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(
        options, path, column_families(budget, rocksdb::NewLRUCache(budget.block_cache_bytes)),
        &families, &db);
    database_.db.reset(db);
    if (!status.ok()) {
      return fail(Errc::kStorageFailed,
                  "the database in '" + path + "' cannot be read: " + status.ToString());
    }
    std::copy_n(families.begin(), kFamilyCount, database_.families.begin());
    return {};
  }

  [[nodiscard]] std::unique_ptr<Reader> snapshot() const override {
    return take_snapshot(database_);
  }

 private:
  OpenDatabase database_;
};

}  // namespace

proto::Result<std::unique_ptr<RocksImage>> open_rocks_image(const std::string& path,
                                                            const RocksBudget& budget) {
  try {
    auto image = std::make_unique<Image>();
    if (const proto::Result<> opened = image->open(path, budget); !opened) {
      return opened.error();
    }
    return std::unique_ptr<RocksImage>(std::move(image));
  } catch (const std::exception& error) {
    return fail(Errc::kStorageFailed, std::string("the database cannot be read: ") + error.what());
  }
}

}  // namespace weir::storage
