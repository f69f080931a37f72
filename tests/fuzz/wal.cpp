#include "proto/assert.hpp"
#include "storage/commit_chain.hpp"
#include "storage/mark_file.hpp"
#include "storage/rocks/manifest.hpp"
#include "storage/rocks/manifest_cut.hpp"
#include "storage/rocks/wal_scan.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/unit/storage/log_writer.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Files that lie beside or under the database and that a start reads by itself: write-ahead logs
// and the manifest, as they are found after a crash, and the mark file.
namespace weir::fuzz {
namespace {

// A file in RocksDB's log format: records that go on where the last one ended, records and
// fragments of any bytes, stretches that nobody wrote; then bits are flipped and the end is lost.
class LogFile {
 public:
  explicit LogFile(std::uint64_t& sequence) : sequence_(sequence) {}

  std::string make(Input& input) {
    for (std::size_t records = input.below(8); records > 0; --records) {
      add(input);
    }
    std::string bytes = tail_.empty() ? log_.bytes() : log_.bytes() + tail_;
    for (std::size_t flips = input.below(3); flips > 0 && !bytes.empty(); --flips) {
      const std::size_t at = input.number<std::uint32_t>() % bytes.size();
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << input.below(8)));
    }
    if (input.flag()) {
      bytes.resize(bytes.size() - std::min<std::size_t>(bytes.size(), input.byte()));
    }
    return bytes;
  }

 private:
  void add(Input& input) {
    constexpr std::array<std::size_t, 5> kSizes = {0, 1, 100, 7'000, 33'000};
    switch (input.below(6)) {
      case 0:
      case 1: {
        const auto operations = static_cast<std::uint32_t>(input.below(4));
        log_.add(storage::wal_record(sequence_, operations, ++commit_, input.pick(kSizes)));
        sequence_ += operations;
        break;
      }
      case 2:
        sequence_ += input.byte();
        break;
      case 3:
        log_.add(input.piece());
        break;
      case 4:
        log_.add_fragment(static_cast<char>(input.byte()), input.piece());
        break;
      default:
        tail_ += input.flag() ? std::string(input.pick(kSizes), '\0') : std::string(input.piece());
        break;
    }
  }

  std::uint64_t& sequence_;
  std::uint64_t commit_ = 0;
  storage::LogWriter log_;
  std::string tail_;
};

// What is left of the manifest says what its whole entries said.
void check_cut(const storage::TempDir& dir, const storage::ManifestFacts& before,
               const storage::WalReport& report) {
  const proto::Result<bool> cut = storage::cut_torn_manifest(report);
  WEIR_ASSERT(cut, "what can be read can be cut");
  const auto after = storage::read_manifest(dir.path().string());
  WEIR_ASSERT(after && after->first_live_wal == before.first_live_wal &&
                  after->entries_end == before.entries_end,
              "nothing whole is cut off");
  WEIR_ASSERT(*cut ? before.damage_offset && !after->damage_offset && !report.damage
                   : before.damage_offset == after->damage_offset,
              "damage is cut off, and nothing else");
}

void scan_database(Input& input, const storage::TempDir& dir) {
  if (input.flag()) {
    storage::write_manifest(dir.path(), input.byte() & 3U, input.byte() & 3U, input.piece());
  } else {
    storage::write_manifest(dir.path(), 1, 1);
    std::uint64_t edits = 1;
    storage::write_file(dir.path() / "MANIFEST-000001", LogFile(edits).make(input));
  }
  std::uint64_t sequence = input.below(8);
  for (const char* name : {"000001.log", "000002.log"}) {
    storage::write_file(dir.path() / name, LogFile(sequence).make(input));
  }
  const auto facts = storage::read_manifest(dir.path().string());
  const auto report = storage::scan_wal(dir.path().string());
  WEIR_ASSERT(facts || !report, "a scan needs the manifest");
  if (!report) {
    WEIR_ASSERT(!facts || facts->damage_offset,
                "and has an end where manifest and logs are damaged");
    return;
  }
  WEIR_ASSERT(!report->damage || !report->torn_end, "an end is torn or there is damage");
  if (report->damage) {
    WEIR_ASSERT(!storage::describe_damage(*report).empty(), "damage is told");
  } else {
    WEIR_ASSERT(report->records_behind == 0, "what lies behind damage lies behind some damage");
  }
  check_cut(dir, *facts, *report);
}

std::string slot(Input& input) {
  storage::CommitPoint point;
  point.index = proto::CommitIndex(input.below(4));
  point.digest = input.below(2);
  point.time = input.number<std::int64_t>();
  std::string bytes = storage::encode_commit_point(point);
  if (input.flag()) {
    bytes[input.below(bytes.size())] = static_cast<char>(input.byte());
  }
  return bytes;
}

void read_mark(Input& input, const storage::TempDir& dir) {
  std::string bytes = slot(input);
  bytes.resize(4096, '\0');
  bytes += slot(input);
  bytes.resize(input.flag() ? input.number<std::uint16_t>() % (bytes.size() + 1) : 8192);
  storage::write_file(dir.path() / "mark", bytes);
  storage::CommitPoint recovered;
  recovered.index = proto::CommitIndex(input.below(4));
  recovered.digest = input.below(2);
  const auto mark = storage::MarkFile::open(dir.file("mark"));
  const auto checked =
      storage::open_checked_mark(dir.file("mark"), recovered, storage::MissingCommits::kRefuse);
  if (checked) {
    WEIR_ASSERT(mark && mark->last().index <= recovered.index && !checked->accepted_loss,
                "no start without what was marked");
  } else {
    WEIR_ASSERT(checked.error().code == proto::Errc::kStorageFailed, "a refusal says why");
  }
}

}  // namespace

void wal(std::string_view bytes) {
  static const storage::TempDir dir;
  Input input(bytes);
  if (input.below(4) == 0) {
    return read_mark(input, dir);
  }
  scan_database(input, dir);
}

}  // namespace weir::fuzz
