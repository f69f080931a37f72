#include "proto/backup_manifest.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::proto {
namespace {

BackupManifest a_manifest() {
  return {.broker = "weir 0.1.0",
          .incarnation = 3,
          .commit = CommitIndex{17},
          .commit_digest = 0x0123456789abcdef,
          .commit_time = 1'790'000'000'000,
          .shard_bytes = 4096,
          .shard_crc = 0xcafe,
          .rows = 12,
          .row_bytes = 3000,
          .rows_digest = 0xfedcba9876543210};
}

TEST(BackupManifest, ComesBackAsItWas) {
  const std::string text = encode_backup_manifest(a_manifest());
  EXPECT_LE(text.size(), kMaxBackupManifestBytes);
  EXPECT_EQ(parse_backup_manifest(text).value(), a_manifest());
  EXPECT_EQ(parse_backup_manifest(encode_backup_manifest({})).value(), BackupManifest{});
}

TEST(BackupManifest, IsATextForPeople) {
  EXPECT_EQ(encode_backup_manifest(a_manifest()),
            "weir-backup: 1\n"
            "broker: weir 0.1.0\n"
            "incarnation: 3\n"
            "commit: 17\n"
            "commit-digest: 0123456789abcdef\n"
            "commit-time-ms: 1790000000000\n"
            "shard-bytes: 4096\n"
            "shard-crc32c: 0000cafe\n"
            "rows: 12\n"
            "row-bytes: 3000\n"
            "rows-digest: fedcba9876543210\n"
            "crc32c: efc79da4\n");
}

TEST(BackupManifest, NoByteCanBeChangedLostOrAdded) {
  const std::string text = encode_backup_manifest(a_manifest());
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(parse_backup_manifest(changed)) << at;
    EXPECT_EQ(parse_backup_manifest(text.substr(0, at)).error().code, Errc::kCorruptBatch) << at;
  }
  EXPECT_EQ(parse_backup_manifest(text + "\n").error().code, Errc::kCorruptBatch);
  EXPECT_EQ(parse_backup_manifest(text + text).error().code, Errc::kCorruptBatch);
}

TEST(BackupManifest, OfANewerVersionIsNotGuessedAt) {
  const auto newer = parse_backup_manifest("weir-backup: 2\nwho: knows\n");
  EXPECT_EQ(newer.error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace weir::proto
