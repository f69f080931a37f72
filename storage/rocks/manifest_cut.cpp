#include "storage/rocks/manifest_cut.hpp"

#include "storage/file.hpp"
#include "storage/rocks/manifest.hpp"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

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

proto::Result<bool> has_wal(const std::string& database_path, std::uint64_t number) {
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(database_path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::uint64_t found = 0;
    const auto [end, result] = std::from_chars(name.data(), name.data() + name.size(), found);
    if (result == std::errc() && found == number &&
        std::string_view(end, name.data() + name.size()) == ".log") {
      return true;
    }
  }
  if (error) {
    return proto::fail(proto::Errc::kStorageFailed,
                       "cannot read '" + database_path + "': " + error.message());
  }
  return false;
}

}  // namespace

proto::Result<> cut_torn_manifest(const std::string& database_path) {
  std::error_code error;
  if (!std::filesystem::exists(database_path + "/CURRENT", error)) {
    return {};
  }
  const proto::Result<ManifestFacts> facts = read_manifest(database_path);
  if (!facts) {
    return facts.error();
  }
  if (!facts->damage_offset || !facts->oldest_needed_wal) {
    return {};
  }
  const proto::Result<bool> is_wal_there = has_wal(database_path, *facts->oldest_needed_wal);
  if (!is_wal_there) {
    return is_wal_there.error();
  }
  if (!*is_wal_there) {
    return {};
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
  return file->sync();
}

}  // namespace weir::storage
