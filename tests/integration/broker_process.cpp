#include "tests/integration/broker_process.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT: as POSIX declares it

namespace weir::integration {
namespace {

constexpr int kStartTries = 3'000;
constexpr int kLookEveryMs = 10;
constexpr int kEndTimeoutMs = 30'000;

std::uint16_t port_in(const std::string& text, std::string_view key) {
  const std::size_t line = text.find(key);
  const std::size_t end = text.find('\n', line);
  const std::size_t colon = text.rfind(':', end);
  return static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1, end - colon - 1)));
}

// As `Ended` and `Output` give it.
int exit_status_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("no temporary directory");
  }
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Output run_command(const std::string& command) {
  Output output;
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return output;
  }
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof(buffer), pipe)) {
    output.text.append(buffer, size);
  }
  output.status = exit_status_of(::pclose(pipe));
  return output;
}

std::vector<std::string> usual_flags(const std::filesystem::path& data_dir) {
  return {"--data-dir",      data_dir.string(),
          "--listen",        "127.0.0.1:0",
          "--http",          "127.0.0.1:0",
          "--ballast-bytes", "0",
          "--drain-ms",      "5000",
          "--log-level",     "debug"};
}

BrokerProcess::BrokerProcess(std::filesystem::path work_dir, std::vector<std::string> args,
                             std::vector<std::string> environment)
    : work_dir_(std::move(work_dir)),
      ready_file_(work_dir_ / "ready"),
      log_file_(work_dir_ / "log") {
  std::filesystem::remove(ready_file_);
  args.insert(args.begin(), {WEIR_TEST_BINARY, "serve"});
  args.insert(args.end(), {"--ready-file", ready_file_.string()});
  std::vector<char*> argv;
  for (std::string& arg : args) {
    argv.push_back(arg.data());
  }
  argv.push_back(nullptr);
  std::vector<char*> variables;
  for (std::string& variable : environment) {
    variables.push_back(variable.data());
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_file_.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int failed =
      posix_spawn(&pid_, WEIR_TEST_BINARY, &actions, nullptr, argv.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    throw std::runtime_error("cannot start " WEIR_TEST_BINARY);
  }
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
}

BrokerProcess::~BrokerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    (void)wait_for_exit(kEndTimeoutMs);
  }
  ::close(pid_fd_);
}

bool BrokerProcess::wait_until_ready() {
  for (int i = 0; i < kStartTries; ++i) {
    if (std::filesystem::exists(ready_file_)) {
      const std::string text = read_file(ready_file_);
      port_ = port_in(text, "listen=");
      http_port_ = port_in(text, "http=");
      return true;
    }
    if (wait_for_exit(kLookEveryMs)) {
      return false;
    }
  }
  return false;
}

bool BrokerProcess::wait_for_exit(int timeout_ms) {
  if (pid_ <= 0) {
    return true;
  }
  pollfd ended{.fd = pid_fd_, .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, timeout_ms) <= 0) {
    return false;
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  status_ = exit_status_of(status);
  return true;
}

void BrokerProcess::signal(int number) const {
  if (pid_ > 0) {  // or everybody would get it
    ::kill(pid_, number);
  }
}

Ended BrokerProcess::wait() {
  (void)wait_for_exit(kEndTimeoutMs);
  return Ended{.status = status_, .log = log()};
}

std::string BrokerProcess::log() const {
  return read_file(log_file_);
}

}  // namespace weir::integration
