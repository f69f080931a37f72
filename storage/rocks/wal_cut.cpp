#include "storage/rocks/wal_cut.hpp"

#include "storage/file.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// No fragment begins like this: the type is unknown and the length reaches behind the block.
constexpr std::string_view kNoFragment = "\xff\xff\xff\xff\xff\xff\xff";

proto::Result<> keep_copies(const std::string& database_path, const std::string& first) {
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(database_path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::filesystem::path& path = entry->path();
    // Names have leading zeros, so their order is that of the numbers.
    if (path.extension() != ".log" || path.string() < first) {
      continue;
    }
    std::filesystem::copy_file(path, path.string() + ".damaged",
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error) {
      break;
    }
  }
  if (error) {
    return fail(Errc::kStorageFailed,
                "the damaged write-ahead log cannot be kept: " + error.message());
  }
  return sync_directory(database_path);
}

}  // namespace

proto::Result<> cut_wal(const std::string& database_path, const WalReport& report) {
  const WalDamage& damage = report.damage.value();
  if (const proto::Result<> kept = keep_copies(database_path, damage.file); !kept) {
    return kept.error();
  }
  proto::Result<File> file = File::open(damage.file, File::Mode::kReadWrite);
  if (!file) {
    return file.error();
  }
  if (const auto written = file->write_at(damage.offset, kNoFragment); !written) {
    return written.error();
  }
  return file->sync();
}

}  // namespace weir::storage
