#include "storage/rocks/wal_scan.hpp"

#include "proto/endian.hpp"
#include "storage/data_dir.hpp"
#include "storage/file.hpp"
#include "storage/rocks/log_records.hpp"
#include "storage/rocks/manifest.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// A record is a write batch: u64 sequence of its first operation, u32 number of operations.
constexpr std::size_t kBatchHeaderBytes = 12;

struct WalFile {
  std::uint64_t number = 0;
  std::string path;
};

struct Listing {
  std::vector<WalFile> logs;  // by number
  bool has_current = false;
  bool has_data = false;  // files that come into being after CURRENT (a manifest comes before)
};

proto::Result<Listing> list_files(const std::string& path) {
  Listing listing;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) {
    return listing;
  }
  auto entry = std::filesystem::directory_iterator(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    listing.has_current = listing.has_current || name == "CURRENT";
    std::uint64_t number = 0;
    const auto [end, result] = std::from_chars(name.data(), name.data() + name.size(), number);
    const std::string_view ending(end, name.data() + name.size());
    if (result == std::errc() && ending == ".log") {
      listing.logs.push_back({.number = number, .path = entry->path().string()});
    }
    listing.has_data =
        listing.has_data || ending == ".log" || ending == ".sst" || ending == ".blob";
  }
  if (error) {
    return fail(Errc::kStorageFailed, "cannot read '" + path + "': " + error.message());
  }
  std::ranges::sort(listing.logs, {}, &WalFile::number);
  return listing;
}

// A record put together from its fragments, as far as the scan cares.
struct Record {
  std::uint64_t offset = 0;
  std::string head;  // at most kBatchHeaderBytes
  std::string tail;  // at most kCommitPointBytes
  bool is_guessed = false;
  bool is_judged = false;

  void begin(const Fragment& fragment, bool guessed) {
    offset = fragment.offset;
    head.clear();
    tail.clear();
    is_guessed = guessed;
    is_judged = false;
    add(fragment.bytes);
  }
  void add(std::string_view bytes) {
    if (head.size() < kBatchHeaderBytes) {
      head += bytes.substr(0, kBatchHeaderBytes - head.size());
    }
    tail +=
        bytes.size() > kCommitPointBytes ? bytes.substr(bytes.size() - kCommitPointBytes) : bytes;
    if (tail.size() > kCommitPointBytes) {
      tail.erase(0, tail.size() - kCommitPointBytes);
    }
  }
  [[nodiscard]] bool has_header() const { return head.size() == kBatchHeaderBytes; }
  [[nodiscard]] std::uint64_t sequence() const {
    return proto::load_le<std::uint64_t>(head.data());
  }
  [[nodiscard]] std::uint64_t operations() const {
    return proto::load_le<std::uint32_t>(head.data() + 8);
  }
  // A commit's last operation puts the commit row, so its value ends the record.
  [[nodiscard]] std::optional<CommitPoint> commit() const {
    const proto::Result<CommitPoint> point = decode_commit_point(tail);
    return point ? std::optional(*point) : std::nullopt;
  }
};

class WalScan {
 public:
  explicit WalScan(const ManifestFacts& manifest)
      : knows_live_files_(manifest.first_live_wal.has_value()),
        flushed_sequence_(manifest.flushed_sequence) {}

  proto::Result<> scan(const WalFile& wal) {
    const proto::Result<File> file = File::open(wal.path, File::Mode::kRead);
    if (!file) {
      return file.error();
    }
    const proto::Result<std::uint64_t> size = file->size();
    if (!size) {
      return size.error();
    }
    file_ = wal.path;
    is_first_of_file_ = true;
    ++report_.files;
    report_.bytes += *size;
    if (const proto::Result<> read = read_records(*file); !read) {
      return read.error();
    }
    if (is_in_record_) {
      is_in_record_ = false;
      suspect(record_.offset, "a record breaks off");
    }
    return {};
  }

  WalReport finish() {
    if (!report_.damage) {
      report_.torn_end = std::exchange(suspected_, std::nullopt);
    }
    return std::move(report_);
  }

 private:
  proto::Result<> read_records(const File& file) {
    FragmentReader reader(file);
    while (true) {
      const proto::Result<FragmentReader::Step> step = reader.next();
      if (!step) {
        return step.error();
      }
      if (*step == FragmentReader::Step::kEnd) {
        return {};
      }
      if (*step == FragmentReader::Step::kFragment) {
        take(reader.fragment(), reader.is_guessed());
        continue;
      }
      const bool broke_off = std::exchange(is_in_record_, false);
      if (*step == FragmentReader::Step::kDamage) {
        suspect(reader.damage_offset(), "bytes do not match their checksum");
      } else if (broke_off) {
        suspect(record_.offset, "a record breaks off");
      }
    }
  }

  void take(const Fragment& fragment, bool is_guessed) {
    if (fragment.begins_record()) {
      if (is_in_record_) {
        suspect(record_.offset, "a record has no end");
      }
      record_.begin(fragment, is_guessed);
      is_in_record_ = true;
    } else if (is_in_record_) {
      record_.add(fragment.bytes);
    } else {
      suspect(fragment.offset, "a record has no beginning");
      return;
    }
    if (record_.has_header()) {
      judge();
    }
    if (fragment.ends_record()) {
      is_in_record_ = false;
      if (!record_.has_header()) {
        suspect(record_.offset, "a record is too short");
        return;
      }
      count();
    }
  }

