#include "broker/server/verify.hpp"

#include "broker/server/own_command.hpp"
#include "storage/backup_dir.hpp"
#include "storage/commit_chain.hpp"
#include "storage/data_dir.hpp"
#include "storage/mark_file.hpp"
#include "storage/rocks/rocks_image.hpp"
#include "storage/rocks/wal_scan.hpp"
#include "storage/transfer_reader.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace weir::server {
namespace {

proto::Result<StoredFacts> verify_backup(const std::string& directory, const WorkWatch& watch) {
  proto::Result<storage::BackupDir> backup = storage::BackupDir::open(directory);
  if (!backup) {
    return backup.error();
  }
  watch.begin("verifying", backup->manifest().shard_bytes);
  const storage::ByteSource source = watched(backup->source(), watch);
  const auto visit = [&](const storage::RowSink& sink) -> proto::Result<storage::TransferSummary> {
    storage::TransferReader reader(source);
    if (const auto header = reader.read_header(); !header) {
      return header.error();
    }
    auto rows = reader.read_rows(sink);
    if (!rows) {
      return rows;
    }
    const proto::Result<> fits = backup->check_end(*rows);
    return fits ? rows : proto::Result<storage::TransferSummary>(fits.error());
  };
  return check_rows("backup", visit, watch);
}

// About what the rows come to: batches are stored as they are, and the rest is little.
std::uint64_t table_bytes_in(const std::string& database) {
  std::uint64_t bytes = 0;
  std::error_code failed;  // then it is not known
  for (const auto& file : std::filesystem::directory_iterator(database, failed)) {
    const std::filesystem::path ending = file.path().extension();
    if (ending == ".sst" || ending == ".blob") {
      const std::uintmax_t size = file.file_size(failed);
      bytes += failed ? 0 : size;
    }
  }
  return bytes;
}

// What a start compares before it takes up work.
proto::Result<> check_mark(const storage::DataDir& directory, const storage::Reader& reader) {
  const proto::Result<storage::CommitPoint> found = storage::read_commit_point(reader);
  if (!found) {
    return found.error();
  }
  if (found->index.value == 0) {
    return {};  // a broker that was never used
  }
  const proto::Result<storage::MarkFile> mark = storage::MarkFile::open(directory.mark_path());
  return mark ? storage::check_mark(mark->last(), *found) : proto::Result<>(mark.error());
}

proto::Result<StoredFacts> verify_data(const std::string& path, const WorkWatch& watch) {
  const proto::Result<storage::DataDir> directory = storage::DataDir::open_existing(path);
  if (!directory) {
    return directory.error();
  }
  const proto::Result<storage::WalReport> log = storage::scan_wal(directory->database_path());
  if (!log) {
    return log.error();
  }
  if (log->damage) {
    return proto::fail(proto::Errc::kStorageFailed, storage::describe_damage(*log));
  }
  const auto image = storage::open_rocks_image(directory->database_path());
  if (!image) {
    return image.error();
  }
  const std::unique_ptr<storage::Reader> reader = (*image)->snapshot();
  if (const proto::Result<> marked = check_mark(*directory, *reader); !marked) {
    return marked.error();
  }
  watch.begin("verifying", table_bytes_in(directory->database_path()));
  return check_rows(*reader, watch);
}

}  // namespace

proto::Result<StoredFacts> verify(const std::string& directory, const WorkWatch& watch) {
  if (storage::BackupDir::is_one(directory)) {
    proto::Result<StoredFacts> facts = verify_backup(directory, watch);
    return facts ? facts
                 : proto::Result<StoredFacts>(proto::fail(
                       facts.error().code, "backup '" + directory + "': " + facts.error().message));
  }
  return verify_data(directory, watch);
}

int verify_main(const std::vector<std::string>& args) {
  CLI::App app("Checks every row and batch of a backup, or of a stopped broker's data directory",
               "weir verify");
  std::string directory;
  app.add_option("DIR", directory, "A backup, or a data directory")->required();
  app.footer(R"(
Nothing is changed. Prints what is there and a digest over all rows: it is the same for a backup and
for the data directory that was restored from it, until a broker starts there. What is damaged is
named, and the exit status is 1 then.

Example:
  weir verify /backups/monday
  weir verify /var/lib/weir -o json)");
  return run_own_command(app, args,
                         [&](const WorkWatch& watch) { return verify(directory, watch); });
}

}  // namespace weir::server
