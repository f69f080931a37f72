#include "storage/rocks/manifest_cut.hpp"

#include "storage/file.hpp"

#include <cstdint>
#include <string>

namespace weir::storage {
namespace {

// Beside it, for whoever has to find out what happened.
proto::Result<> keep_copy(const File& file) {
  const proto::Result<std::uint64_t> size = file.size();
  if (!size) {
    return size.error();
  }
  std::string bytes(*size, '\0');
  if (const proto::Result<std::size_t> read = file.read_at(0, bytes); !read) {
    return read.error();
  }
  return create_durably(file.path() + ".torn", bytes);
}

}  // namespace

proto::Result<bool> cut_torn_manifest(const WalReport& report) {
  const ManifestFacts& manifest = report.manifest;
  const bool is_told = manifest.first_live_wal && manifest.flushed_sequence;
  const bool goes_on = report.readable_records > 0 || manifest.families_agree;
  if (!manifest.damage_offset || !is_told || !goes_on || report.damage) {
    return false;
  }
  proto::Result<File> file = File::open(manifest.file, File::Mode::kReadWrite);
  if (!file) {
    return file.error();
  }
  if (const proto::Result<> kept = keep_copy(*file); !kept) {
    return kept.error();
  }
  if (const proto::Result<> cut = file->truncate(manifest.entries_end); !cut) {
    return cut.error();
  }
  if (const proto::Result<> synced = file->sync(); !synced) {
    return synced.error();
  }
  return true;
}

}  // namespace weir::storage