  // Remembers the first thing that is wrong since the last good record.
  void suspect(std::uint64_t offset, std::string_view what) {
    if (!suspected_ && !report_.damage) {
      suspected_ = WalDamage{.file = file_, .offset = offset, .what = std::string(what)};
    }
  }

  // A record begins: does it go on from the last one? Its beginning alone proves that everything
  // before it was synced.
  void judge() {
    if (report_.damage || std::exchange(record_.is_judged, true)) {
      return;
    }
    const bool starts_file = std::exchange(is_first_of_file_, false);
    // An empty record is RocksDB's own, written by a start that dropped a torn end: it says where
    // the sequence goes on.
    const bool goes_on = next_sequence_
                             ? record_.sequence() == *next_sequence_
                             : record_.operations() == 0 || (!suspected_ && is_first_unflushed());
    if (goes_on) {
      suspected_.reset();
      return;
    }
    if (record_.is_guessed && !is_plausible()) {
      return;
    }
    if (starts_file && !knows_live_files_ && !suspected_) {
      return;  // the files in between may have been deleted rightly
    }
    report_.damage = suspected_ ? *suspected_ : missing_records();
    suspected_.reset();
  }

  [[nodiscard]] WalDamage missing_records() const {
    const std::uint64_t expected = next_sequence_.value_or(flushed_sequence_.value_or(0) + 1);
    return {.file = file_,
            .offset = record_.offset,
            .what = "records are missing before this place (sequence " +
                    std::to_string(record_.sequence()) + " instead of " + std::to_string(expected) +
                    ")"};
  }

  // The first record of all: what is in no table file must not lie before it.
  [[nodiscard]] bool is_first_unflushed() const {
    return !flushed_sequence_ || record_.sequence() <= *flushed_sequence_ + 1;
  }

  // Between the damage and a guessed record lie only so many bytes, and an operation takes at least
  // one; a value that holds bytes of another log will hardly hit that window.
  [[nodiscard]] bool is_plausible() const {
    if (!next_sequence_ || !suspected_) {
      return true;
    }
    return record_.sequence() > *next_sequence_ &&
           record_.sequence() - *next_sequence_ <= record_.offset - suspected_->offset;
  }

  void count() {
    if (report_.damage) {
      ++report_.records_behind;
      if (const auto commit = record_.commit()) {
        report_.last_behind = commit;
      }
      return;
    }
    if (suspected_) {
      return;  // guessed, and not believed
    }
    ++report_.readable_records;
    next_sequence_ = record_.sequence() + record_.operations();
    if (const auto commit = record_.commit()) {
      report_.last_readable = commit;
    }
  }

  const bool knows_live_files_;
  const std::optional<std::uint64_t> flushed_sequence_;
  WalReport report_;
  std::string file_;
  bool is_first_of_file_ = true;
  std::optional<std::uint64_t> next_sequence_;
  std::optional<WalDamage> suspected_;
  Record record_;
  bool is_in_record_ = false;
};

std::string commit_text(const std::optional<CommitPoint>& point) {
  return point ? ", up to commit " + std::to_string(point->index.value) : "";
}

}  // namespace

proto::Result<WalReport> scan_wal(const std::string& database_path) {
  proto::Result<Listing> listing = list_files(database_path);
  if (!listing) {
    return listing.error();
  }
  if (!listing->has_current) {
    if (listing->has_data) {
      return fail(Errc::kStorageFailed,
                  "the database in '" + database_path +
                      "' has lost its file CURRENT; RocksDB would begin an empty one in its place. "
                      "Restore the data directory from a backup.");
    }
    return WalReport{};
  }
  proto::Result<ManifestFacts> manifest = read_manifest(database_path);
  if (!manifest) {
    return manifest.error();
  }
  const std::uint64_t first_live = manifest->first_live_wal.value_or(0);
  std::erase_if(listing->logs, [&](const WalFile& wal) { return wal.number < first_live; });

  WalScan scan(*manifest);
  for (const WalFile& wal : listing->logs) {
    if (const proto::Result<> scanned = scan.scan(wal); !scanned) {
      return scanned.error();
    }
  }
  WalReport report = scan.finish();
  if (report.damage && manifest->damage_offset) {
    return fail(
        Errc::kStorageFailed,
        "the database's manifest is damaged: '" + manifest->file + "' at byte " +
            std::to_string(*manifest->damage_offset) +
            ", bytes do not match their checksum. It lists the files that count, so the "
            "tables and logs beside it cannot be read as they are now, although they may be "
            "intact. Nothing was changed. " +
            std::string(kRestoreAdvice));
  }
  report.manifest = *std::move(manifest);
  return report;
}

std::string describe_damage(const WalReport& report) {
  const WalDamage& damage = report.damage.value();
  return "the write-ahead log is damaged: '" + damage.file + "' at byte " +
         std::to_string(damage.offset) + ", " + damage.what + ", and " +
         std::to_string(report.records_behind) + " intact records lie behind it" +
         commit_text(report.last_behind) + ". Readable before it are " +
         std::to_string(report.readable_records) + " records" + commit_text(report.last_readable) +
         (report.readable_records == 0 && damage.offset == 0
              ? ". It may also be '" + report.manifest.file +
                    "' that has lost its end, which says where the log is to be read from"
              : "") +
         ". Nothing was changed. " + std::string(kDamageAdvice);
}

}  // namespace weir::storage
