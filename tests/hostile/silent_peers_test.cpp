#include "broker/net/listener.hpp"
#include "proto/frame/frames.hpp"
#include "proto/wire_message.hpp"
#include "tests/hostile/heap_meter.hpp"
#include "tests/unit/shard/shard_rig.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <netinet/in.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

// What a connection costs that says nothing: the listener and a shard in this process, on one
// thread and with a clock that stands still, and the peers in another process.
namespace weir::hostile {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPeersMax = 10'000;
constexpr std::size_t kBytesMax = std::size_t{8} << 10;  // a connection

// As many peers as this process may have files for, raised as far as it may be.
std::size_t peers() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(kPeersMax, limit.rlim_cur - 100);
}

std::string hello() {
  weir::v1::Hello hello;
  hello.set_protocol_min(proto::kProtocolMin);
  hello.set_protocol_max(proto::kProtocolMax);
  hello.set_client("silent");
  std::string frame;
  proto::append_frame(proto::FrameType::kHello, hello, frame);
  return frame;
}

// In the child: connects, says `greeting` on each connection and waits for an answer to it, if
// there is one; tells that by a byte and stays until it is killed. System calls alone.
[[noreturn]] void be_silent(std::uint16_t port, std::size_t count, const std::string& greeting,
                            int done) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  static std::array<int, kPeersMax> peers;
  for (std::size_t i = 0; i < count; ++i) {
    peers[i] = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool is_good =
        peers[i] >= 0 &&
        ::connect(peers[i], reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
        ::send(peers[i], greeting.data(), greeting.size(), 0) >= 0;
    if (!is_good) {
      ::_exit(1);
    }
  }
  for (std::size_t i = 0; i < count && !greeting.empty(); ++i) {
    char answer[512];
    if (::recv(peers[i], answer, sizeof(answer), 0) <= 0) {
      ::_exit(1);
    }
  }
  static_cast<void>(::write(done, "d", 1));
  while (true) {
    ::pause();
  }
}

class SilentPeers : public testing::Test {
 protected:
  SilentPeers() {
    listener_.open({asio::ip::address_v4::loopback(), 0}).value();
    net::ConnectionPorts ports;
    ports.shard = &rig_.shard;
    ports.uuid = [] { return core::Uuid{}; };
    ports.now = [] { return net::MonoMs{0}; };
    listener_.start(std::move(ports)).value();
  }
  ~SilentPeers() override {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }

  void turn() {
    io_.run_for(std::chrono::milliseconds(1));
    io_.restart();
    rig_.settle_down();
  }

  // What each of so many connections adds to the heap.
  std::size_t bytes_each(std::size_t count, const std::string& greeting) {
    turn();
    const std::size_t before = live_heap_bytes();
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0);
    child_ = ::fork();
    if (child_ == 0) {
      be_silent(listener_.port(), count, greeting, ends[1]);
    }
    ::close(ends[1]);
    char byte = 0;
    ssize_t got = -1;
    while (got < 0 || (got > 0 && listener_.connections() < count)) {
      turn();
      if (got < 0) {
        got = ::read(ends[0], &byte, 1);
      }
    }
    ::close(ends[0]);
    turn();
    EXPECT_EQ(got, 1) << "a peer could not connect";
    EXPECT_EQ(listener_.connections(), count);
    const std::size_t grown = live_heap_bytes() - before;
    RecordProperty("bytes_each", static_cast<int>(grown / count));
    std::printf("%zu connections, %zu bytes of heap each\n", count, grown / count);
    return grown / count;
  }

  asio::io_context io_{1};
  shard::test::ShardRig rig_;
  net::Listener listener_{io_, net::ListenerOptions{.max_connections = kPeersMax}};
  pid_t child_ = -1;
};

TEST_F(SilentPeers, CostLittleBeforeHello) {
  EXPECT_LE(bytes_each(peers(), ""), kBytesMax);
}

TEST_F(SilentPeers, CostLittleBehindHello) {
  EXPECT_LE(bytes_each(peers(), hello()), kBytesMax);
}

}  // namespace
}  // namespace weir::hostile
