#pragma once

#include "proto/batch/crc32c.hpp"
#include "proto/endian.hpp"
#include "storage/commit_chain.hpp"
#include "storage/rocks/log_records.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

// Writes files in RocksDB's log format, so that tests can make every shape that a crash or a disk
// can leave.
namespace weir::storage {

/// The bytes of one log file.
class LogWriter {
 public:
  /// Adds a record, in fragments where it crosses blocks. Returns the offset of its header.
  std::size_t add(std::string_view record) {
    std::size_t begin = std::string::npos;
    bool is_first = true;
    do {
      const std::size_t left = kLogBlockBytes - bytes_.size() % kLogBlockBytes;
      if (left < kHeaderBytes) {
        bytes_.append(left, '\0');
        continue;
      }
      const std::size_t size = std::min(record.size(), left - kHeaderBytes);
      const bool is_last = size == record.size();
      begin = std::min(begin, bytes_.size());
      add_fragment(is_first && is_last ? 1
                   : is_first          ? 2
                   : is_last           ? 4
                                       : 3,
                   record.substr(0, size));
      record.remove_prefix(size);
      is_first = false;
      if (is_last) {
        break;
      }
    } while (true);
    return begin;
  }

  void add_fragment(char type, std::string_view payload) {
    const std::uint32_t crc = proto::crc32c(proto::crc32c(0, std::string_view(&type, 1)), payload);
    char header[kHeaderBytes];
    proto::store_le<std::uint32_t>(header, ((crc >> 15U) | (crc << 17U)) + 0xa282ead8U);
    proto::store_le<std::uint16_t>(header + 4, static_cast<std::uint16_t>(payload.size()));
    header[6] = type;
    bytes_.append(header, sizeof(header));
    bytes_ += payload;
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kHeaderBytes = 7;
  std::string bytes_;
};

/// A record of the WAL: a write batch of `operations` that begins at `sequence` and ends with the
/// row of commit number `commit`.
inline std::string wal_record(std::uint64_t sequence, std::uint32_t operations,
                              std::uint64_t commit, std::size_t bytes = 100) {
  std::string record(12, '\0');
  proto::store_le<std::uint64_t>(record.data(), sequence);
  proto::store_le<std::uint32_t>(record.data() + 8, operations);
  record.append(bytes, static_cast<char>('a' + sequence % 26));
  return record +
         encode_commit_point({.index = proto::CommitIndex(commit), .time = 0x0102030405060708});
}

/// A database directory as far as the scan of the WAL looks: CURRENT and a manifest whose families
/// have their rows flushed up to these logs.
inline void write_manifest(const std::filesystem::path& directory, std::uint8_t state_log,
                           std::uint8_t log_log, std::string_view more_edits = {}) {
  LogWriter manifest;
  // log number (tag 2), last sequence (4); family 1 is added (200, 201)
  manifest.add(std::string("\x02") + static_cast<char>(state_log) + std::string("\x04\x05", 2));
  manifest.add(std::string("\xc8\x01\x01\xc9\x01\x03log\x02", 10) + static_cast<char>(log_log));
  if (!more_edits.empty()) {
    manifest.add(more_edits);
  }
  std::filesystem::create_directories(directory);
  write_file(directory / "MANIFEST-000001", manifest.bytes());
  write_file(directory / "CURRENT", "MANIFEST-000001\n");
}

}  // namespace weir::storage
