#include "broker/server/restore.hpp"
#include "broker/server/verify.hpp"
#include "proto/backup_manifest.hpp"
#include "proto/batch/crc32c.hpp"
#include "storage/data_dir.hpp"
#include "storage/import.hpp"
#include "storage/mark_file.hpp"
#include "storage/rocks/rocks_store.hpp"
#include "tests/unit/core/core_rig.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Restoring and verifying, on real directories.
namespace weir::server {
namespace {

using core::test::CoreRig;
using core::test::kNow;
using core::test::values_of;
using proto::Errc;
using storage::files_in;
using storage::read_file;
using storage::TempDir;
using storage::write_file;
using testing::HasSubstr;

const WorkWatch go_on;

class StoredData : public ::testing::Test {
 protected:
  StoredData() {
    const proto::QueueId queue = rig.create_queue("work");
    const core::TopicCreated topic = rig.create_topic("news", 1);
    for (int i = 0; i < 20; ++i) {
      rig.send(queue, values_of(3, std::string(400, 'q')));
      core::SendBatch batch = core::test::a_batch(proto::LogId{topic.partitions[0].value},
                                                  values_of(2, std::string(300, 't')), {}, true);
      rig.apply(core::Record{*rig.decide(batch, kNow).value().record});
    }
    rig.take(queue, 5, kNow);
    rig.commit(original);
    storage::WriteBatch row;
    storage::put_commit_point(row, point);
    const std::array<const storage::WriteBatch*, 1> all = {&row};
    original.commit(all).value();
    write_backup();
  }

  /// As `weir backup` makes it.
  void write_backup() {
    std::filesystem::create_directory(backup());
    std::string stream;
    const auto rows = storage::export_shard(original.snapshot(),
                                            [&stream](std::string_view bytes) -> proto::Result<> {
                                              stream += bytes;
                                              return {};
                                            },
                                            {.block_bytes = 2000});
    manifest = {.broker = "weir/0.1.0",
                .incarnation = 1,
                .commit = rows->point.index,
                .commit_digest = rows->point.digest,
                .commit_time = rows->point.time,
                .shard_bytes = stream.size(),
                .shard_crc = proto::crc32c(0, stream),
                .rows = rows->rows,
                .row_bytes = rows->bytes,
                .rows_digest = rows->digest};
    write_file(shard_file(), stream);
    write_file(manifest_file(), proto::encode_backup_manifest(manifest));
  }
  [[nodiscard]] std::string backup() const { return temp.file("backup"); }
  [[nodiscard]] std::string data() const { return temp.file("data"); }
  [[nodiscard]] std::string shard_file() const { return temp.file("backup/shard-0"); }
  [[nodiscard]] std::string manifest_file() const { return temp.file("backup/MANIFEST"); }
  [[nodiscard]] bool starts() const { return storage::DataDir::open(data()).has_value(); }

  /// What both commands say of a backup that is not whole, which leaves nothing behind.
  std::string refusal() {
    const auto verified = verify(backup(), go_on);
    EXPECT_FALSE(verified);
    const auto restored = restore(backup(), data(), go_on);
    EXPECT_FALSE(restored);
    EXPECT_FALSE(std::filesystem::exists(data() + "/db"));
    EXPECT_FALSE(std::filesystem::exists(data() + "/FORMAT"));
    return verified ? std::string() : verified.error().to_string();
  }

