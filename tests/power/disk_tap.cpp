#include "tests/power/disk_tap.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::power {
namespace {

// Straight to the kernel: the library's names are ours.
template <class... Args>
long kernel(long number, Args... args) {
  return ::syscall(number, args...);
}

std::string_view name_of(Call call) {
  switch (call) {
    case Call::kOpen:
      return "open";
    case Call::kWrite:
      return "write";
    case Call::kSync:
      return "sync";
    case Call::kRename:
      return "rename";
    case Call::kAllocate:
      return "allocate";
    case Call::kTruncate:
      return "truncate";
    case Call::kMakeFolder:
      return "mkdir";
    case Call::kUnlink:
      return "unlink";
  }
  return "?";
}

// RocksDB's own diary goes through stdio, which writes beneath us; nothing depends on its bytes.
bool is_diary(std::string_view path) {
  return path.substr(path.rfind('/') + 1).starts_with("LOG");
}

bool is_folder(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

int failed_with(int error) {
  errno = error;
  return -1;
}

}  // namespace

DiskTap& DiskTap::instance() {
  static DiskTap tap;
  return tap;
}

void DiskTap::watch(std::string root, Journal& journal) {
  unwatch();
  const std::scoped_lock lock(mutex_);
  frozen_ = false;
  root_ = std::move(root);
  journal_ = &journal;
  names_.clear();
  failed_syncs_.clear();
  for (std::atomic<std::uint32_t>& file : files_) {
    file = 0;
  }
  journal.append(Step::kPowerLoss, 0, 0, {});
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
    found.push_back(entry.path());
  }
  std::ranges::sort(found);  // a folder comes before what lies in it
  for (const std::filesystem::path& path : found) {
    const std::string name = path.string().substr(root_.size() + 1);
    const std::uint32_t file = ++last_file_;
    names_[name] = file;
    last_name_[file] = name;
    if (std::filesystem::is_directory(path)) {
      journal.append(Step::kMakeFolder, file, 0, name);
      continue;
    }
    journal.append(Step::kCreate, file, 0, name);
    std::ostringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    journal.append(Step::kWrite, file, 0, bytes.str());
  }
  journal.append(Step::kPowered, 0, 0, {});
  watching_ = true;
}

void DiskTap::unwatch() {
  const std::scoped_lock lock(mutex_);
  watching_ = false;
  fault_.reset();
  calls_ = 0;
}

void DiskTap::begin_process() {
  const std::scoped_lock lock(mutex_);
  failed_syncs_.clear();
}

void DiskTap::freeze() {
  {
    const std::scoped_lock lock(mutex_);
    frozen_ = true;
    hanging_.clear();
  }
  changed_.notify_all();
}

void DiskTap::thaw() {
  const std::scoped_lock lock(mutex_);
  frozen_ = false;
}

void DiskTap::note(Step step, std::uint64_t at, std::string_view bytes) {
  const std::scoped_lock lock(mutex_);
  if (watching_ && !frozen_) {
    journal_->append(step, 0, at, bytes);
  }
}

void DiskTap::fail(const Fault& fault) {
  const std::scoped_lock lock(mutex_);
  fault_ = fault;
  calls_ = 0;
}

void DiskTap::hang_syncs(std::string ending) {
  const std::scoped_lock lock(mutex_);
  hanging_ = std::move(ending);
  hangs_ = false;
}

void DiskTap::release() {
  {
    const std::scoped_lock lock(mutex_);
    hanging_.clear();
  }
  changed_.notify_all();
}

void DiskTap::wait_for_hang() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return hangs_; });
}

std::optional<std::string> DiskTap::below_root(const char* path) const {
  const std::string_view whole(path);
  if (!whole.starts_with(root_) || (whole.size() > root_.size() && whole[root_.size()] != '/')) {
    return std::nullopt;
  }
  std::string name;
  for (const char c : whole.substr(root_.size())) {
    if (c != '/' || (!name.empty() && name.back() != '/')) {
      name += c;
    }
  }
  if (name.ends_with('/')) {
    name.pop_back();
  }
  return name;
}

bool DiskTap::injects(Call call, std::string_view path, int& error) {
  if (!fault_ || (fault_->calls & static_cast<std::uint32_t>(call)) == 0) {
    return false;
  }
  ++calls_;
  if (calls_ < fault_->n || (calls_ > fault_->n && !fault_->for_good)) {
    return false;
  }
  error = fault_->error;
  journal_->append(Step::kFault, 0, static_cast<std::uint64_t>(error),
                   std::string(name_of(call)) + " " + std::string(path));
  return true;
}

