// The C library's file calls, replaced for the whole program: what an executable defines wins for
// the shared libraries as well, so librocksdb and libstdc++ come through here like our own code.
// Calls that would change a watched file in a way that the disk's model does not know end the
// program: nothing goes unseen.
#include "tests/power/disk_tap.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

using weir::power::DiskTap;

namespace {

DiskTap& tap() {
  return DiskTap::instance();
}

[[noreturn]] void not_modelled(const char* call) {
  std::fprintf(stderr, "weir-power: %s on a watched file is not modelled\n", call);
  std::abort();
}

void refuse_watched(const char* call, int descriptor) {
  if (tap().is_watched(descriptor)) {
    not_modelled(call);
  }
}

mode_t mode_of(int flags, std::va_list& arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// The names, parameters and exceptions are the library's.
// NOLINTBEGIN(readability-identifier-naming, readability-inconsistent-declaration-parameter-name)
extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return tap().open(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return tap().open(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  if (folder == AT_FDCWD || path[0] == '/') {
    return tap().open(path, flags, mode);
  }
  return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
}

int creat(const char* path, mode_t mode) {
  return tap().open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int descriptor) {
  return tap().close(descriptor);
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  return tap().write(descriptor, bytes, count, DiskTap::kAtPosition);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  return tap().write(descriptor, bytes, count, offset);
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off_t offset) {
  return tap().write(descriptor, bytes, count, offset);
}

ssize_t writev(int descriptor, const iovec* pieces, int count) {
  refuse_watched("writev", descriptor);
  return ::syscall(SYS_writev, descriptor, pieces, count);
}

int ftruncate(int descriptor, off_t size) noexcept {
  return tap().truncate(descriptor, size);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
  return tap().allocate(descriptor, mode, offset, length);
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
  return tap().allocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int fsync(int descriptor) {
  return tap().sync(descriptor);
}

int fdatasync(int descriptor) {
  return tap().sync(descriptor);
}

// Begins writing and promises nothing.
int sync_file_range(int /*descriptor*/, off64_t /*offset*/, off64_t /*bytes*/, unsigned /*flags*/) {
  return 0;
}

int rename(const char* from, const char* to) noexcept {
  return tap().rename(from, to);
}

int unlink(const char* path) noexcept {
  return tap().unlink(path);
}

int remove(const char* path) noexcept {
  const int removed = tap().unlink(path);
  return removed != 0 && errno == EISDIR ? static_cast<int>(::syscall(SYS_rmdir, path)) : removed;
}

int mkdir(const char* path, mode_t mode) noexcept {
  return tap().make_folder(path, mode);
}

ssize_t sendfile(int out, int in, off_t* offset, size_t count) noexcept {
  refuse_watched("sendfile", out);
  return ::syscall(SYS_sendfile, out, in, offset, count);
}

void* mmap(void* address, size_t length, int protection, int flags, int descriptor,
           off_t offset) noexcept {
  if ((protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0 && descriptor >= 0) {
    refuse_watched("mmap", descriptor);
  }
  return reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, length, protection, flags, descriptor, offset));
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming, readability-inconsistent-declaration-parameter-name)
