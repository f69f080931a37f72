#include "tests/faults/small_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <linux/loop.h>
#include <sched.h>
#include <spawn.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;  // NOLINT: as POSIX declares it

namespace weir::faults {
namespace {

using proto::Errc;
using proto::fail;

constexpr int kLoopTries = 20;
constexpr std::uint64_t kLargestBite = std::uint64_t{16} << 20;
constexpr std::uint64_t kSmallestBite = 4'096;

proto::Error failed(const std::string& what) {
  return fail(Errc::kInternal, what + ": " + std::generic_category().message(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

bool write_text(const char* path, const std::string& text) {
  const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// A mount namespace of our own; without root in a user namespace of our own, too.
proto::Result<> leave_namespace() {
  const std::string user = std::to_string(::getuid());
  const std::string group = std::to_string(::getgid());
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return failed("no mount namespace (it needs root, or user namespaces)");
    }
    if (!write_text("/proc/self/setgroups", "deny") ||
        !write_text("/proc/self/uid_map", "0 " + user + " 1") ||
        !write_text("/proc/self/gid_map", "0 " + group + " 1")) {
      return failed("the user namespace cannot be set up");
    }
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return failed("mounts cannot be made private");
  }
  return {};
}

proto::Result<> make_ext4(const std::string& file) {
  constexpr const char* kProgram = "/usr/sbin/mkfs.ext4";
  std::vector<std::string> words = {kProgram, "-q", "-F", "-m", "0", file};
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (::posix_spawn(&pid, kProgram, nullptr, nullptr, argv.data(), environ) != 0) {
    return fail(Errc::kInternal, "there is no mkfs.ext4 (package e2fsprogs)");
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0 ? proto::Result<>() : fail(Errc::kInternal, "mkfs.ext4 failed");
}

/// Gives the file to a free loop device, which lets go of it once nobody has it mounted or open.
/// The descriptor keeps it until then.
int attach_loop(int file, std::string& device) {
  const Descriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  for (int i = 0; control.get() >= 0 && i < kLoopTries; ++i) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    device = "/dev/loop" + std::to_string(number);
    const int loop = number < 0 ? -1 : ::open(device.c_str(), O_RDWR | O_CLOEXEC);
    if (loop < 0) {
      return -1;
    }
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(file);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(loop, LOOP_CONFIGURE, &config) == 0) {
      return loop;
    }
    ::close(loop);
    if (errno != EBUSY) {
      return -1;  // else somebody was faster
    }
  }
  return -1;
}

bool mount_ext4(const std::filesystem::path& scratch, const std::filesystem::path& mount_point,
                std::uint64_t bytes) {
  const std::string image = (scratch / "disk.ext4").string();
  const Descriptor file(::open(image.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool made = file.get() >= 0 && ::ftruncate(file.get(), static_cast<off_t>(bytes)) == 0 &&
                    make_ext4(image);
  std::string device;
  const Descriptor loop(made ? attach_loop(file.get(), device) : -1);
  ::unlink(image.c_str());
  return loop.get() >= 0 &&
         ::mount(device.c_str(), mount_point.c_str(), "ext4", MS_NOATIME, nullptr) == 0;
}

}  // namespace

SmallDisk::SmallDisk(std::filesystem::path mount_point, std::string kind)
    : mount_point_(std::move(mount_point)), kind_(std::move(kind)) {}

SmallDisk::SmallDisk(SmallDisk&& other) noexcept
    : mount_point_(std::exchange(other.mount_point_, {})), kind_(std::move(other.kind_)) {}

SmallDisk::~SmallDisk() {
  if (!mount_point_.empty()) {
    ::umount2(mount_point_.c_str(), MNT_DETACH);
  }
}

proto::Result<SmallDisk> SmallDisk::mount(const std::filesystem::path& scratch,
                                          const std::filesystem::path& mount_point,
                                          std::uint64_t bytes) {
  if (proto::Result<> left = leave_namespace(); !left) {
    return left.error();
  }
  if (mount_ext4(scratch, mount_point, bytes)) {
    return SmallDisk(mount_point, "ext4 on a loop device");
  }
  const std::string size = "size=" + std::to_string(bytes);
  if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, size.c_str()) != 0) {
    return failed("neither ext4 nor a tmpfs can be mounted");
  }
  return SmallDisk(mount_point, "tmpfs");
}

std::uint64_t SmallDisk::free_bytes() const {
  struct statvfs status{};
  return ::statvfs(mount_point_.c_str(), &status) == 0 ? status.f_bavail * status.f_frsize : 0;
}

bool SmallDisk::eat(std::uint64_t left) {
  const std::string path = (mount_point_ / "eaten").string();
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  struct stat status{};
  const std::uint64_t free = free_bytes();
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0 || free <= left) {
    return free <= left;
  }
  // Somebody else eats, too, so the whole may not be there any more.
  for (std::uint64_t bite = std::min(kLargestBite, free - left); bite >= kSmallestBite; bite /= 2) {
    if (::posix_fallocate(file.get(), status.st_size, static_cast<off_t>(bite)) == 0) {
      return free_bytes() <= left;
    }
  }
  return true;
}

void SmallDisk::give_back() {
  ::unlink((mount_point_ / "eaten").c_str());
}

}  // namespace weir::faults
