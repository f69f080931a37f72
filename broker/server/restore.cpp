#include "broker/server/restore.hpp"

#include "broker/server/config.hpp"
#include "broker/server/own_command.hpp"
#include "broker/server/settings.hpp"
#include "storage/backup_dir.hpp"
#include "storage/data_dir.hpp"
#include "storage/import.hpp"
#include "storage/mark_file.hpp"
#include "storage/rocks/rocks_store.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace weir::server {
namespace {

// Another one for each restore of the same backup, and later than any that was counted up from 1:
// seconds since 2020. Producers have 31 bits of it in their numbers, enough until 2088.
std::uint32_t incarnation_of_now() {
  constexpr std::chrono::sys_seconds kBegin =
      std::chrono::sys_days{std::chrono::year{2020} / 1 / 1};
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return static_cast<std::uint32_t>(std::max<std::int64_t>((now - kBegin).count(), 0));
}

proto::Result<> check_room(const storage::DataDir& to, const storage::BackupDir& backup) {
  const proto::Result<storage::DiskSpace> space = to.space();
  if (!space) {
    return space.error();
  }
  const std::uint64_t wanted = backup.manifest().shard_bytes;
  return space->free_bytes >= wanted
             ? proto::Result<>()
             : proto::fail(proto::Errc::kDiskFull, "the disk of '" + to.path() + "' has " +
                                                       std::to_string(space->free_bytes) +
                                                       " bytes free, and the backup " +
                                                       std::to_string(wanted));
}

proto::Result<StoredFacts> fill(const storage::DataDir& to, storage::BackupDir& backup,
                                const WorkWatch& watch) {
  if (const proto::Result<> fits = check_room(to, backup); !fits) {
    return fits.error();
  }
  const auto store = storage::open_rocks_store({.path = to.database_path()});
  if (!store) {
    return store.error();
  }
  watch.begin("restoring", backup.manifest().shard_bytes);
  const storage::ByteSource bytes = watched(backup.source(), watch);
  const auto rows = storage::import_shard(
      **store,
      [&](std::span<char> into) -> proto::Result<std::size_t> {
        const proto::Result<> goes_on = watch.may_go_on();
        return goes_on ? bytes(into) : proto::Result<std::size_t>(goes_on.error());
      },
      {.least_incarnation = incarnation_of_now()});
  if (!rows) {
    return rows.error();
  }
  if (const proto::Result<> fits = backup.check_end(*rows); !fits) {
    return fits.error();
  }
  if (const proto::Result<> emptied = (*store)->empty_log(); !emptied) {
    return emptied.error();
  }
  watch.begin("checking", rows->bytes);
  proto::Result<StoredFacts> facts = check_rows(*(*store)->snapshot(), watch);
  if (!facts) {
    return facts;
  }
  if (facts->rows.digest != rows->digest) {
    return proto::fail(
        proto::Errc::kStorageFailed,
        "what was written reads otherwise: the disk of '" + to.path() + "' cannot be trusted");
  }
  const auto mark = storage::MarkFile::create(to.mark_path(), rows->point);
  return mark ? facts : proto::Result<StoredFacts>(mark.error());
}

}  // namespace

proto::Result<StoredFacts> restore(const std::string& backup, const std::string& data_dir,
                                   const WorkWatch& watch) {
  proto::Result<storage::BackupDir> from = storage::BackupDir::open(backup);
  if (!from) {
    return from.error();
  }
  proto::Result<storage::DataDir> to = storage::DataDir::begin_restore(data_dir);
  if (!to) {
    return to.error();
  }
  proto::Result<StoredFacts> facts = fill(*to, *from, watch);
  if (facts) {
    const proto::Result<> finished = to->finish_restore();
    return finished ? facts : proto::Result<StoredFacts>(finished.error());
  }
  to->abandon_restore();
  return proto::fail(facts.error().code, "restoring '" + backup + "': " + facts.error().message +
                                             "; nothing was kept in '" + data_dir + "'");
}

int restore_main(const std::vector<std::string>& args) {
  CLI::App app("Makes a data directory of a backup", "weir restore");
  std::string backup;
  std::string data_dir = Config().data_dir;
  app.add_option("DIR", backup, "A backup, as `weir backup` made it")->required();
  app.add_option("--data-dir", data_dir, "Where the data goes: new or empty")
      ->envname(environment_name("data_dir"))
      ->capture_default_str();
  app.footer(R"(
The whole backup is checked on the way, and what was written is read back. When the command fails or
is interrupted it takes away what it has written; where even that was not possible, no broker starts
on what is left. A broker that is started on the restored data refuses handles and producers from
before: clients begin anew by themselves, and messages that were leased come again.

Example:
  weir restore /backups/monday --data-dir /var/lib/weir
  weir serve --data-dir /var/lib/weir)");
  return run_own_command(app, args,
                         [&](const WorkWatch& watch) { return restore(backup, data_dir, watch); });
}

}  // namespace weir::server
