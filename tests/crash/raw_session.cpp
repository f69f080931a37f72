#include "tests/crash/raw_session.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::crash {
namespace {

using Clock = std::chrono::steady_clock;
using proto::Errc;
using proto::fail;
using proto::FrameType;

constexpr std::chrono::milliseconds kAnswerTime{30'000};

proto::Error lost(const char* what) {
  return fail(Errc::kConnectFailed,
              std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

proto::Result<> RawSession::open(std::uint16_t port) {
  close();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    return lost("socket");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    proto::Error error = lost("connect");
    close();
    return error;
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  weir::v1::Hello hello;
  hello.set_protocol_min(proto::kProtocolMin);
  hello.set_protocol_max(proto::kProtocolMax);
  hello.set_client("weir-crash/" WEIR_VERSION);
  hello.set_service("crash");
  proto::append_frame(FrameType::kHello, hello, out_);
  return wait_for(welcomed_);
}

void RawSession::close() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
  fd_ = -1;
  reader_ = proto::FrameReader(proto::kMaxFrameBytes);
  out_.clear();
  written_ = 0;
  sent_bytes_ = 0;
  received_bytes_ = 0;
  welcomed_ = false;
  is_leaving_ = false;
  awaited_ = 0;
}

proto::Result<weir::v1::Response> RawSession::call(weir::v1::Request request) {
  request.set_id(next_request_++);
  awaited_ = request.id();
  answered_ = false;
  proto::append_frame(FrameType::kRequest, request, out_);
  if (proto::Result<> done = wait_for(answered_); !done) {
    return done.error();
  }
  awaited_ = 0;
  if (response_.has_error()) {
    return proto::from_wire(response_.error());
  }
  return std::move(response_);
}

proto::Result<> RawSession::wait_for(const bool& done) {
  const Clock::time_point deadline = Clock::now() + kAnswerTime;
  while (!done) {
    if (proto::Result<> written = write(); !written) {
      return written;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      return fail(Errc::kDeadlineExceeded, "the broker did not answer in time");
    }
    pollfd waits{fd_, static_cast<short>(POLLIN | (wants_write() ? POLLOUT : 0)), 0};
    ::poll(&waits, 1, static_cast<int>(left));
    if (proto::Result<> got = read(); !got) {
      return got;
    }
  }
  return {};
}

proto::Result<> RawSession::write() {
  while (written_ < out_.size()) {
    const ssize_t sent =
        ::send(fd_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EAGAIN) {
        return {};
      }
      return lost("send");
    }
    written_ += static_cast<std::size_t>(sent);
    sent_bytes_ += static_cast<std::uint64_t>(sent);
  }
  out_.clear();
  written_ = 0;
  return {};
}

proto::Result<> RawSession::read() {
  while (true) {
    const std::span<char> room = reader_.prepare();
    const ssize_t got = ::recv(fd_, room.data(), room.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && errno == EAGAIN) {
      return {};
    }
    if (got <= 0) {
      return got == 0 ? proto::Result<>(fail(Errc::kConnectFailed, "the broker closed"))
                      : proto::Result<>(lost("recv"));
    }
    reader_.commit(static_cast<std::size_t>(got));
    received_bytes_ += static_cast<std::uint64_t>(got);
    while (true) {
      const proto::Result<std::optional<proto::RawFrame>> frame = reader_.next();
      if (!frame) {
        return frame.error();
      }
      if (!frame->has_value()) {
        break;
      }
      if (proto::Result<> handled = handle(**frame); !handled) {
        return handled;
      }
    }
  }
}

proto::Result<> RawSession::handle(const proto::RawFrame& frame) {
  switch (frame.type) {
    case FrameType::kWelcome: {
      const proto::Result<weir::v1::Welcome> welcome = proto::parse_welcome(frame.body);
      if (!welcome) {
        return welcome.error();
      }
      send_window_bytes_ = welcome->send_window_bytes();
      welcome_ = *welcome;
      welcomed_ = true;
      return {};
    }
    case FrameType::kSendCredit: {
      const proto::Result<proto::SendCredit> credit = proto::decode_send_credit(frame.body);
      if (!credit) {
        return credit.error();
      }
      send_window_bytes_ = credit->window_bytes;
      return {};
    }
    case FrameType::kPing:
      proto::encode_frame(FrameType::kPong, {}, out_);
      return {};
    case FrameType::kPong:
      return {};
    case FrameType::kGoAway: {
      const proto::Result<weir::v1::GoAway> go_away = proto::parse_go_away(frame.body);
      if (!go_away) {
        return go_away.error();
      }
      is_leaving_ = is_leaving_ || go_away->draining();
      return go_away->draining() ? proto::Result<>() : proto::from_wire(go_away->error());
    }
    case FrameType::kResponse: {
      proto::Result<weir::v1::Response> response = proto::parse_response(frame.body);
      if (!response) {
        return response.error();
      }
      if (response->id() == awaited_) {
        response_ = std::move(*response);
        answered_ = true;
        return {};
      }
      return handler_(frame);
    }
    default:
      return handler_(frame);
  }
}

}  // namespace weir::crash
