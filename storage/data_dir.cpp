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
constexpr std::string_view kLockName = "lock";
constexpr std::string_view kFormatPrefix = "weir ";

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

// A directory without FORMAT may hold only what a first start leaves that was cut short.
proto::Result<> check_empty(const std::string& path) {
  constexpr std::array<std::string_view, 3> kHarmless = {"lock", "FORMAT.new", "lost+found"};
  std::error_code error;
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
    const std::string text = std::string(kFormatPrefix) + std::to_string(kDataFormat) + "\n";
    const auto created = create_durably(path + "/" + std::string(kFormatName), text);
    if (!created) {
      return created.error();
    }
  }
  return DataDir(std::move(path), std::move(*lock));
}

}  // namespace weir::storage