  const storage::CommitPoint point{.index = proto::CommitIndex{7}, .digest = 8, .time = kNow};
  TempDir temp;
  CoreRig rig;
  storage::MemoryStore original;
  proto::BackupManifest manifest;
};

TEST_F(StoredData, IsTheSameInTheBackupAndWhereItIsRestored) {
  const auto in_backup = verify(backup(), go_on);
  ASSERT_TRUE(in_backup) << in_backup.error().to_string();
  EXPECT_EQ(in_backup->kind, "backup");
  EXPECT_EQ(in_backup->counts.records, 100U);
  const auto restored = restore(backup(), data(), go_on);
  ASSERT_TRUE(restored) << restored.error().to_string();
  const auto before = files_in(data());
  const auto in_data = verify(data(), go_on);
  ASSERT_TRUE(in_data) << in_data.error().to_string();
  EXPECT_EQ(files_in(data()), before) << "nothing was changed";
  EXPECT_EQ(in_data->kind, "data directory");
  for (const auto* facts : {&*in_backup, &*restored, &*in_data}) {
    EXPECT_EQ(facts->rows.digest, manifest.rows_digest);
    EXPECT_EQ(facts->rows.rows, manifest.rows);
    EXPECT_EQ(facts->rows.point, point);
  }
  const auto store = storage::open_rocks_store({.path = data() + "/db"}).value();
  const auto mark = storage::read_import_mark(*store->snapshot()).value();
  ASSERT_TRUE(mark) << "its start raises the number";
  EXPECT_GT(mark->least_incarnation, 200'000'000U) << "another one for each restore";
  EXPECT_EQ(storage::MarkFile::open(data() + "/mark")->last(), point);
}

TEST_F(StoredData, HasOneTextForPeopleAndOneForScripts) {
  const StoredFacts facts = verify(backup(), go_on).value();
  EXPECT_THAT(facts_table(facts), HasSubstr("kind         backup\n"));
  EXPECT_THAT(facts_table(facts), HasSubstr("records      100\n"));
  EXPECT_EQ(facts_json(facts),
            "{\"kind\": \"backup\", \"incarnation\": 1, \"commit\": 7, \"commit_time_ms\": " +
                std::to_string(kNow) +
                ", \"namespaces\": 1, \"queues\": 1, \"topics\": 1, \"partitions\": 1, "
                "\"producers\": 0, \"batches\": 40, \"records\": 100, \"rows\": " +
                std::to_string(manifest.rows) +
                ", \"bytes\": " + std::to_string(manifest.row_bytes) + ", \"digest\": \"" +
                proto::hex_digest(manifest.rows_digest) + "\"}\n");
}

TEST_F(StoredData, IsNotABackupWithoutItsManifest) {
  std::filesystem::remove(manifest_file());
  EXPECT_THAT(refusal(), HasSubstr("not a finished backup"));
  std::filesystem::remove(shard_file());
  EXPECT_THAT(restore(backup(), data(), go_on).error().message, HasSubstr("not a finished backup"));
}

TEST_F(StoredData, IsRefusedWhereAnyByteOfTheManifestIsDamaged) {
  const std::string whole = read_file(manifest_file());
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file(manifest_file(), changed);
    EXPECT_THAT(refusal(), HasSubstr("MANIFEST")) << at;
  }
}

TEST_F(StoredData, IsRefusedWhereAnyByteOfTheShardIsDamaged) {
  const std::string whole = read_file(shard_file());
  int restored = 0;
  for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 60) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file(shard_file(), changed);
    const bool also_restores = restored++ % 10 == 0;
    EXPECT_THAT(also_restores ? refusal() : verify(backup(), go_on).error().to_string(),
                HasSubstr("backup '" + backup() + "': "))
        << at;
  }
  for (const std::string& cut : {whole.substr(0, whole.size() - 1), std::string(), whole + "x"}) {
    write_file(shard_file(), cut);
    EXPECT_THAT(refusal(), HasSubstr("bytes, not"));
  }
  std::filesystem::remove(shard_file());
  EXPECT_THAT(refusal(), HasSubstr("shard-0"));
}

TEST_F(StoredData, IsRefusedWithTheManifestOfAnother) {
  manifest.rows_digest ^= 1;
  write_file(manifest_file(), proto::encode_backup_manifest(manifest));
  EXPECT_THAT(refusal(), HasSubstr("of another backup"));
}