std::uint32_t DiskTap::file_of(int descriptor) const {
  const auto at = static_cast<std::size_t>(descriptor);
  return descriptor >= 0 && at < files_.size() ? files_[at].load() : 0;
}

bool DiskTap::is_watched(int descriptor) const {
  return watching_ && file_of(descriptor) != 0;
}

int DiskTap::open(const char* path, int flags, mode_t mode) {
  const auto really = [&] {
    return static_cast<int>(kernel(SYS_openat, AT_FDCWD, path, flags, mode));
  };
  const auto remember = [this](int descriptor, std::uint32_t file) {
    if (descriptor >= 0 && static_cast<std::size_t>(descriptor) < files_.size()) {
      files_[static_cast<std::size_t>(descriptor)] = file;
    }
    return descriptor;
  };
  if (!watching_) {
    return remember(really(), 0);
  }
  const std::scoped_lock lock(mutex_);
  const std::optional<std::string> name = below_root(path);
  if (!name) {
    return remember(really(), 0);
  }
  if (frozen_ && (flags & (O_CREAT | O_TRUNC)) != 0) {
    return failed_with(EIO);
  }
  if (int error = 0; injects(Call::kOpen, *name, error)) {
    return failed_with(error);
  }
  const int descriptor = really();
  if (descriptor < 0) {
    return descriptor;
  }
  const auto known = names_.find(*name);
  std::uint32_t file = known != names_.end() ? known->second : 0;
  if (file == 0 && !name->empty() && !is_folder(descriptor)) {
    file = ++last_file_;
    names_[*name] = file;
    last_name_[file] = *name;
    journal_->append(Step::kCreate, file, 0, *name);
  } else if (file != 0 && (flags & O_TRUNC) != 0) {
    journal_->append(Step::kTruncate, file, 0, {});
  }
  if (name->empty()) {
    file = kRootFile;
  }
  return remember(descriptor, is_diary(*name) ? 0 : file);
}

int DiskTap::close(int descriptor) {
  if (file_of(descriptor) != 0) {
    files_[static_cast<std::size_t>(descriptor)] = 0;
  }
  return static_cast<int>(kernel(SYS_close, descriptor));
}

ssize_t DiskTap::write(int descriptor, const void* bytes, std::size_t count, off_t offset) {
  const auto really = [&](std::size_t some) -> ssize_t {
    return offset == kAtPosition ? kernel(SYS_write, descriptor, bytes, some)
                                 : kernel(SYS_pwrite64, descriptor, bytes, some, offset);
  };
  if (!is_watched(descriptor)) {
    return really(count);
  }
  const std::scoped_lock lock(mutex_);
  if (frozen_) {
    return static_cast<ssize_t>(count);
  }
  const std::uint32_t file = file_of(descriptor);
  std::size_t some = count;
  if (int error = 0; injects(Call::kWrite, last_name_[file], error)) {
    if (error != 0) {
      return failed_with(error);
    }
    some = std::max<std::size_t>(count / 2, 1);
  }
  off_t at = offset;
  if (offset == kAtPosition) {
    const bool appends = (::fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
    at = ::lseek(descriptor, 0, appends ? SEEK_END : SEEK_CUR);
  }
  const ssize_t written = really(some);
  if (written > 0 && watching_) {
    journal_->append(
        Step::kWrite, file, static_cast<std::uint64_t>(at),
        std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(written)));
  }
  return written;
}

int DiskTap::truncate(int descriptor, off_t size) {
  if (!is_watched(descriptor)) {
    return static_cast<int>(kernel(SYS_ftruncate, descriptor, size));
  }
  const std::scoped_lock lock(mutex_);
  if (frozen_) {
    return 0;
  }
  const std::uint32_t file = file_of(descriptor);
  if (int error = 0; injects(Call::kTruncate, last_name_[file], error)) {
    return failed_with(error);
  }
  const int done = static_cast<int>(kernel(SYS_ftruncate, descriptor, size));
  if (done == 0) {
    journal_->append(Step::kTruncate, file, static_cast<std::uint64_t>(size), {});
  }
  return done;
}

