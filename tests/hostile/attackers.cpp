#include "tests/hostile/attackers.hpp"

#include "proto/frame/frames.hpp"
#include "proto/wire_message.hpp"
#include "tests/hostile/bystander.hpp"

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <span>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::hostile {
namespace {

using proto::Errc;
using proto::fail;
using proto::FrameType;

constexpr std::chrono::seconds kCloseTime{60};  // by then the broker has closed
constexpr std::uint64_t kShotsMax = 96;
constexpr std::size_t kAnswersToGreeting = 7;  // Welcome and six responses
constexpr std::size_t kDribbleMax = 600;       // bytes

// With a reset: nothing stays behind that waits for lost packets.
void close_hard(int& fd) {
  if (fd >= 0) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    ::close(std::exchange(fd, -1));
  }
}

void ask(std::string& out, std::uint64_t id, weir::v1::Request request) {
  request.set_id(id);
  proto::append_frame(FrameType::kRequest, request, out);
}

}  // namespace

Attackers::Attackers(std::uint16_t port, std::uint64_t seed, std::size_t at_a_time)
    : port_(port), random_(seed), frames_(seed + 1), peers_(at_a_time) {}

Attackers::~Attackers() {
  leave();
}

void Attackers::leave() {
  for (Peer& peer : peers_) {
    close_hard(peer.fd);
  }
}

proto::Result<> Attackers::run_for(std::chrono::milliseconds time) {
  const Clock::time_point end = Clock::now() + time;
  std::vector<pollfd> waits(peers_.size());
  while (Clock::now() < end) {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (peers_[i].fd < 0) {
        if (proto::Result<> connected = connect(peers_[i]); !connected) {
          return connected;
        }
      }
      const bool has_more = peers_[i].written < peers_[i].out.size();
      waits[i] = {.fd = peers_[i].fd,
                  .events = static_cast<short>(POLLIN | (has_more ? POLLOUT : 0)),
                  .revents = 0};
    }
    ::poll(waits.data(), waits.size(), 100);
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (proto::Result<> served = serve(peers_[i], waits[i].revents); !served) {
        return served;
      }
    }
  }
  return {};
}

proto::Result<> Attackers::connect(Peer& peer) {
  peer = Peer();
  peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr =
      htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(random_.between(0, 200)));
  sockaddr_in to = from;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (peer.fd < 0 || ::bind(peer.fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
      ::connect(peer.fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    return fail(Errc::kInternal,
                "the broker takes no connection: " + std::generic_category().message(errno));
  }
  peer.since = Clock::now();
  ++counts_.connections;
  if (random_.percent(30)) {
    peer.phase = Phase::kShooting;
    peer.out = frames_.before_hello();
    ++peer.said.before_hello;
    end_with_junk_or_dribble(peer);
  } else {
    greet(peer);
  }
  return {};
}

// Hello, objects of our own, and aliases for them and for what others work with.
void Attackers::greet(Peer& peer) {
  weir::v1::Hello hello;
  hello.set_protocol_min(proto::kProtocolMin);
  hello.set_protocol_max(proto::kProtocolMax);
  hello.set_client("hostile");
  proto::append_frame(FrameType::kHello, hello, peer.out);
  weir::v1::Request request;
  request.mutable_create_queue()->set_name("hostile");
  ask(peer.out, 1, request);
  request.mutable_create_topic()->set_name("hostile");
  ask(peer.out, 2, request);
  request.mutable_attach()->set_queue("hostile");
  ask(peer.out, 3, request);
  request.mutable_attach()->set_topic("hostile");
  ask(peer.out, 4, request);
  request.mutable_attach()->set_queue(kBystanderQueue);
  ask(peer.out, 5, request);
  request.mutable_subscribe()->set_queue("hostile");
  request.mutable_subscribe()->set_window_messages(2);
  request.mutable_subscribe()->set_window_bytes(4'096);
  ask(peer.out, 6, request);
  peer.standing.requests = 6;
}

proto::Result<> Attackers::serve(Peer& peer, short events) {
  bool lives = true;
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    lives = read(peer);
  }
  if (lives && (events & POLLOUT) != 0) {
    lives = write(peer);
  }
  if (!lives) {
    if (peer.phase == Phase::kGreeting) {
      return fail(Errc::kInternal, "the broker closed a connection that had done nothing yet");
    }
    count(peer.said);
    counts_.dribbled += peer.dribbles ? 1 : 0;
    close_hard(peer.fd);
    return {};
  }
  if (Clock::now() - peer.since > kCloseTime) {
    return fail(Errc::kInternal,
                "the broker did not close a connection that said what it must not");
  }
  return {};
}

bool Attackers::write(Peer& peer) {
  std::string_view rest = std::string_view(peer.out).substr(peer.written);
  rest = rest.substr(0, peer.dribbles ? 1 : rest.size());
  const ssize_t sent = ::send(peer.fd, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  peer.written += static_cast<std::size_t>(sent);
  return true;
}

bool Attackers::read(Peer& peer) {
  const std::span<char> room = peer.reader.prepare();
  const ssize_t got = ::recv(peer.fd, room.data(), room.size(), MSG_DONTWAIT);
  if (got <= 0) {
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
  peer.reader.commit(static_cast<std::size_t>(got));
  while (true) {
    const auto frame = peer.reader.next();
    if (!frame || !*frame) {
      break;
    }
    hear(peer, **frame);
  }
  return true;
}

void Attackers::hear(Peer& peer, const proto::RawFrame& frame) {
  if (peer.phase != Phase::kGreeting) {
    return;
  }
  if (frame.type == FrameType::kWelcome) {
    ++peer.answers;
  }
  if (frame.type == FrameType::kResponse) {
    ++peer.answers;
    const weir::v1::Response response = proto::parse_response(frame.body).value();
    switch (response.id()) {
      case 3:
        peer.standing.queue = response.attached().alias();
        break;
      case 4:
        peer.standing.topic = response.attached().alias();
        break;
      case 5:
        peer.standing.other = response.attached().alias();
        break;
      case 6:
        peer.standing.subscription = response.subscribed().alias();
        break;
      default:
        break;
    }
  }
  if (peer.answers == kAnswersToGreeting) {
    aim(peer);
  }
}

void Attackers::aim(Peer& peer) {
  peer.phase = Phase::kShooting;
  peer.out.clear();
  peer.written = 0;
  peer.said.refused = random_.between(0, kShotsMax);
  for (std::uint64_t i = 0; i < peer.said.refused; ++i) {
    peer.out += frames_.refused(peer.standing);
  }
  if (random_.percent(70)) {
    ++peer.said.mutated;
    peer.out += frames_.mutated(peer.standing);
  } else {
    ++peer.said.fatal;
  }
  // Counted above, or else only what makes sure that a mutated frame ends here.
  peer.out += frames_.fatal(peer.standing);
  end_with_junk_or_dribble(peer);
}

void Attackers::end_with_junk_or_dribble(Peer& peer) {
  peer.dribbles = random_.percent(20) && peer.out.size() <= kDribbleMax;
  if (!peer.dribbles) {
    peer.out += frames_.junk();
  }
}

void Attackers::count(const Counts& said) {
  counts_.before_hello += said.before_hello;
  counts_.refused += said.refused;
  counts_.mutated += said.mutated;
  counts_.fatal += said.fatal;
}

}  // namespace weir::hostile
