#include "broker/http/http_server.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Response = beast::http::response<beast::http::string_body>;

constexpr std::uint32_t kMaxHeaderBytes = std::uint32_t{8} << 10;
constexpr std::uint64_t kMaxBodyBytes = std::uint64_t{4} << 10;
constexpr std::chrono::seconds kTimeout{5};
constexpr std::chrono::milliseconds kAcceptPause{100};

proto::Result<> check(const error_code& error, const asio::ip::tcp::endpoint& endpoint) {
  if (error) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "cannot serve HTTP on " + endpoint.address().to_string() + ":" +
                           std::to_string(endpoint.port()) + ": " + error.message());
  }
  return {};
}

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct HttpServer::Shared {
  Pages pages;
  std::size_t open = 0;
  bool alive = true;
  // Connections whose peer is to do something, the one that waits for it longest first: each entry
  // closes one.
  using Line = std::list<std::function<void()>>;
  Line unasked;  // no whole request has come
  Line unread;   // the answer has not been taken

  // Who says nothing, or reads nothing, must not keep others from asking after the broker's health.
  void make_room() {
    Line& line = unasked.empty() ? unread : unasked;
    if (!line.empty()) {
      const std::function<void()> close_longest = line.front();
      close_longest();
    }
  }
};

namespace {

// One connection: a request, its answer, and so on while the client keeps it open.
template <class Shared>
class HttpConnection final : public std::enable_shared_from_this<HttpConnection<Shared>> {
 public:
  HttpConnection(asio::ip::tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->open;
  }
  ~HttpConnection() {
    stop_waiting();
    --shared_->open;
  }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(kMaxBodyBytes);
    stream_.expires_after(kTimeout);
    wait_in(shared_->unasked);
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](const error_code& error, std::size_t /*bytes*/) {
          self->on_request(error);
        });
  }

 private:
  using Line = typename Shared::Line;

  void wait_in(Line& line) {
    line_ = &line;
    place_ = line.insert(line.end(), [this] {
      stop_waiting();
      stream_.close();
    });
  }

  void stop_waiting() {
    if (line_ != nullptr) {
      std::exchange(line_, nullptr)->erase(place_);
    }
  }

  void on_request(const error_code& error) {
    stop_waiting();
    if (error == beast::http::error::header_limit || error == beast::http::error::body_limit) {
      Answer answer;
      answer.status = error == beast::http::error::header_limit ? 431 : 413;
      answer.content_type = "text/plain; charset=utf-8";
      answer.body = "The request is too large.\n";
      write(std::move(answer), false, false);
      return;
    }
    if (error || !shared_->alive) {
      return;  // gone, too slow, or not HTTP at all
    }
    const auto& request = parser_->get();
    const std::string_view method = view(request.method_string());
    write(route(method, view(request.target()), shared_->pages), request.keep_alive(),
          method == "HEAD");
  }

  void write(Answer answer, bool keep_alive, bool head_only) {
    response_.emplace();
    response_->version(11);
    response_->result(answer.status);
    response_->set(beast::http::field::server, "weir/" WEIR_VERSION);
    response_->set(beast::http::field::content_type, answer.content_type);
    response_->set(beast::http::field::cache_control, "no-store");
    if (!answer.allow.empty()) {
      response_->set(beast::http::field::allow, answer.allow);
    }
    response_->keep_alive(keep_alive);
    response_->content_length(answer.body.size());
    if (!head_only) {
      response_->body() = std::move(answer.body);
    }
    stream_.expires_after(kTimeout);
    wait_in(shared_->unread);
    serializer_.emplace(*response_);
    beast::http::async_write(stream_, *serializer_,
                             [self = this->shared_from_this(), keep_alive](const error_code& error,
                                                                           std::size_t /*bytes*/) {
                               self->stop_waiting();
                               if (!error && keep_alive && self->shared_->alive) {
                                 self->read();
                               } else {
                                 self->end();
                               }
                             });
  }

  void end() {
    error_code ignored;  // the client may be gone
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  Line* line_ = nullptr;           // where it waits for its peer
  typename Line::iterator place_;  // in that line
  beast::flat_buffer buffer_{kMaxHeaderBytes + kMaxBodyBytes};
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::optional<Response> response_;
  std::optional<beast::http::response_serializer<beast::http::string_body>> serializer_;
};

}  // namespace

HttpServer::HttpServer(asio::io_context& io, Pages pages)
    : shared_(std::make_shared<Shared>()), acceptor_(io), pause_timer_(io) {
  shared_->pages = std::move(pages);
}

HttpServer::~HttpServer() {
  close();
}

proto::Result<> HttpServer::open(const asio::ip::tcp::endpoint& endpoint) {
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  if (!error) {
    port_ = acceptor_.local_endpoint(error).port();
  }
  return check(error, endpoint);
}

proto::Result<> HttpServer::start() {
  error_code error;
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    return check(error, acceptor_.local_endpoint(ignored));
  }
  accept();
  return {};
}

void HttpServer::close() {
  shared_->alive = false;
  error_code ignored;
  acceptor_.close(ignored);
  pause_timer_.cancel();
}

void HttpServer::accept() {
  acceptor_.async_accept(
      [this, shared = shared_](const error_code& error, asio::ip::tcp::socket socket) {
        if (!shared->alive) {
          return;
        }
        if (!error) {
          if (shared->open >= kMaxConnections) {
            shared->make_room();
          }
          std::make_shared<HttpConnection<Shared>>(std::move(socket), shared)->read();
          accept();
          return;
        }
        pause_timer_.expires_after(kAcceptPause);
        pause_timer_.async_wait([this, shared](const error_code& cancelled) {
          if (!cancelled && shared->alive) {
            accept();
          }
        });
      });
}

}  // namespace weir::http