int DiskTap::allocate(int descriptor, int mode, off_t offset, off_t length) {
  if (!is_watched(descriptor)) {
    // Reserving is work, and nothing that is judged depends on it.
    return (mode & FALLOC_FL_KEEP_SIZE) != 0
               ? 0
               : static_cast<int>(kernel(SYS_fallocate, descriptor, mode, offset, length));
  }
  const std::scoped_lock lock(mutex_);
  if (frozen_) {
    return 0;
  }
  const std::uint32_t file = file_of(descriptor);
  if (int error = 0; injects(Call::kAllocate, last_name_[file], error)) {
    return failed_with(error);
  }
  // What keeps the size keeps every byte that can be read, holes punched behind the end as well.
  if ((mode & FALLOC_FL_KEEP_SIZE) != 0) {
    return 0;
  }
  const int done = static_cast<int>(kernel(SYS_fallocate, descriptor, mode, offset, length));
  if (done == 0) {
    journal_->append(Step::kAllocate, file, static_cast<std::uint64_t>(offset + length), {});
  }
  return done;
}

int DiskTap::sync(int descriptor) {
  if (!is_watched(descriptor)) {
    return 0;  // nothing that is judged depends on the real disk
  }
  std::unique_lock lock(mutex_);
  if (frozen_) {
    return 0;
  }
  const std::uint32_t file = file_of(descriptor);
  const std::string name = last_name_[file];
  if (failed_syncs_.contains(file)) {
    journal_->append(Step::kSyncRepeated, file, 0, name);
  }
  const std::uint64_t begin = journal_->append(Step::kSyncBegin, file, 0, {});
  if (int error = 0; injects(Call::kSync, name, error)) {
    failed_syncs_.insert(file);
    journal_->append(Step::kSyncFailed, file, begin, {});
    return failed_with(error);
  }
  if (!hanging_.empty() && name.ends_with(hanging_)) {
    hangs_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return hanging_.empty(); });
    hangs_ = false;
  }
  if (watching_ && !frozen_) {
    journal_->append(Step::kSyncEnd, file, begin, {});
  }
  return 0;
}

int DiskTap::rename(const char* from, const char* to) {
  const auto really = [&] {
    return static_cast<int>(kernel(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
  };
  if (!watching_) {
    return really();
  }
  const std::scoped_lock lock(mutex_);
  const std::optional<std::string> old_name = below_root(from);
  const std::optional<std::string> new_name = below_root(to);
  if (!old_name || !new_name) {
    return really();
  }
  if (frozen_) {
    return 0;
  }
  if (int error = 0; injects(Call::kRename, *old_name, error)) {
    return failed_with(error);
  }
  const int done = really();
  if (done == 0) {
    const std::uint32_t file = names_[*old_name];
    names_.erase(*old_name);
    names_[*new_name] = file;
    last_name_[file] = *new_name;
    journal_->append(Step::kRename, file, 0, *old_name + '\0' + *new_name);
  }
  return done;
}

int DiskTap::unlink(const char* path) {
  const auto really = [&] { return static_cast<int>(kernel(SYS_unlinkat, AT_FDCWD, path, 0)); };
  if (!watching_) {
    return really();
  }
  const std::scoped_lock lock(mutex_);
  const std::optional<std::string> name = below_root(path);
  if (!name) {
    return really();
  }
  if (frozen_) {
    return 0;
  }
  if (int error = 0; injects(Call::kUnlink, *name, error)) {
    return failed_with(error);
  }
  const int done = really();
  if (done == 0) {
    journal_->append(Step::kUnlink, names_[*name], 0, *name);
    names_.erase(*name);
  }
  return done;
}

int DiskTap::make_folder(const char* path, mode_t mode) {
  const auto really = [&] { return static_cast<int>(kernel(SYS_mkdirat, AT_FDCWD, path, mode)); };
  if (!watching_) {
    return really();
  }
  const std::scoped_lock lock(mutex_);
  const std::optional<std::string> name = below_root(path);
  if (!name) {
    return really();
  }
  if (frozen_) {
    return 0;
  }
  if (int error = 0; injects(Call::kMakeFolder, *name, error)) {
    return failed_with(error);
  }
  const int done = really();
  if (done == 0) {
    const std::uint32_t file = ++last_file_;
    names_[*name] = file;
    last_name_[file] = *name;
    journal_->append(Step::kMakeFolder, file, 0, *name);
  }
  return done;
}

}  // namespace weir::power
