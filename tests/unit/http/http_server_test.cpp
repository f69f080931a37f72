#include "broker/http/http_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;

Pages pages() {
  return {.ill = [] { return std::string(); },
          .not_ready = [] { return std::vector<std::string>(); },
          .metrics = [] { return std::string(std::size_t{4} << 20, 'm'); }};
}

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    server_.open({asio::ip::address_v4::loopback(), 0}).value();
    server_.start().value();
  }
  tcp::socket connect() {
    tcp::socket client(io_, tcp::v4());
    client.set_option(asio::socket_base::receive_buffer_size(4096));
    client.connect({asio::ip::address_v4::loopback(), server_.port()});
    io_.poll();
    return client;
  }
  // What comes until the server has written something, or has closed.
  std::string read(tcp::socket& client) {
    std::array<char, 4096> buffer{};
    boost::system::error_code error = asio::error::would_block;
    std::size_t got = 0;
    client.non_blocking(true);
    while (error == asio::error::would_block) {
      io_.run_for(std::chrono::milliseconds(1));
      io_.restart();
      got = client.read_some(asio::buffer(buffer), error);
    }
    return {buffer.data(), got};
  }

  asio::io_context io_{1};
  HttpServer server_{io_, pages()};
};

constexpr std::string_view kQuestion = "GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n";

TEST_F(HttpServerTest, AnswersBesideAsManySilentPeersAsItTakes) {
  std::vector<tcp::socket> silent;
  for (std::size_t i = 0; i < 2 * HttpServer::kMaxConnections; ++i) {
    silent.push_back(connect());
    asio::write(silent.back(), asio::buffer("GET /heal", 9));
  }
  tcp::socket client = connect();
  asio::write(client, asio::buffer(kQuestion.data(), kQuestion.size()));
  EXPECT_THAT(read(client), HasSubstr("200 OK"));
  EXPECT_EQ(read(silent.front()), "") << "the one that waited longest made room";
  asio::write(silent.back(), asio::buffer("thz HTTP/1.1\r\n\r\n", 16));
  EXPECT_THAT(read(silent.back()), HasSubstr("200 OK")) << "and the last one did not";
}

TEST_F(HttpServerTest, AnswersBesideAsManyPeersThatReadNoAnswer) {
  std::vector<tcp::socket> deaf;
  constexpr std::string_view kLarge = "GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n";
  for (std::size_t i = 0; i < HttpServer::kMaxConnections; ++i) {
    deaf.push_back(connect());
    asio::write(deaf.back(), asio::buffer(kLarge.data(), kLarge.size()));
    io_.poll();
  }
  tcp::socket client = connect();
  asio::write(client, asio::buffer(kQuestion.data(), kQuestion.size()));
  EXPECT_THAT(read(client), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, GoesOnWithAPeerThatAsksAgain) {
  tcp::socket client = connect();
  for (int i = 0; i < 3; ++i) {
    asio::write(client, asio::buffer(kQuestion.data(), kQuestion.size()));
    EXPECT_THAT(read(client), HasSubstr("200 OK"));
  }
}

TEST_F(HttpServerTest, RefusesHeadersWithoutAnEnd) {
  tcp::socket client = connect();
  boost::system::error_code ignored;  // it closes before it was told everything
  const std::string endless = "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x');
  asio::write(client, asio::buffer(endless), ignored);
  EXPECT_THAT(read(client), HasSubstr("431 Request Header Fields Too Large"));
}

}  // namespace
}  // namespace weir::http
