#include "tests/crash/broker_process.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <string_view>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT: as POSIX declares it

namespace weir::crash {
namespace {

using Clock = std::chrono::steady_clock;
using proto::Errc;
using proto::fail;

constexpr int kReadyMs = 60'000;
constexpr int kStopMs = 60'000;
constexpr int kLastWordsMs = 5'000;
constexpr std::size_t kTailBytes = 2'000;

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

int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int left_ms(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return left.count() < 0 ? 0 : static_cast<int>(left.count());
}

/// The port of "listen=127.0.0.1:4711", where `key` is "listen="; 0 when there is none.
std::uint16_t read_port(const std::filesystem::path& ready_file, std::string_view key) {
  std::ifstream in(ready_file);
  std::string line;
  while (std::getline(in, line)) {
    const std::size_t colon = line.rfind(':');
    if (line.starts_with(key) && colon != std::string::npos) {
      std::uint16_t port = 0;
      std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
      return port;
    }
  }
  return 0;
}

}  // namespace

BrokerProcess::BrokerProcess(std::string binary, std::filesystem::path dir, BrokerSetup setup)
    : binary_(std::move(binary)), dir_(std::move(dir)), setup_(std::move(setup)) {}

BrokerProcess::~BrokerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    static_cast<void>(wait());
  }
}

std::vector<std::string> BrokerProcess::command() const {
  std::vector<std::string> words = setup_.wrapper;
  words.insert(words.end(), {binary_, "serve", "--data-dir", data_dir().string(), "--listen",
                             "127.0.0.1:" + std::to_string(port_), "--http", "127.0.0.1:0",
                             "--ready-file", (ready_file()).string()});
  words.insert(words.end(), setup_.flags.begin(), setup_.flags.end());
  return words;
}

void BrokerProcess::spawn() {
  const std::vector<std::string> words = command();
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));  // as execvp wants it; it changes nothing
  }
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (std::string& value : setup_.environment) {
    environment.push_back(value.data());
  }
  for (char** value = environ; *value != nullptr; ++value) {
    environment.push_back(*value);
  }
  environment.push_back(nullptr);
  const std::string log = log_file().string();
  pid_ = ::fork();
  if (pid_ != 0) {
    return;
  }
  // The child: only calls that are allowed between fork and exec.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!setup_.group_file.empty()) {
    const int group = ::open(setup_.group_file.c_str(), O_WRONLY | O_CLOEXEC);
    if (group < 0 || ::write(group, "0", 1) != 1) {  // 0: whoever writes it
      ::_exit(126);
    }
  }
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execvpe(argv[0], argv.data(), environment.data());
  ::_exit(127);
}

proto::Result<> BrokerProcess::start() {
  proto::Result<> begun = begin();
  return begun ? wait_ready() : begun;
}

proto::Result<> BrokerProcess::begin() {
  std::error_code ignored;
  std::filesystem::remove(ready_file(), ignored);
  const std::uintmax_t logged = std::filesystem::file_size(log_file(), ignored);
  log_begin_ = ignored ? 0 : logged;
  begun_ = Clock::now();
  spawn();
  if (pid_ < 0) {
    return fail(Errc::kInternal,
                "cannot start a process: " + std::generic_category().message(errno));
  }
  return {};
}

proto::Result<> BrokerProcess::wait_ready() {
  const Clock::time_point deadline = begun_ + std::chrono::milliseconds(kReadyMs);
  const Descriptor watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (watch.get() < 0 || ::inotify_add_watch(watch.get(), dir_.c_str(), IN_MOVED_TO) < 0) {
    return fail(Errc::kInternal,
                "cannot watch the directory: " + std::generic_category().message(errno));
  }
  const Descriptor process(open_pidfd(pid_));
  while (true) {
    if (const std::uint16_t port = read_port(ready_file(), "listen="); port != 0) {
      port_ = port;
      http_port_ = read_port(ready_file(), "http=");
      start_ms_ =
          std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_).count();
      return {};
    }
    std::array<pollfd, 2> waits = {pollfd{watch.get(), POLLIN, 0},
                                   pollfd{process.get(), POLLIN, 0}};
    const int ready = ::poll(waits.data(), waits.size(), left_ms(deadline));
    if ((waits[1].revents & POLLIN) != 0) {
      const ProcessEnd end = wait();
      return fail(Errc::kInternal, "the broker did not start (exit " +
                                       std::to_string(end.exit_code) + ", signal " +
                                       std::to_string(end.signal) + "): " + log_tail());
    }
    if (ready == 0) {
      return fail(Errc::kInternal, "the broker was not ready in time: " + log_tail());
    }
    std::array<char, 4096> events{};
    while (::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

void BrokerProcess::signal(int number) const {
  if (pid_ > 0) {  // or everybody would get it
    ::kill(pid_, number);
  }
}

std::optional<ProcessEnd> BrokerProcess::wait_end(int timeout_ms) {
  const Descriptor process(open_pidfd(pid_));
  pollfd waits{process.get(), POLLIN, 0};
  if (::poll(&waits, 1, timeout_ms) == 0) {
    return std::nullopt;
  }
  return wait();
}

ProcessEnd BrokerProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  last_end_ = {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
               .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
  return last_end_;
}

proto::Result<> BrokerProcess::kill() {
  if (pid_ <= 0) {
    return fail(Errc::kInternal, "there is no broker to kill");
  }
  ::kill(pid_, SIGKILL);
  const ProcessEnd end = wait();
  if (end.signal != SIGKILL) {
    return fail(Errc::kInternal, "the broker ended by itself (exit " +
                                     std::to_string(end.exit_code) + ", signal " +
                                     std::to_string(end.signal) + "): " + log_tail());
  }
  return {};
}

proto::Result<> BrokerProcess::stop() {
  if (pid_ <= 0) {
    return fail(Errc::kInternal, "there is no broker to stop");
  }
  signal(SIGTERM);
  const std::optional<ProcessEnd> end = wait_end(kStopMs);
  if (!end) {
    return fail(Errc::kInternal, "the broker did not stop in time: " + log_tail());
  }
  if (end->exit_code != 0 || end->signal != 0) {
    return fail(Errc::kInternal, "the broker stopped with exit " + std::to_string(end->exit_code) +
                                     ", signal " + std::to_string(end->signal) + ": " + log_tail());
  }
  return {};
}

proto::Error BrokerProcess::explain_loss() {
  if (pid_ <= 0) {
    return fail(Errc::kInternal, "there is no broker: " + log_tail());
  }
  const std::optional<ProcessEnd> end = wait_end(kLastWordsMs);
  if (!end) {
    return fail(Errc::kInternal, "the broker lives and closed a connection: " + log_tail());
  }
  return fail(Errc::kInternal, "the broker ended by itself (exit " +
                                   std::to_string(end->exit_code) + ", signal " +
                                   std::to_string(end->signal) + "): " + log_tail());
}

std::string BrokerProcess::log() const {
  std::ifstream in(log_file(), std::ios::binary);
  in.seekg(static_cast<std::streamoff>(log_begin_));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string BrokerProcess::log_tail() const {
  const std::string text = log();
  return text.size() > kTailBytes ? text.substr(text.size() - kTailBytes) : text;
}

}  // namespace weir::crash
