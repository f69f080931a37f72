#pragma once

#include <rocksdb/file_system.h>

#include <cstddef>
#include <cstdint>
#include <memory>

// An fdatasync behind bytes that make a file longer, or that lie in space which was only reserved
// (fallocate), waits for the file system's journal as well. Behind bytes that replace zeros it
// does not. So write-ahead logs get zeros ahead of their end, a stretch at a time, and the next few
// hundred small commits write into them. A large commit pays for its bytes more than for the
// journal and would have each of them written twice, so logs get no zeros while commits are large.
//
// A crash leaves such a log with zeros at its end, which RocksDB's reader and the scan
// (wal_scan.hpp) take for what they are: nothing. A log that is closed ends where its records end.
namespace weir::storage {

/// So many bytes are zeroed at a time. Whole pages: a commit writes into one that is in memory.
inline constexpr std::uint64_t kPrefillBytes = std::uint64_t{128} << 10;
/// What is appended between two syncs is small up to here.
inline constexpr std::uint64_t kSmallCommitBytes = std::uint64_t{8} << 10;
/// Zeros begin behind so many small commits in a row.
inline constexpr std::uint32_t kSmallCommitsBefore = 8;

/// A file system that is `base` except that new files "<number>.log" without direct I/O get zeros
/// ahead. What RocksDB reserves for them stays as it is: it is where the zeros go.
///
/// Zeros are written by the thread that appends, in front of the sync that makes both durable, and
/// never over what was appended. Without space for zeros a log goes on without them; any other
/// error of writing them is the append's.
[[nodiscard]] std::shared_ptr<rocksdb::FileSystem> prefill_wals(
    const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace weir::storage
