#include "proto/backup_manifest.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/hex.hpp"

#include <charconv>
#include <concepts>
#include <optional>

namespace weir::proto {
namespace {

constexpr std::string_view kFirst = "weir-backup";
constexpr std::string_view kLast = "crc32c";

std::string hex(std::uint64_t number, unsigned digits) {
  std::string text;
  append_hex(text, number, digits);
  return text;
}

void add_line(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\n");
}

Error damaged() {
  return fail(Errc::kCorruptBatch, "the backup's manifest is damaged");
}

// Takes the lines of a text one by one; what does not fit makes it bad for good.
class Lines {
 public:
  explicit Lines(std::string_view text) : left_(text) {}

  std::string_view take(std::string_view name) {
    const std::size_t end = left_.find('\n');
    std::string_view line = left_.substr(0, end);
    const bool fits = end != std::string_view::npos && line.size() >= name.size() + 2 &&
                      line.starts_with(name) && line.substr(name.size(), 2) == ": ";
    if (!fits) {
      is_bad_ = true;
      return {};
    }
    left_.remove_prefix(end + 1);
    return line.substr(name.size() + 2);
  }
  template <std::integral T>
  T number(std::string_view name, int base = 10) {
    const std::string_view text = take(name);
    T value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    is_bad_ = is_bad_ || error != std::errc() || end != text.data() + text.size();
    return value;
  }
  [[nodiscard]] bool is_bad() const { return is_bad_; }

 private:
  std::string_view left_;
  bool is_bad_ = false;
};

}  // namespace

std::string hex_digest(std::uint64_t digest) {
  return hex(digest, 16);
}

std::string encode_backup_manifest(const BackupManifest& manifest) {
  std::string text;
  add_line(text, kFirst, std::to_string(kBackupFormat));
  add_line(text, "broker", manifest.broker);
  add_line(text, "incarnation", std::to_string(manifest.incarnation));
  add_line(text, "commit", std::to_string(manifest.commit.value));
  add_line(text, "commit-digest", hex_digest(manifest.commit_digest));
  add_line(text, "commit-time-ms", std::to_string(manifest.commit_time));
  add_line(text, "shard-bytes", std::to_string(manifest.shard_bytes));
  add_line(text, "shard-crc32c", hex(manifest.shard_crc, 8));
  add_line(text, "rows", std::to_string(manifest.rows));
  add_line(text, "row-bytes", std::to_string(manifest.row_bytes));
  add_line(text, "rows-digest", hex_digest(manifest.rows_digest));
  add_line(text, kLast, hex(crc32c(0, text), 8));
  return text;
}

Result<BackupManifest> parse_backup_manifest(std::string_view text) {
  Lines lines(text);
  const auto format = lines.number<std::uint32_t>(kFirst);
  if (lines.is_bad()) {
    return damaged();
  }
  if (format > kBackupFormat) {
    return fail(Errc::kUnsupported, "the backup was written by a newer version (format " +
                                        std::to_string(format) + ", this one knows up to " +
                                        std::to_string(kBackupFormat) + ")");
  }
  BackupManifest manifest;
  manifest.broker = lines.take("broker");
  manifest.incarnation = lines.number<std::uint32_t>("incarnation");
  manifest.commit = CommitIndex{lines.number<std::uint64_t>("commit")};
  manifest.commit_digest = lines.number<std::uint64_t>("commit-digest", 16);
  manifest.commit_time = lines.number<TimeMs>("commit-time-ms");
  manifest.shard_bytes = lines.number<std::uint64_t>("shard-bytes");
  manifest.shard_crc = lines.number<std::uint32_t>("shard-crc32c", 16);
  manifest.rows = lines.number<std::uint64_t>("rows");
  manifest.row_bytes = lines.number<std::uint64_t>("row-bytes");
  manifest.rows_digest = lines.number<std::uint64_t>("rows-digest", 16);
  // One text for one manifest: what reads well and is written otherwise was changed.
  if (lines.is_bad() || encode_backup_manifest(manifest) != text) {
    return damaged();
  }
  return manifest;
}

}  // namespace weir::proto
