#include "broker/server/disk_watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::server {
namespace {

constexpr std::uint64_t kMinFreeBytes = std::uint64_t{1} << 30;

storage::DiskSpace space_of(const std::string& directory) {
  const proto::Result<storage::DiskSpace> space = storage::disk_space(directory);
  return space ? *space : storage::DiskSpace();
}

std::uint64_t min_free_of(std::optional<std::uint64_t> asked, const storage::DiskSpace& space) {
  return asked.value_or(std::max(kMinFreeBytes, space.total_bytes / 20));
}

bool is_laid(const std::string& path, std::uint64_t bytes) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == bytes;
}

}  // namespace

DiskWatch::DiskWatch(std::string directory, std::optional<std::uint64_t> min_free_bytes,
                     std::uint64_t ballast_bytes)
    : directory_(std::move(directory)),
      ballast_path_(directory_ + "/ballast"),
      space_(space_of(directory_)),
      limits_{.min_free_bytes = min_free_of(min_free_bytes, space_),
              .ballast_bytes = ballast_bytes},
      gate_(limits_, false) {
  if (ballast_bytes == 0) {
    release_ballast();
    return;
  }
  const bool has_room = space_.free_bytes >= limits_.min_free_bytes + 2 * ballast_bytes;
  if (is_laid(ballast_path_, ballast_bytes) || (has_room && lay_ballast())) {
    gate_ = DiskGate(limits_, true);
    return;
  }
  spdlog::warn("no ballast of {} bytes is kept: the disk has {} bytes free", ballast_bytes,
               space_.free_bytes);
  limits_.ballast_bytes = 0;
  gate_ = DiskGate(limits_, false);
}

void DiskWatch::set_min_free_bytes(std::optional<std::uint64_t> min_free_bytes) {
  limits_.min_free_bytes = min_free_of(min_free_bytes, space_);
  gate_.set_min_free(limits_.min_free_bytes);
}

bool DiskWatch::look() {
  const proto::Result<storage::DiskSpace> space = storage::disk_space(directory_);
  if (!space) {
    spdlog::error("the disk's free space is unknown: {}", space.error().message);
    return refuses_;
  }
  space_ = *space;
  const DiskGate::Verdict verdict = gate_.look(space_.free_bytes);
  if (verdict.ballast == DiskGate::Ballast::kRelease) {
    spdlog::warn("the disk is nearly full: the ballast is released, acks and reads go on");
    release_ballast();
  } else if (verdict.ballast == DiskGate::Ballast::kRestore && !lay_ballast()) {
    gate_.on_no_ballast();
  }
  if (verdict.refuse_sends != refuses_) {
    refuses_ = verdict.refuse_sends;
    if (refuses_) {
      spdlog::warn("sends are refused: {} bytes are free, {} are kept", space_.free_bytes,
                   limits_.min_free_bytes);
    } else {
      spdlog::info("sends are taken again: {} bytes are free", space_.free_bytes);
    }
  }
  return refuses_;
}

bool DiskWatch::lay_ballast() {
  const int file = ::open(ballast_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    spdlog::warn("cannot make {}: {}", ballast_path_, std::generic_category().message(errno));
    return false;
  }
  const int failed = ::posix_fallocate(file, 0, static_cast<off_t>(limits_.ballast_bytes));
  ::close(file);
  if (failed != 0) {
    spdlog::warn("cannot make {}: {}", ballast_path_, std::generic_category().message(failed));
    release_ballast();
    return false;
  }
  return true;
}

void DiskWatch::release_ballast() {
  ::unlink(ballast_path_.c_str());  // it may not be there
}

}  // namespace weir::server
