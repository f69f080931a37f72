#include "broker/cli/backup_files.hpp"
#include "broker/cli/command.hpp"
#include "broker/cli/describe.hpp"
#include "broker/cli/output.hpp"
#include "broker/cli/output_form.hpp"
#include "broker/cli/signals.hpp"
#include "broker/terminal/progress.hpp"

#include <CLI/CLI.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>

namespace weir::cli {
namespace {

struct BackupArguments {
  std::string directory;
  bool no_progress = false;
  OutputForm form;
};

ExitCode back_up(const Connection& connection, const BackupArguments& arguments) {
  if (const Result<> free = BackupFiles::check(arguments.directory); !free) {
    return report(free.error(), arguments.directory);
  }
  const SignalMask mask;
  std::atomic<bool> is_stopping = false;
  const SignalListener listener([&is_stopping](int count) {
    if (count > 1) {
      ::_exit(kInterruptedStatus);  // the disk may be stuck, so nothing is tidied up
    }
    is_stopping.store(true, std::memory_order_relaxed);
  });
  Result<Client> client = connection.connect();
  if (!client) {
    return report(client.error(), connection.url);
  }
  Result<BackupFiles> files = BackupFiles::create(arguments.directory);
  if (!files) {
    return report(files.error(), arguments.directory);
  }
  const bool shows_progress = arguments.form.kind == "table" && !arguments.no_progress;
  terminal::ProgressBar bar(shows_progress ? terminal::standard_screen() : std::nullopt);
  const auto keep = [&](std::string_view bytes) -> Result<> {
    if (is_stopping.load(std::memory_order_relaxed)) {
      return Error(ErrorCode::kCancelled,
                   "interrupted after " + bar.so_far() + ": no backup was made, nothing was kept");
    }
    Result<> written = files->write(bytes);
    if (written) {
      bar.advance(bytes.size());
    }
    return written;
  };
  const Result<BackupDescription> backup =
      client->backup(keep, [&](std::uint64_t bytes) { bar.begin("backup", bytes); });
  bar.clear();
  if (!backup) {
    return report(backup.error(), arguments.directory);
  }
  if (const Result<> finished = files->finish(backup->manifest); !finished) {
    return report(finished.error(), arguments.directory);
  }
  return show(arguments.form, Look{.table = backup_table(*backup), .json = backup_json(*backup)},
              arguments.directory);
}

}  // namespace

void add_backup(CLI::App& parent, CommandLine& line) {
  CLI::App& command =
      *parent.add_subcommand("backup", "Copy everything that a running broker has stored");
  auto arguments = std::make_shared<BackupArguments>();
  command.add_option("DIR", arguments->directory, "Where the backup goes: new or empty")
      ->required();
  command.add_flag("--no-progress", arguments->no_progress, "Show no progress on a terminal");
  add_output_option(command, arguments->form);
  command.footer(R"(
The broker goes on meanwhile. The backup holds everything that was acknowledged before it began, of
all namespaces, as it was at one moment; what came later is not in it. DIR is a backup once the file
MANIFEST is in it, which comes last; when the command fails or is interrupted it takes away what it
has written. One backup of a broker is made at a time.

Example:
  weir backup /backups/monday
  weir verify /backups/monday
  weir restore /backups/monday --data-dir /var/lib/weir)");
  command.callback([&line, arguments] {
    line.action = [&line, arguments] { return back_up(line.connection, *arguments); };
  });
}

}  // namespace weir::cli