TEST_F(StoredData, IsRefusedWhereItsRowsContradictEachOther) {
  storage::WriteBatch change;
  change.remove_range(storage::Family::kLog, "",
                      storage::batch_key(storage::KeyKind::kBatch, ~std::uint64_t{0}, 0, 0));
  const std::array<const storage::WriteBatch*, 1> all = {&change};
  original.commit(all).value();
  write_backup();
  EXPECT_THAT(refusal(), HasSubstr("missing"));
}

TEST_F(StoredData, IsNotRestoredOverAnythingElse) {
  ASSERT_TRUE(restore(backup(), data(), go_on));
  const auto before = files_in(data());
  EXPECT_THAT(restore(backup(), data(), go_on).error().message,
              HasSubstr("holds a broker's data already"));
  EXPECT_EQ(files_in(data()), before);
  std::filesystem::create_directory(temp.path() / "other");
  write_file(temp.path() / "other" / "thesis.tex", "years of work");
  EXPECT_THAT(restore(backup(), temp.file("other"), go_on).error().message,
              HasSubstr("'thesis.tex'"));
  EXPECT_THAT(restore(backup(), backup(), go_on).error().message, HasSubstr("is not empty"));
  EXPECT_TRUE(verify(backup(), go_on));
}

TEST_F(StoredData, IsLeftAloneWhileABrokerHasIt) {
  ASSERT_TRUE(restore(backup(), data(), go_on));
  const auto broker = storage::DataDir::open(data()).value();
  EXPECT_THAT(verify(data(), go_on).error().message, HasSubstr("in use by another broker"));
}

TEST_F(StoredData, CanBeInterruptedAtAnyPointAndLeavesNothing) {
  for (int calls = 0; calls < 60; calls += 9) {
    int left = calls;
    const WorkWatch watch{.may_go_on = [&]() -> proto::Result<> {
      return left-- > 0 ? proto::Result<>() : proto::fail(Errc::kCancelled, "interrupted");
    }};
    const auto stopped = restore(backup(), data(), watch);
    if (stopped) {
      break;
    }
    EXPECT_EQ(stopped.error().code, Errc::kCancelled);
    EXPECT_THAT(stopped.error().message, HasSubstr("nothing was kept"));
    EXPECT_FALSE(std::filesystem::exists(data() + "/db"));
  }
  ASSERT_TRUE(restore(backup(), data(), go_on)) << "the directory is still good for one";
  const WorkWatch watch{
      .may_go_on = [] { return proto::Result<>(proto::fail(Errc::kCancelled, "interrupted")); }};
  const auto stopped = verify(data(), watch);
  EXPECT_EQ(stopped.error().code, Errc::kCancelled);
}

TEST_F(StoredData, TellsHowFarTheWorkHasCome) {
  struct Part {
    std::string what;
    std::uint64_t total = 0;
    std::uint64_t done = 0;
  };
  std::vector<Part> parts;
  const WorkWatch watch{.begin =
                            [&](std::string_view what, std::uint64_t bytes) {
                              parts.push_back({.what = std::string(what), .total = bytes});
                            },
                        .advance = [&](std::uint64_t bytes) { parts.back().done += bytes; }};
  ASSERT_TRUE(verify(backup(), watch));
  const StoredFacts facts = restore(backup(), data(), watch).value();
  ASSERT_TRUE(verify(data(), watch));
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0].what, "verifying");
  EXPECT_EQ(parts[0].total, std::filesystem::file_size(shard_file()));
  EXPECT_EQ(parts[0].done, parts[0].total);
  EXPECT_EQ(parts[1].what, "restoring");
  EXPECT_EQ(parts[1].done, parts[0].total);
  EXPECT_EQ(parts[2].what, "checking");
  EXPECT_EQ(parts[2].total, facts.rows.bytes);
  EXPECT_EQ(parts[2].done, facts.rows.bytes);
  EXPECT_GT(parts[3].total, 0U) << "about";
  EXPECT_EQ(parts[3].done, facts.rows.bytes);
}

