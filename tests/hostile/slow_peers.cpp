#include "tests/hostile/slow_peers.hpp"

#include "proto/frame/frames.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::hostile {
namespace {

using proto::FrameType;

std::int64_t ms_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               then)
      .count();
}

}  // namespace

SlowPeers::SlowPeers(std::uint16_t port, std::size_t count)
    : port_(port), poll_(::epoll_create1(EPOLL_CLOEXEC)), peers_(count) {
  for (std::size_t i = 0; i < count; ++i) {
    to_open_.push_back(i);
  }
  weir::v1::Hello hello;
  hello.set_protocol_min(proto::kProtocolMin);
  hello.set_protocol_max(proto::kProtocolMax);
  hello.set_client("slow");
  proto::append_frame(FrameType::kHello, hello, greeting_);
  weir::v1::Request request;
  request.mutable_describe_queue()->set_name("there is none");
  for (std::uint64_t id = 1; id <= 100; ++id) {
    request.set_id(id);
    proto::append_frame(FrameType::kRequest, request, requests_);
  }
}

SlowPeers::~SlowPeers() {
  for (const Peer& peer : peers_) {
    if (peer.fd >= 0) {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
      ::close(peer.fd);
    }
  }
  ::close(poll_);
}

SlowPeers::Way SlowPeers::way_of(std::size_t index) const {
  return static_cast<Way>(index % static_cast<std::size_t>(Way::kCount));
}

proto::Result<> SlowPeers::run_for(std::chrono::milliseconds time, std::size_t opens_max) {
  const Clock::time_point end = Clock::now() + time;
  while (Clock::now() < end) {
    for (std::size_t i = 0; i < opens_max && !to_open_.empty(); ++i) {
      const std::size_t index = to_open_.front();
      if (proto::Result<> connected = connect(index); !connected) {
        return connected;
      }
      to_open_.pop_front();
    }
    std::array<epoll_event, 256> events{};
    const int ready = ::epoll_wait(poll_, events.data(), events.size(), 10);
    for (int i = 0; i < ready; ++i) {
      serve(events[static_cast<std::size_t>(i)].data.u64);
    }
    // A tenth of a second's share of those that trickle.
    const Clock::time_point now = Clock::now();
    for (std::size_t i = 0; i < peers_.size() / 50 + 1; ++i) {
      trickled_ = (trickled_ + 1) % peers_.size();
      trickle(trickled_, now);
    }
  }
  return {};
}

proto::Result<> SlowPeers::connect(std::size_t index) {
  Peer& peer = peers_[index];
  peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(index % 250));
  sockaddr_in to = from;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (way_of(index) == Way::kNeverReads) {
    const int small = 1;  // as small as the system makes it
    ::setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  }
  // In front of connect(): the broker's time may begin in it, however late this goes on.
  peer.since = peer.last_byte = Clock::now();
  if (peer.fd < 0 || ::bind(peer.fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
      ::connect(peer.fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    return proto::fail(proto::Errc::kInternal,
                       "the broker takes no connection: " + std::generic_category().message(errno));
  }
  peer.trickled = 0;
  ++open_;
  ++counts_.opened;
  if (way_of(index) != Way::kSilent) {
    ::send(peer.fd, greeting_.data(), greeting_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (way_of(index) == Way::kNeverReads) {
    ::send(peer.fd, requests_.data(), requests_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  epoll_event wanted{};
  wanted.events = way_of(index) == Way::kNeverReads ? EPOLLRDHUP : EPOLLIN | EPOLLRDHUP;
  wanted.data.u64 = index;
  ::epoll_ctl(poll_, EPOLL_CTL_ADD, peer.fd, &wanted);
  return {};
}

void SlowPeers::serve(std::size_t index) {
  Peer& peer = peers_[index];
  if (way_of(index) == Way::kNeverReads) {
    lose(index);
    return;
  }
  std::array<char, 4096> bytes{};
  const ssize_t got = ::recv(peer.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    lose(index);
  } else if (way_of(index) == Way::kHalfOpen) {
    std::string pong;
    proto::encode_frame(FrameType::kPong, {}, pong);
    ::send(peer.fd, pong.data(), pong.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

void SlowPeers::trickle(std::size_t index, Clock::time_point now) {
  Peer& peer = peers_[index];
  if (peer.fd < 0 || way_of(index) != Way::kTrickles ||
      now - peer.last_byte < std::chrono::seconds(1)) {
    return;
  }
  // The first four say that 256 bytes come, the fifth that they are a request; none is the last.
  constexpr std::array<char, 5> kHead = {0, 1, 0, 0, 3};
  const char byte = peer.trickled < kHead.size() ? kHead[peer.trickled] : '\0';
  ++peer.trickled;
  peer.last_byte = now;
  ::send(peer.fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void SlowPeers::lose(std::size_t index) {
  Peer& peer = peers_[index];
  const std::int64_t lived_ms = ms_since(peer.since);
  if (way_of(index) == Way::kSilent) {
    counts_.silent_ms_min = std::min(counts_.silent_ms_min, lived_ms);
    counts_.silent_ms_max = std::max(counts_.silent_ms_max, lived_ms);
  } else if (way_of(index) == Way::kSilentAfter) {
    counts_.silent_after_ms_min = std::min(counts_.silent_after_ms_min, lived_ms);
    counts_.silent_after_ms_max = std::max(counts_.silent_after_ms_max, lived_ms);
  }
  ::close(std::exchange(peer.fd, -1));
  ++counts_.closed;
  --open_;
  to_open_.push_back(index);
}

}  // namespace weir::hostile
