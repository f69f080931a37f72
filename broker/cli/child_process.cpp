#include "broker/cli/child_process.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <span>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace weir::cli {
namespace {

std::string reason(int error) {
  return std::error_code(error, std::generic_category()).message();
}

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// A file in memory with these bytes, to be read from its beginning; returns 0 or errno.
int fill(int fd, std::string_view bytes) {
  off_t at = 0;
  while (static_cast<std::size_t>(at) < bytes.size()) {
    const std::string_view rest = bytes.substr(static_cast<std::size_t>(at));
    // Written by position, so that the reader's own position stays at the beginning.
    const ssize_t count = ::pwrite(fd, rest.data(), rest.size(), at);
    if (count < 0 && errno != EINTR) {
      return errno;
    }
    at += std::max<ssize_t>(count, 0);
  }
  return 0;
}

class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&value_);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&value_, &signals);
    sigaddset(&signals, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&value_, &signals);
    ::posix_spawnattr_setpgroup(&value_, 0);
    ::posix_spawnattr_setflags(
        &value_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&value_); }
  [[nodiscard]] const posix_spawnattr_t* get() const { return &value_; }

 private:
  posix_spawnattr_t value_{};
};

class SpawnFiles {
 public:
  explicit SpawnFiles(int input) {
    ::posix_spawn_file_actions_init(&value_);
    ::posix_spawn_file_actions_adddup2(&value_, input, STDIN_FILENO);
    // A connection to the broker must not live on in a program that outlives this process.
    ::posix_spawn_file_actions_addclosefrom_np(&value_, STDERR_FILENO + 1);
  }
  SpawnFiles(const SpawnFiles&) = delete;
  SpawnFiles& operator=(const SpawnFiles&) = delete;
  ~SpawnFiles() { ::posix_spawn_file_actions_destroy(&value_); }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &value_; }

 private:
  posix_spawn_file_actions_t value_{};
};

std::vector<std::string> environment_of(const ChildSpec& spec) {
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    const std::string_view name = variable.substr(0, variable.find('='));
    const bool is_replaced = std::ranges::any_of(
        spec.environment, [name](const auto& change) { return change.first == name; });
    if (!is_replaced) {
      variables.emplace_back(variable);
    }
  }
  for (const auto& [name, value] : spec.environment) {
    if (value) {
      variables.push_back(name + "=" + *value);
    }
  }
  return variables;
}

// Pointers as exec takes them; valid as long as `strings`.
std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) {
    pointers.push_back(string.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildProcess::ChildProcess(pid_t pid) : pid_(pid) {}

ChildProcess::~ChildProcess() {
  kill();
  if (running_) {
    static_cast<void>(wait());
  }
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ChildSpec& spec) {
  const OwnedFd input(::memfd_create("weir-message", MFD_CLOEXEC));
  if (const int error = input.get() < 0 ? errno : fill(input.get(), spec.input); error != 0) {
    return Error(ErrorCode::kOverloaded, "cannot hold a message for a program: " + reason(error));
  }
  std::vector<std::string> command = spec.command;
  std::vector<std::string> environment = environment_of(spec);
  const std::vector<char*> arguments = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  const SpawnFiles files(input.get());
  const SpawnAttributes attributes;
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, arguments.front(), files.get(), attributes.get(),
                                   arguments.data(), variables.data());
  if (error != 0) {
    const bool is_passing =
        error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
    return Error(is_passing ? ErrorCode::kOverloaded : ErrorCode::kInvalidArgument,
                 "cannot run '" + spec.command.front() + "': " + reason(error));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid));
}

ChildEnd ChildProcess::wait() {
  // Waits without collecting, so that the process number stays this child's until the lock is held.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) {
      // Collected by somebody else: how it ended is lost, so it counts as failed.
      running_ = false;
      return {.exit_code = 1};
    }
  }
  running_ = false;
  if (WIFSIGNALED(status)) {
    return {.signal = WTERMSIG(status)};
  }
  return {.exit_code = WEXITSTATUS(status)};
}

void ChildProcess::kill() {
  const std::lock_guard lock(mutex_);
  if (running_) {
    ::kill(-pid_, SIGKILL);
  }
}

}  // namespace weir::cli
