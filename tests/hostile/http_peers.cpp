#include "tests/hostile/http_peers.hpp"

#include "tests/hostile/bystander.hpp"
#include "tests/hostile/process_facts.hpp"
#include "tests/hostile/repeated.hpp"
#include "tests/hostile/report.hpp"
#include "tests/integration/wire_client.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace weir::hostile {
namespace {

using Clock = std::chrono::steady_clock;
using proto::Errc;
using proto::fail;
using Way = HttpPeers::Way;

constexpr std::string_view kGet = "GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n";
constexpr std::string_view kPost = "POST /metrics HTTP/1.1\r\nHost: weir\r\n";
constexpr std::chrono::milliseconds kStep{250};
// As broker/http/README.md says.
constexpr std::size_t kConnectionsMax = 64;
constexpr std::uint64_t kGrownKibMax = std::uint64_t{64} << 10;
// Taken from the queue of the system and about to be closed.
constexpr std::size_t kFilesAboveLimit = 16;

// What each says; who goes on without end says it again and again.
std::string words_of(Way way) {
  switch (way) {
    case Way::kTricklesHead:
    case Way::kEndlessHead:
      return std::string(kGet.substr(0, kGet.size() - 2)) + repeated("X-More: and more\r\n", 4'000);
    case Way::kLyingBody:
      return std::string(kPost) + "Content-Length: 4000\r\n\r\nfour thousand";
    case Way::kBrokenChunks:
      return std::string(kPost) + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\nx\r\n";
    case Way::kTooLargeBody:
      return std::string(kPost) + "Content-Length: 1000000000000\r\n\r\n" +
             std::string(65'536, 'b');
    case Way::kPipelines:
    case Way::kNeverReads:
      return repeated(kGet, 100);
    case Way::kSilentAfter:
      return std::string(kGet);
    case Way::kHalfClosed:
      return std::string(kGet.substr(0, 20));
    case Way::kNoHttp:
      return repeated(std::string_view("\0\x16\x03\x01\xff weir", 10), 100);
    case Way::kSilent:
    case Way::kCount:
      break;
  }
  return {};
}

bool repeats(Way way) {
  return way == Way::kPipelines || way == Way::kNeverReads;
}

/// Asks for the pages in turn, on a thread of its own, until it is told to stop.
class Asker {
 public:
  explicit Asker(std::uint16_t port) : thread_([this, port] { ask(port); }) {}
  ~Asker() { stop(); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  void stop() {
    is_stopping_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  /// After stop(): how long each page took, ascending; and what came in place of one.
  std::vector<std::int64_t> us;
  std::optional<std::string> complaint;

 private:
  void ask(std::uint16_t port) {
    constexpr std::array<std::string_view, 2> kPages = {"/healthz", "/metrics"};
    for (std::size_t i = 0; !is_stopping_ && !complaint; ++i) {
      const Clock::time_point begin = Clock::now();
      const std::string answer = integration::http_get(port, kPages[i % 2]);
      if (!answer.starts_with("HTTP/1.1 200")) {
        complaint = std::string(kPages[i % 2]) + " is answered with '" + answer.substr(0, 40) + "'";
      }
      us.push_back(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
    }
    std::ranges::sort(us);
  }

  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace

HttpPeers::HttpPeers(std::uint16_t port, std::size_t count) : port_(port), peers_(count) {
  for (std::size_t way = 0; way < static_cast<std::size_t>(Way::kCount); ++way) {
    words_.push_back(words_of(static_cast<Way>(way)));
  }
}

HttpPeers::~HttpPeers() {
  leave();
}

void HttpPeers::leave() {
  for (Peer& peer : peers_) {
    if (peer.fd >= 0) {
      ::close(std::exchange(peer.fd, -1));
    }
  }
}

HttpPeers::Way HttpPeers::way_of(std::size_t index) const {
  return static_cast<Way>(index % static_cast<std::size_t>(Way::kCount));
}

proto::Result<> HttpPeers::run_for(std::chrono::milliseconds time) {
  const Clock::time_point end = Clock::now() + time;
  std::vector<pollfd> waits(peers_.size());
  while (Clock::now() < end) {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[i];
      if (peer.fd < 0) {
        if (proto::Result<> connected = connect(peer); !connected) {
          return connected;
        }
      }
      const bool trickles = way_of(i) == Way::kTricklesHead;
      const bool writes = !peer.is_quiet && (!trickles || turn_ % peers_.size() == i);
      const bool reads = way_of(i) != Way::kNeverReads;
      waits[i] = {.fd = peer.fd,
                  .events = static_cast<short>((writes ? POLLOUT : 0) | (reads ? POLLIN : 0)),
                  .revents = 0};
    }
    ++turn_;
    ::poll(waits.data(), waits.size(), 20);
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if ((waits[i].revents & POLLOUT) != 0) {
        write(i);
      }
      if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read(i)) {
        ::close(std::exchange(peers_[i].fd, -1));
        ++counts_.closed;
      }
    }
  }
  return {};
}

proto::Result<> HttpPeers::connect(Peer& peer) {
  peer = Peer();
  peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (peer.fd < 0 || ::connect(peer.fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    return fail(Errc::kInternal,
                "the HTTP port takes no connection: " + std::generic_category().message(errno));
  }
  ++counts_.opened;
  return {};
}

void HttpPeers::write(std::size_t index) {
  Peer& peer = peers_[index];
  const Way way = way_of(index);
  const std::string& words = words_[static_cast<std::size_t>(way)];
  const std::string_view rest = std::string_view(words).substr(peer.written);
  const std::size_t piece = way == Way::kTricklesHead ? 1 : rest.size();
  const ssize_t sent =
      ::send(peer.fd, rest.data(), std::min(piece, rest.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) {
    peer.written += static_cast<std::size_t>(sent);
    counts_.bytes += static_cast<std::uint64_t>(sent);
  }
  if (peer.written == words.size()) {
    peer.written = repeats(way) ? 0 : peer.written;
    peer.is_quiet = !repeats(way);
    if (way == Way::kHalfClosed) {
      ::shutdown(peer.fd, SHUT_WR);
    }
  }
}

// False when the broker has closed.
bool HttpPeers::read(std::size_t index) {
  std::array<char, 65'536> bytes{};
  const ssize_t got = ::recv(peers_[index].fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  return got > 0 || (got < 0 && errno == EAGAIN);
}

proto::Result<> misuse_http(crash::BrokerProcess& broker, std::size_t peers, std::int64_t seconds) {
  Bystander bystander;
  if (proto::Result<> started = bystander.start(broker.port()); !started) {
    return started;
  }
  const std::size_t files_before = open_files(broker.pid());
  const std::uint64_t kib_before = status_kib(broker.pid(), "VmRSS:");
  std::size_t files_max = 0;
  HttpPeers bad(broker.http_port(), peers);
  Asker asker(broker.http_port());
  proto::Result<> done;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  while (done && Clock::now() < end) {
    done = bad.run_for(kStep);
    files_max = std::max(files_max, open_files(broker.pid()));
  }
  asker.stop();
  bad.leave();
  const std::size_t files_left = files_once_gone(broker.pid(), files_before, bystander);
  bystander.stop();
  const std::vector<std::int64_t> rounds_us = bystander.take_round_us();
  const std::uint64_t peak_kib = status_kib(broker.pid(), "VmHWM:");
  const std::uint64_t grown_kib = peak_kib - std::min(peak_kib, kib_before);
  print("http_connections", bad.counts().opened);
  print("closed_by_the_broker", bad.counts().closed);
  print("http_bytes", bad.counts().bytes);
  print("pages", static_cast<std::uint64_t>(asker.us.size()));
  print("page_p99_us", percentile(asker.us, 99));
  print("page_longest_us", percentile(asker.us, 100));
  print("bystander_rounds", bystander.rounds());
  print("bystander_p99_us", percentile(rounds_us, 99));
  print("broker_files_most", static_cast<std::uint64_t>(files_max - files_before));
  print("broker_grown_kib", grown_kib);
  if (!done) {
    return done;
  }
  if (asker.complaint) {
    return fail(Errc::kInternal, *asker.complaint);
  }
  if (bystander.complaint()) {
    return *bystander.complaint();
  }
  if (files_max > files_before + kConnectionsMax + kFilesAboveLimit) {
    return fail(Errc::kInternal, "more connections are open than the limit says");
  }
  if (files_left > files_before) {
    return fail(Errc::kInternal, "the broker kept connections whose peers are gone");
  }
  if (grown_kib > kGrownKibMax) {
    return fail(Errc::kInternal, "the broker's memory grew beyond its bound");
  }
  return broker.stop();
}

}  // namespace weir::hostile
