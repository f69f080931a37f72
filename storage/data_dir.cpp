#include "storage/data_dir.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

constexpr std::string_view kFormatName = "FORMAT";
constexpr std::string_view kRestoringName = "FORMAT.restoring";
constexpr std::string_view kLockName = "lock";
constexpr std::string_view kFormatPrefix = "weir ";
// What a first start leaves that was cut short.
constexpr std::array<std::string_view, 3> kHarmless = {"lock", "FORMAT.new", "lost+found"};

proto::Error refused(const std::string& path, std::string_view why) {
  return fail(Errc::kStorageFailed, "data directory '" + path + "': " + std::string(why));
}

proto::Result<std::string> read_small(const std::string& path) {
  const proto::Result<File> file = File::open(path, File::Mode::kRead);
  if (!file) {
    return file.error();
  }
  std::array<char, 256> bytes{};
  const proto::Result<std::size_t> count = file->read_at(0, bytes);
  if (!count) {
    return count.error();
  }
  return std::string(bytes.data(), *count);
}

proto::Result<> make_directory(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return {};
  }
  if (!std::filesystem::create_directory(path, error)) {
    return refused(path,
                   "cannot be made: " + (error ? error.message() : "something else has that name"));
  }
  const std::string parent =
      std::filesystem::absolute(std::filesystem::path(path)).parent_path().string();
  return sync_directory(parent);
}

// nullopt where no broker has been before.
proto::Result<std::optional<std::uint32_t>> read_format(const std::string& path) {
  const std::string file = path + "/" + std::string(kFormatName);
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) {
    return std::optional<std::uint32_t>();
  }
  const proto::Result<std::string> text = read_small(file);
  if (!text) {
    return text.error();
  }
  std::uint32_t format = 0;
  const bool has_prefix = text->starts_with(kFormatPrefix);
  const char* begin = text->data() + (has_prefix ? kFormatPrefix.size() : 0);
  const auto [end, result] = std::from_chars(begin, text->data() + text->size(), format);
  if (!has_prefix || result != std::errc() || format == 0) {
    return refused(
        path, "the file FORMAT is damaged or not ours: it must hold '" +
                  std::string(kFormatPrefix) + std::to_string(kDataFormat) +
                  "' and a newline. What lies beside it was not touched and is readable once "
                  "FORMAT is right. If a broker of Weir wrote this directory, write that line "
                  "into FORMAT or restore the file from a backup; else name another --data-dir.");
  }
  return std::optional(format);
}

proto::Result<> check_format(const std::string& path, std::optional<std::uint32_t> format) {
  if (format && *format > kDataFormat) {
    return refused(path, "written by a newer version (format " + std::to_string(*format) +
                             ", this one knows up to " + std::to_string(kDataFormat) +
                             "); nothing was changed");
  }
  return {};
}

std::string format_text() {
  return std::string(kFormatPrefix) + std::to_string(kDataFormat) + "\n";
}

// A directory without FORMAT may hold only what is harmless.
proto::Result<> check_empty(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path + "/" + std::string(kRestoringName), error)) {
    return refused(path,
                   "a backup was being restored into it and that was not finished: it holds no "
                   "whole data. Delete the directory and restore the backup again.");
  }
  auto entry = std::filesystem::directory_iterator(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (std::ranges::find(kHarmless, name) == kHarmless.end()) {
      return refused(path, "is not empty and not a data directory of weir (it holds '" + name +
                               "' and no FORMAT file)");
    }
  }
  if (error) {
    return refused(path, "cannot be read: " + error.message());
  }
  return {};
}

