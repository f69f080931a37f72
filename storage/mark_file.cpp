#include "storage/mark_file.hpp"

#include "proto/planted_bugs.hpp"
#include "storage/data_dir.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <utility>

namespace weir::storage {
namespace {

using proto::Errc;
using proto::fail;

constexpr std::uint64_t kSlots = 2;
// A sector and a page of its own for each slot, also on disks with sectors of 4 KiB.
constexpr std::uint64_t kSlotStride = 4096;

std::string in_both_slots(const CommitPoint& point) {
  std::string content(kSlots * kSlotStride, '\0');
  const std::string slot = encode_commit_point(point);
  for (std::uint64_t i = 0; i < kSlots; ++i) {
    content.replace(i * kSlotStride, slot.size(), slot);
  }
  return content;
}

// The slot's point; nullopt when it is torn or damaged.
proto::Result<std::optional<CommitPoint>> read_slot(const File& file, std::uint64_t slot) {
  std::array<char, kCommitPointBytes> bytes{};
  const proto::Result<std::size_t> count = file.read_at(slot * kSlotStride, bytes);
  if (!count) {
    return count.error();
  }
  const proto::Result<CommitPoint> point =
      decode_commit_point(std::string_view(bytes.data(), *count));
  return point ? std::optional(*point) : std::nullopt;
}

std::string number(proto::CommitIndex index) {
  return std::to_string(index.value);
}

}  // namespace

proto::Result<> check_mark(const CommitPoint& marked, const CommitPoint& recovered) {
  if (recovered.index < marked.index && !WEIR_PLANTED(ignore_the_mark) &&
      !WEIR_PLANTED(start_on_what_is_there)) {
    return fail(Errc::kStorageFailed,
                "data loss: the database ends at commit " + number(recovered.index) +
                    ", but commit " + number(marked.index) +
                    " was already durable. A write-ahead log (*.log) is missing or was cut short.");
  }
  if (recovered.index == marked.index && recovered.digest != marked.digest) {
    return fail(Errc::kStorageFailed,
                "the database and the mark file tell different histories up to commit " +
                    number(marked.index) +
                    ": one of them was replaced or comes from another backup.");
  }
  return {};
}

proto::Result<MarkFile> MarkFile::create(const std::string& path, const CommitPoint& point) {
  if (const proto::Result<> created = create_durably(path, in_both_slots(point)); !created) {
    return created.error();
  }
  return open(path);
}

proto::Result<MarkFile> MarkFile::open(const std::string& path) {
  proto::Result<File> file = File::open(path, File::Mode::kReadWrite);
  if (!file) {
    return file.error();
  }
  std::optional<CommitPoint> newest;
  std::uint64_t newest_slot = 0;
  for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
    const proto::Result<std::optional<CommitPoint>> point = read_slot(*file, slot);
    if (!point) {
      return point.error();
    }
    if (*point && (!newest || newest->index < (*point)->index)) {
      newest = *point;
      newest_slot = slot;
    }
  }
  if (!newest) {
    return fail(Errc::kStorageFailed, "the mark file '" + path + "' is damaged: no slot is whole.");
  }
  // The other slot is the older or the torn one.
  return MarkFile(path, std::move(*file), *newest, (newest_slot + 1) % kSlots);
}

MarkFile MarkFile::replace_at_first_write(std::string path, const CommitPoint& point) {
  return {std::move(path), std::nullopt, point, 0};
}

proto::Result<> MarkFile::write(const CommitPoint& point) {
  if (!file_) {
    proto::Result<MarkFile> made = create(path_, point);
    if (!made) {
      return made.error();
    }
    *this = std::move(*made);
    return {};
  }
  if (const auto written = file_->write_at(next_slot_ * kSlotStride, encode_commit_point(point));
      !written) {
    return written.error();
  }
  if (const proto::Result<> synced = file_->sync(); !synced) {
    return synced.error();
  }
  next_slot_ = (next_slot_ + 1) % kSlots;
  last_ = point;
  return {};
}

proto::Result<CheckedMark> open_checked_mark(const std::string& path, const CommitPoint& recovered,
                                             MissingCommits missing) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  if (error) {
    return fail(Errc::kStorageFailed, "cannot examine '" + path + "': " + error.message());
  }
  const bool is_first_start = !exists && recovered.index.value == 0;
  if (exists) {
    proto::Result<MarkFile> mark = MarkFile::open(path);
    const proto::Result<> fits = mark ? check_mark(mark->last(), recovered) : mark.error();
    if (fits) {
      return CheckedMark{.file = std::move(*mark)};
    }
    if (missing == MissingCommits::kRefuse) {
      return fail(fits.error().code, fits.error().message + " " + std::string(kDamageAdvice));
    }
  } else if (!is_first_start && missing == MissingCommits::kRefuse) {
    return fail(Errc::kStorageFailed,
                "the mark file '" + path + "' is missing while the database holds " +
                    number(recovered.index) + " commits; without it a loss cannot be noticed. " +
                    std::string(kDamageAdvice));
  }
  if (!is_first_start) {
    return CheckedMark{.file = MarkFile::replace_at_first_write(path, recovered),
                       .accepted_loss = true};
  }
  proto::Result<MarkFile> mark = MarkFile::create(path, recovered);
  if (!mark) {
    return mark.error();
  }
  return CheckedMark{.file = std::move(*mark)};
}

}  // namespace weir::storage
