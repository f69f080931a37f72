#include "bench/load/broker_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <optional>
#include <spawn.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT: as POSIX declares it

namespace weir::bench {
namespace {

using proto::Errc;
using proto::fail;

constexpr std::chrono::seconds kProcessTimeout{30};
constexpr std::chrono::milliseconds kProcessPoll{1};

std::uint64_t kibibytes_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == std::string_view::npos) {
    return 0;
  }
  std::string_view rest = text.substr(at + label.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  std::uint64_t value = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value << 10U;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

proto::Result<int> connect_loopback(const std::string& host_port) {
  const std::size_t colon = host_port.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string::npos) {
    std::from_chars(host_port.data() + colon + 1, host_port.data() + host_port.size(), port);
  }
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (descriptor < 0 ||
      connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (descriptor >= 0) {
      close(descriptor);
    }
    return fail(Errc::kInternal, "cannot reach " + host_port);
  }
  return descriptor;
}

}  // namespace

proto::Result<TempDir> TempDir::make(const std::string& parent) {
  std::string name = parent + "/weir-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    return fail(Errc::kInvalidArgument,
                "cannot make a directory in " + parent + ": " + std::strerror(errno));
  }
  return TempDir(std::filesystem::path(name));
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir::~TempDir() {
  if (!path_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
}

ProcessUse process_use(pid_t pid) {
  ProcessUse use;
  const std::string folder = "/proc/" + std::to_string(pid);
  const std::string status = read_file(folder + "/status");
  use.rss_bytes = kibibytes_after(status, "VmRSS:");
  use.peak_rss_bytes = kibibytes_after(status, "VmHWM:");
  const std::string stat = read_file(folder + "/stat");
  // Fields count from behind the name, which may hold anything: utime and stime are 12th and 13th.
  const std::size_t behind_name = stat.rfind(')');
  if (behind_name != std::string::npos) {
    std::istringstream fields(stat.substr(behind_name + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i) {
      fields >> skipped;
    }
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    fields >> user >> system;
    use.cpu_seconds =
        static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return use;
}

proto::Result<BrokerProcess> BrokerProcess::start(const std::string& binary,
                                                  const std::filesystem::path& directory,
                                                  const std::vector<std::string>& flags) {
  const std::filesystem::path ready_file = directory / "ready";
  std::vector<std::string> args = {binary,         "serve",
                                   "--data-dir",   (directory / "data").string(),
                                   "--listen",     "127.0.0.1:0",
                                   "--http",       "127.0.0.1:0",
                                   "--ready-file", ready_file.string()};
  args.insert(args.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& arg : args) {
    argv.push_back(arg.data());
  }
  argv.push_back(nullptr);

  BrokerProcess broker;
  broker.log_ = directory / "log";
  std::filesystem::remove(ready_file);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, broker.log_.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  broker.started_ = std::chrono::steady_clock::now();
  const int failed =
      posix_spawn(&broker.pid_, binary.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) {
    broker.pid_ = -1;
    return fail(Errc::kInvalidArgument, "cannot start " + binary + ": " + std::strerror(failed));
  }
  if (proto::Result<> ready = broker.wait_until_ready(ready_file); !ready) {
    return ready.error();
  }
  return broker;
}

proto::Result<> BrokerProcess::wait_until_ready(const std::filesystem::path& ready_file) {
  while (!std::filesystem::exists(ready_file)) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return fail(Errc::kInternal, "the broker ended instead of starting: " + read_file(log_));
    }
    if (std::chrono::steady_clock::now() - started_ > kProcessTimeout) {
      return fail(Errc::kInternal, "the broker did not get ready: " + read_file(log_));
    }
    std::this_thread::sleep_for(kProcessPoll);
  }
  std::istringstream lines(read_file(ready_file));
  std::string line;
  while (std::getline(lines, line)) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) {
      (line.starts_with("listen") ? listen_ : http_) = line.substr(equals + 1);
    }
  }
  return {};
}

BrokerProcess::BrokerProcess(BrokerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      listen_(std::move(other.listen_)),
      http_(std::move(other.http_)),
      log_(std::move(other.log_)),
      started_(other.started_) {}

BrokerProcess& BrokerProcess::operator=(BrokerProcess&& other) noexcept {
  if (this != &other) {
    stop();
    pid_ = std::exchange(other.pid_, -1);
    listen_ = std::move(other.listen_);
    http_ = std::move(other.http_);
    log_ = std::move(other.log_);
    started_ = other.started_;
  }
  return *this;
}

BrokerProcess::~BrokerProcess() {
  stop();
}

void BrokerProcess::stop() {
  if (pid_ < 0) {
    return;
  }
  ::kill(pid_, SIGTERM);
  const auto give_up = std::chrono::steady_clock::now() + kProcessTimeout;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > give_up) {
      kill();
      return;
    }
    std::this_thread::sleep_for(kProcessPoll);
  }
  pid_ = -1;
}

void BrokerProcess::kill() {
  if (pid_ >= 0) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

std::vector<std::string> BrokerProcess::log_lines(std::string_view word) const {
  std::vector<std::string> found;
  std::istringstream lines(read_file(log_));
  std::string line;
  while (std::getline(lines, line)) {
    if (line.find(word) != std::string::npos) {
      found.push_back(line);
    }
  }
  return found;
}

proto::Result<double> read_metric(const std::string& host_port, std::string_view name) {
  const proto::Result<int> connected = connect_loopback(host_port);
  if (!connected) {
    return connected.error();
  }
  const int descriptor = *connected;
  const std::string request =
      "GET /metrics HTTP/1.1\r\nHost: " + host_port + "\r\nConnection: close\r\n\r\n";
  std::string page;
  if (send(descriptor, request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size())) {
    std::array<char, 16384> piece{};
    for (ssize_t got = 0; (got = recv(descriptor, piece.data(), piece.size(), 0)) > 0;) {
      page.append(piece.data(), static_cast<std::size_t>(got));
    }
  }
  close(descriptor);
  double sum = 0;
  std::istringstream lines(page);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(name) && line.size() > name.size() &&
        (line[name.size()] == ' ' || line[name.size()] == '{')) {
      sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
    }
  }
  return sum;
}

}  // namespace weir::bench
