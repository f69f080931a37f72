#include "storage/rocks/manifest.hpp"

#include "storage/data_dir.hpp"
#include "storage/file.hpp"
#include "storage/rocks/log_records.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>
#include <vector>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

// Tags of a version edit (RocksDB 7.8, db/version_edit.h). Unknown ones above the mask carry their
// length and are skipped, as RocksDB does.
enum Tag : std::uint64_t {
  kComparator = 1,
  kLogNumber = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kCompactCursor = 5,
  kDeletedFile = 6,
  kPrevLogNumber = 9,
  kMinLogNumberToKeep = 10,
  kNewFile4 = 103,
  kColumnFamily = 200,
  kColumnFamilyAdd = 201,
  kColumnFamilyDrop = 202,
  kMaxColumnFamily = 203,
  kInAtomicGroup = 300,
  kBlobFileAddition = 400,
  kBlobFileGarbage = 401,
  kIgnorableMask = 1 << 13,
};
constexpr std::uint64_t kEndOfFileFields = 1;
constexpr std::uint64_t kEndOfBlobFields = 0;

// Reads the variable-length numbers and strings of an edit; after the first that does not fit,
// everything reads as nothing and is_good() is false.
class EditReader {
 public:
  explicit EditReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_good() const { return is_good_; }
  [[nodiscard]] bool is_done() const { return !is_good_ || bytes_.empty(); }
  void give_up() { is_good_ = false; }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) {
        return value;
      }
    }
    is_good_ = false;
    return 0;
  }
  void skip_numbers(int count) {
    for (int i = 0; i < count; ++i) {
      number();
    }
  }
  void skip_string() {
    const std::uint64_t size = number();
    if (!is_good_ || size > bytes_.size()) {
      is_good_ = false;
      return;
    }
    bytes_.remove_prefix(size);
  }
  void skip_fields(std::uint64_t end_tag) {
    while (is_good_ && number() != end_tag) {
      skip_string();
    }
  }

 private:
  std::string_view bytes_;
  bool is_good_ = true;
};

struct Edit {
  std::uint64_t family = 0;
  bool adds_family = false;
  bool drops_family = false;
  std::optional<std::uint64_t> log_number;
  std::optional<std::uint64_t> min_log_to_keep;
  std::optional<std::uint64_t> last_sequence;  // largest in table files up to this edit
  std::uint64_t group_edits_left = 0;          // of an atomic group, after this one
};

std::optional<Edit> parse_edit(std::string_view record) {
  Edit edit;
  EditReader in(record);
  while (!in.is_done()) {
    const std::uint64_t tag = in.number();
    switch (tag) {
      case kLogNumber:
        edit.log_number = in.number();
        break;
      case kMinLogNumberToKeep:
        edit.min_log_to_keep = in.number();
        break;
      case kColumnFamily:
        edit.family = in.number();
        break;
      case kColumnFamilyAdd:
        edit.adds_family = true;
        in.skip_string();
        break;
      case kColumnFamilyDrop:
        edit.drops_family = true;
        break;
      case kInAtomicGroup:
        edit.group_edits_left = in.number();
        break;
      case kComparator:
        in.skip_string();
        break;
      case kLastSequence:
        edit.last_sequence = in.number();
        break;
      case kNextFileNumber:
      case kPrevLogNumber:
      case kMaxColumnFamily:
        in.skip_numbers(1);
        break;
      case kCompactCursor:  // level, key
        in.skip_numbers(1);
        in.skip_string();
        break;
      case kDeletedFile:  // level, number
        in.skip_numbers(2);
        break;
      case kNewFile4:  // level, number, size, first and last key, first and last sequence
        in.skip_numbers(3);
        in.skip_string();
        in.skip_string();
        in.skip_numbers(2);
        in.skip_fields(kEndOfFileFields);
        break;
      case kBlobFileAddition:  // number, count, bytes, checksum method and value
        in.skip_numbers(3);
        in.skip_string();
        in.skip_string();
        in.skip_fields(kEndOfBlobFields);
        break;
      case kBlobFileGarbage:  // number, count, bytes
        in.skip_numbers(3);
        in.skip_fields(kEndOfBlobFields);
        break;
      default:
        if ((tag & kIgnorableMask) == 0) {
          return std::nullopt;
        }
        in.skip_string();
    }
  }
  return in.is_good() ? std::optional(edit) : std::nullopt;
}

// The edits so far, as RocksDB would see them after a restart.
class LiveLogs {
 public:
  void apply(const Edit& edit) {
    // Edits of a group count together or, where the file breaks off, not at all.
    group_.push_back(edit);
    if (edit.group_edits_left > 0) {
      return;
    }
    for (const Edit& each : group_) {
      apply_now(each);
    }
    group_.clear();
    const std::uint64_t first = first_live();
    if (facts_.first_live_wal != first || !facts_.flushed_sequence) {
      facts_ = {.first_live_wal = first, .flushed_sequence = last_sequence_};
    }
  }

