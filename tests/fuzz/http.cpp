#include "broker/http/http_server.hpp"
#include "proto/assert.hpp"
#include "proto/json_string.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::fuzz {
namespace {

namespace asio = boost::asio;

http::Pages pages() {
  http::Pages made;
  made.ill = [] { return std::string(); };
  made.not_ready = [] { return std::vector<std::string>{"a \"quoted\" reason"}; };
  made.metrics = [] { return std::string("# metrics\n"); };
  return made;
}

// The server and its client on one loop, one turn after the other.
class Server {
 public:
  Server() {
    server_.open({asio::ip::address_v4::loopback(), 0}).value();
    server_.start().value();
  }

  // What it answers to bytes that come in two parts, and then nothing more.
  std::string answer(std::string_view first, std::string_view second) {
    asio::ip::tcp::socket client = connected();
    client.set_option(asio::socket_base::linger(true, 0));  // leaves nothing behind
    boost::system::error_code error;
    for (const std::string_view part : {first, second}) {
      asio::write(client, asio::buffer(part.data(), part.size()), error);
      io_.poll();
    }
    client.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    io_.poll();
    std::string answer;
    std::array<char, 4096> buffer{};
    client.non_blocking(true, error);
    for (std::size_t got = 1; got > 0;) {
      got = client.read_some(asio::buffer(buffer), error);
      answer.append(buffer.data(), got);
    }
    client.close(error);
    io_.poll();
    return answer;
  }

 private:
  // The fuzzer's clock is a signal, which may come while a busy machine connects.
  asio::ip::tcp::socket connected() {
    while (true) {
      asio::ip::tcp::socket client(io_);
      boost::system::error_code error;
      client.connect({asio::ip::address_v4::loopback(), server_.port()}, error);
      if (!error) {
        return client;
      }
      WEIR_ASSERT(error == asio::error::interrupted, "there is somebody to connect to");
    }
  }

  asio::io_context io_{1};
  http::HttpServer server_{io_, pages()};
};

void check_route(std::string_view method, std::string_view target) {
  const http::Answer answer = http::route(method, target, pages());
  WEIR_ASSERT(
      answer.status == 200 || answer.status == 404 || answer.status == 405 || answer.status == 503,
      "every request has one of few answers");
  const std::string quoted = proto::json_string(target);
  WEIR_ASSERT(quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"' &&
                  quoted.find('\n') == std::string::npos,
              "a JSON string stays within its quotes");
}

}  // namespace

void http(std::string_view bytes) {
  static Server server;
  Input input(bytes);
  const std::uint8_t how = input.byte();
  if (how < 64) {
    const std::string_view method = input.piece();
    return check_route(method, input.rest());
  }
  const std::string_view first = input.piece();
  const std::string answer = server.answer(first, input.rest());
  WEIR_ASSERT(answer.empty() || answer.starts_with("HTTP/1.1 "), "an answer is HTTP, or none");
}

}  // namespace weir::fuzz