TEST_F(StoredData, OfARestoreThatWasKilledIsNoDataDirectory) {
  {
    const auto killed = storage::DataDir::begin_restore(data()).value();
    const auto store = storage::open_rocks_store({.path = killed.database_path()}).value();
  }
  const auto started = storage::DataDir::open(data());
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("was not finished"));
  EXPECT_THAT(verify(data(), go_on).error().message, HasSubstr("was not finished"));
  EXPECT_THAT(restore(backup(), data(), go_on).error().message, HasSubstr("was not finished"));
}

TEST_F(StoredData, ThatIsDamagedOnTheDiskIsNamed) {
  ASSERT_TRUE(restore(backup(), data(), go_on));
  int damaged = 0;
  for (const auto& [name, bytes] : files_in(data())) {
    const std::string extension = std::filesystem::path(name).extension();
    if ((extension != ".sst" && extension != ".blob") || bytes.size() < 200) {
      continue;
    }
    // In the middle lie rows; a table's own properties at its end concern nobody.
    std::string changed = bytes;
    changed[bytes.size() / 4] = static_cast<char>(changed[bytes.size() / 4] ^ 1);
    write_file(name, changed);
    EXPECT_FALSE(verify(data(), go_on)) << name;
    write_file(name, bytes);
    ++damaged;
  }
  EXPECT_GE(damaged, 2);
  EXPECT_TRUE(verify(data(), go_on));
}

TEST_F(StoredData, ThatEndsBeforeItsMarkIsNamed) {
  ASSERT_TRUE(restore(backup(), data(), go_on));
  storage::CommitPoint later = point;
  later.index = proto::CommitIndex{point.index.value + 1};
  ASSERT_TRUE(storage::MarkFile::open(data() + "/mark")->write(later));
  EXPECT_THAT(verify(data(), go_on).error().message, HasSubstr("commit 8"));
  std::filesystem::remove(data() + "/mark");
  EXPECT_FALSE(verify(data(), go_on));
}

TEST_F(StoredData, IsLookedForWhereItIs) {
  EXPECT_THAT(verify(temp.file("nowhere"), go_on).error().message,
              HasSubstr("there is no such directory"));
  std::filesystem::create_directory(data());
  EXPECT_THAT(verify(data(), go_on).error().message, HasSubstr("no broker has been here"));
  EXPECT_TRUE(files_in(data()).empty());
}

/// A command's status and what it says.
struct Said {
  int status = -1;
  std::string out;
  std::string err;
};
Said run(int (*command)(const std::vector<std::string>&), const std::vector<std::string>& args) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Said said;
  said.status = command(args);
  said.out = testing::internal::GetCapturedStdout();
  said.err = testing::internal::GetCapturedStderr();
  return said;
}

TEST_F(StoredData, CommandsTeachAndRefuseLikeTheOthers) {
  for (const auto command : {verify_main, restore_main}) {
    const Said help = run(command, {"--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("Example:"));
    const std::vector<std::vector<std::string>> wrong = {
        {}, {"a", "b"}, {"a", "-o", "xml"}, {"a", "--frob"}};
    for (const auto& args : wrong) {
      const Said bad = run(command, args);
      EXPECT_EQ(bad.status, 2);
      EXPECT_EQ(bad.out, "");
      EXPECT_THAT(bad.err, testing::StartsWith("weir: "));
      EXPECT_EQ(bad.err.find('\n'), bad.err.size() - 1) << bad.err;
    }
    const Said refused = run(command, {temp.file("nowhere")});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, testing::StartsWith("weir: "));
  }
  const Said restored = run(restore_main, {backup(), "--data-dir", data(), "-o", "json"});
  EXPECT_EQ(restored.status, 0) << restored.err;
  EXPECT_EQ(restored.out, run(verify_main, {data(), "-o", "json"}).out);
}

}  // namespace
}  // namespace weir::server