  [[nodiscard]] ManifestFacts facts() const {
    ManifestFacts facts = facts_;
    std::optional<std::uint64_t> first;
    facts.families_agree = true;
    for (const auto& [family, log] : log_of_family_) {
      if (log > 0) {  // else it never had a row
        facts.families_agree &= log == first.value_or(log);
        first = log;
      }
    }
    facts.families_agree &= first.has_value();
    return facts;
  }

 private:
  [[nodiscard]] std::uint64_t first_live() const {
    std::uint64_t first = 0;
    if (!log_of_family_.empty()) {
      first = std::ranges::min_element(log_of_family_, {}, [](const auto& entry) {
                return entry.second;
              })->second;
    }
    return std::max(first, min_log_to_keep_);
  }

  void apply_now(const Edit& edit) {
    last_sequence_ = std::max(last_sequence_, edit.last_sequence);  // nothing is less than any
    if (edit.drops_family) {
      log_of_family_.erase(edit.family);
      return;
    }
    if (edit.adds_family) {
      log_of_family_.try_emplace(edit.family, 0);
    }
    if (edit.log_number) {
      log_of_family_[edit.family] = *edit.log_number;
    }
    if (edit.min_log_to_keep) {
      min_log_to_keep_ = std::max(min_log_to_keep_, *edit.min_log_to_keep);
    }
  }

  std::map<std::uint64_t, std::uint64_t> log_of_family_;
  std::uint64_t min_log_to_keep_ = 0;
  std::optional<std::uint64_t> last_sequence_;
  std::vector<Edit> group_;
  ManifestFacts facts_ = {.first_live_wal = 0};
};

// Where the manifest itself is still there, a person can put CURRENT right, and nothing is lost.
std::string describe_lost_manifest(const std::string& database_path, const std::string& current) {
  std::string newest;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(database_path, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("MANIFEST-")) {
      newest = std::max(newest, name);  // names have leading zeros
    }
  }
  std::string text = "the database in '" + database_path +
                     "' is damaged: its file CURRENT must "
                     "name the manifest, the list of its files, and names '";
  for (const char byte : current) {
    text += byte >= ' ' && byte <= '~' ? byte : '?';
  }
  text += "', which is not there. ";
  if (newest.empty()) {
    return text +
           "There is no manifest at all, and without one the intact files beside it cannot be "
           "read. "
           "Nothing was changed. " +
           std::string(kRestoreAdvice);
  }
  return text + "The newest manifest there is '" + newest +
         "', and with it everything is likely to be readable. Nothing was changed. Keep a copy of "
         "the "
         "data directory, write that name and a newline into CURRENT and start again, or restore "
         "the data directory from a backup.";
}

proto::Result<std::string> manifest_name(const std::string& database_path) {
  const proto::Result<File> current = File::open(database_path + "/CURRENT", File::Mode::kRead);
  if (!current) {
    return current.error();
  }
  std::array<char, 64> bytes{};
  const proto::Result<std::size_t> count = current->read_at(0, bytes);
  if (!count) {
    return count.error();
  }
  std::string name(bytes.data(), *count);
  const bool is_whole = name.starts_with("MANIFEST-") && name.ends_with('\n');
  if (!is_whole ||
      !std::filesystem::exists(database_path + "/" + name.substr(0, name.size() - 1))) {
    return fail(Errc::kStorageFailed, describe_lost_manifest(database_path, name));
  }
  name.pop_back();
  return name;
}

}  // namespace

proto::Result<ManifestFacts> read_manifest(const std::string& database_path) {
  const proto::Result<std::string> name = manifest_name(database_path);
  if (!name) {
    return name.error();
  }
  const proto::Result<File> file = File::open(database_path + "/" + *name, File::Mode::kRead);
  if (!file) {
    return file.error();
  }
  LiveLogs logs;
  FragmentReader reader(*file);
  std::string record;
  std::uint64_t entries_end = 0;
  while (true) {
    const proto::Result<FragmentReader::Step> step = reader.next();
    if (!step) {
      return step.error();
    }
    if (*step != FragmentReader::Step::kFragment) {
      ManifestFacts facts = logs.facts();
      facts.file = file->path();
      facts.entries_end = entries_end;
      if (*step == FragmentReader::Step::kDamage) {
        facts.damage_offset = reader.damage_offset();
      }
      return facts;
    }
    if (reader.fragment().begins_record()) {
      record.clear();
    }
    record += reader.fragment().bytes;
    if (reader.fragment().ends_record()) {
      const std::optional<Edit> edit = parse_edit(record);
      if (!edit) {
        return ManifestFacts{.file = file->path()};
      }
      logs.apply(*edit);
      entries_end = reader.fragment_end();
    }
  }
}

}  // namespace weir::storage
