#include "tests/integration/wire_client.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/limits.hpp"

#include <netinet/in.h>
#include <span>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace weir::integration {
namespace {

int connect_to(std::uint16_t port, int timeout_s) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval timeout{.tv_sec = timeout_s, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(socket);
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
  return socket;
}

void write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;  // the peer closed: the next read tells
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

WireClient::WireClient(std::uint16_t port, int timeout_s)
    : socket_(connect_to(port, timeout_s)), reader_(proto::kMaxFrameBytes) {}

WireClient::~WireClient() {
  ::close(socket_);
}

void WireClient::send_bytes(std::string_view bytes) {
  write_all(socket_, bytes);
}

void WireClient::send_frame(proto::FrameType type, std::string_view body) {
  std::string frame;
  proto::encode_frame(type, body, frame);
  send_bytes(frame);
}

std::optional<WireClient::Frame> WireClient::next() {
  for (;;) {
    if (const std::optional<proto::RawFrame> frame = reader_.next().value()) {
      return Frame{.type = frame->type, .body = std::string(frame->body)};
    }
    const std::span<char> room = reader_.prepare();
    const ssize_t got = ::recv(socket_, room.data(), room.size(), 0);
    if (got <= 0) {
      return std::nullopt;
    }
    reader_.commit(static_cast<std::size_t>(got));
  }
}

std::optional<WireClient::Frame> WireClient::next(proto::FrameType type) {
  std::optional<Frame> frame = next();
  while (frame && frame->type != type) {
    frame = next();
  }
  return frame;
}

bool WireClient::ends() {
  while (next()) {
  }
  char byte = 0;
  return ::recv(socket_, &byte, 1, 0) == 0;
}

weir::v1::Welcome WireClient::hello(const std::string& name_space) {
  weir::v1::Hello hello;
  hello.set_protocol_min(proto::kProtocolMin);
  hello.set_protocol_max(proto::kProtocolMax);
  hello.set_client("test");
  hello.set_service("integration");
  hello.set_namespace_(name_space);
  send_frame(proto::FrameType::kHello, hello.SerializeAsString());
  const std::optional<Frame> welcome = next(proto::FrameType::kWelcome);
  if (!welcome) {
    throw std::runtime_error("no welcome");
  }
  return proto::parse_welcome(welcome->body).value();
}

weir::v1::Response WireClient::ask(weir::v1::Request request) {
  request.set_id(++last_request_);
  send_frame(proto::FrameType::kRequest, request.SerializeAsString());
  const std::optional<Frame> frame = next(proto::FrameType::kResponse);
  if (!frame) {
    throw std::runtime_error("no response");
  }
  return proto::parse_response(frame->body).value();
}

weir::v1::Response WireClient::create_queue(const std::string& name) {
  weir::v1::Request request;
  request.mutable_create_queue()->set_name(name);
  return ask(std::move(request));
}

weir::v1::Response WireClient::describe_queue(const std::string& name) {
  weir::v1::Request request;
  request.mutable_describe_queue()->set_name(name);
  return ask(std::move(request));
}

weir::v1::Response WireClient::attach_queue(const std::string& name) {
  weir::v1::Request request;
  request.mutable_attach()->set_queue(name);
  return ask(std::move(request));
}

weir::v1::Response WireClient::receive(const std::string& queue, std::uint32_t wait_ms) {
  weir::v1::Request request;
  request.mutable_receive()->set_queue(queue);
  request.mutable_receive()->set_max_messages(1);
  request.mutable_receive()->set_wait_ms(wait_ms);
  return ask(std::move(request));
}

weir::v1::Response WireClient::settle(const std::string& handle, weir::v1::SettleAction action,
                                      const std::string& queue) {
  weir::v1::Request request;
  request.mutable_settle_by_handle()->set_handle(handle);
  request.mutable_settle_by_handle()->set_action(action);
  request.mutable_settle_by_handle()->set_queue(queue);
  return ask(std::move(request));
}

proto::SentEntry WireClient::send(std::uint32_t alias, std::string_view body,
                                  std::uint32_t partition) {
  proto::BatchBuilder builder;
  builder.add(proto::RecordInput{
      .key = std::nullopt, .value = body, .headers = {}, .timestamp = 1'700'000'000'000});
  const std::string batch = builder.finish({}, proto::Compression::kNone);
  std::string frame;
  proto::encode(proto::Send{.alias = alias,
                            .partition = partition,
                            .send_number = ++last_send_,
                            .deadline_ms = 0,
                            .batch = batch},
                frame);
  send_bytes(frame);
  const std::optional<Frame> sent = next(proto::FrameType::kSent);
  if (!sent) {
    throw std::runtime_error("no answer to a send");
  }
  return proto::decode_sent(sent->body).value().entries.at(0);
}

std::string http_get(std::uint16_t port, std::string_view path, std::string_view method) {
  const int socket = connect_to(port, 20);
  write_all(socket, std::string(method) + " " + std::string(path) +
                        " HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n");
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(socket, buffer, sizeof(buffer), 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(socket);
  return answer;
}

}  // namespace weir::integration