proto::Result<File> take_lock(const std::string& path) {
  const std::string name = path + "/" + std::string(kLockName);
  proto::Result<File> lock = File::open(name, File::Mode::kOpenOrCreate);
  if (!lock) {
    return lock.error();
  }
  const proto::Result<bool> taken = lock->try_lock();
  if (!taken) {
    return taken.error();
  }
  if (!*taken) {
    const proto::Result<std::string> owner = read_small(name);
    const std::string who = owner && !owner->empty() ? " (process " + *owner + ")" : "";
    return refused(path, "is in use by another broker" + who);
  }
  // Only for the message above, so it need not survive anything.
  if (const proto::Result<> emptied = lock->truncate(); !emptied) {
    return emptied.error();
  }
  if (const auto written = lock->write_at(0, std::to_string(::getpid())); !written) {
    return written.error();
  }
  return lock;
}

}  // namespace

proto::Result<DataDir> DataDir::open(std::string path) {
  if (const proto::Result<> made = make_directory(path); !made) {
    return made.error();
  }
  // Looked at before anything is written, so that a newer broker's directory stays as it is.
  proto::Result<std::optional<std::uint32_t>> format = read_format(path);
  if (!format) {
    return format.error();
  }
  if (const proto::Result<> known = check_format(path, *format); !known) {
    return known.error();
  }
  if (!*format) {
    if (const proto::Result<> empty = check_empty(path); !empty) {
      return empty.error();
    }
  }
  proto::Result<File> lock = take_lock(path);
  if (!lock) {
    return lock.error();
  }
  // And again under the lock: another broker may have been at work in between.
  format = read_format(path);
  if (!format) {
    return format.error();
  }
  if (const proto::Result<> known = check_format(path, *format); !known) {
    return known.error();
  }
  if (*format != kDataFormat) {
    const auto created = create_durably(path + "/" + std::string(kFormatName), format_text());
    if (!created) {
      return created.error();
    }
  }
  return DataDir(std::move(path), std::move(*lock));
}

proto::Result<DataDir> DataDir::open_existing(std::string path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return refused(path, "there is no such directory");
  }
  const proto::Result<std::optional<std::uint32_t>> format = read_format(path);
  if (!format) {
    return format.error();
  }
  if (const proto::Result<> known = check_format(path, *format); !known) {
    return known.error();
  }
  if (!*format) {
    const proto::Result<> empty = check_empty(path);
    return empty ? refused(path, "it is empty: no broker has been here") : empty.error();
  }
  proto::Result<File> lock = take_lock(path);
  if (!lock) {
    return lock.error();
  }
  return DataDir(std::move(path), std::move(*lock));
}

proto::Result<DataDir> DataDir::begin_restore(std::string path) {
  if (const proto::Result<> made = make_directory(path); !made) {
    return made.error();
  }
  const auto check = [&path]() -> proto::Result<> {
    std::error_code error;
    if (std::filesystem::exists(path + "/" + std::string(kFormatName), error)) {
      return refused(path,
                     "it holds a broker's data already; a backup is restored into a new or "
                     "an empty directory");
    }
    return check_empty(path);
  };
  if (const proto::Result<> empty = check(); !empty) {
    return empty.error();
  }
  proto::Result<File> lock = take_lock(path);
  if (!lock) {
    return lock.error();
  }
  // And again under the lock, as open() does.
  if (const proto::Result<> empty = check(); !empty) {
    return empty.error();
  }
  const auto begun = create_durably(path + "/" + std::string(kRestoringName), format_text());
  if (!begun) {
    return begun.error();
  }
  return DataDir(std::move(path), std::move(*lock));
}

proto::Result<> DataDir::finish_restore() {
  std::error_code error;
  std::filesystem::rename(path_ + "/" + std::string(kRestoringName),
                          path_ + "/" + std::string(kFormatName), error);
  if (error) {
    return refused(path_, "the file FORMAT cannot be made: " + error.message());
  }
  return sync_directory(path_);
}

void DataDir::abandon_restore() {
  std::error_code ignored;
  std::filesystem::remove_all(database_path(), ignored);
  std::filesystem::remove(mark_path(), ignored);
  // Last: until then it says that nothing here is whole.
  std::filesystem::remove(path_ + "/" + std::string(kRestoringName), ignored);
}

}  // namespace weir::storage
