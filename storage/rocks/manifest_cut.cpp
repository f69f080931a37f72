#include "storage/rocks/manifest_cut.hpp"

#include "storage/file.hpp"
#include "storage/rocks/manifest.hpp"

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

proto::Result<bool> cut_torn_manifest(const std::string& database_path, const WalReport& report) {
  if (report.manifest.empty()) {
    return false;
  }
  const proto::Result<ManifestFacts> facts = read_manifest(database_path);
  if (!facts) {
    return facts.error();
  }
  const bool is_told = facts->first_live_wal && facts->flushed_sequence;
  const bool goes_on = report.readable_records > 0 || facts->families_agree;
  if (!facts->damage_offset || !is_told || !goes_on || report.damage) {
    return false;
  }
  proto::Result<File> file = File::open(facts->file, File::Mode::kReadWrite);
  if (!file) {
    return file.error();
  }
  if (const proto::Result<> kept = keep_copy(*file); !kept) {
    return kept.error();
  }
  if (const proto::Result<> cut = file->truncate(facts->entries_end); !cut) {
    return cut.error();
  }
  if (const proto::Result<> synced = file->sync(); !synced) {
    return synced.error();
  }
  return true;
}

}  // namespace weir::storage
