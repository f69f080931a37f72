#include "broker/net/connection.hpp"

#include "broker/logging/log_line.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace weir::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// What the operating system takes in one call.
constexpr std::size_t kMaxViews = 64;

std::string name_of_peer(const asio::ip::tcp::socket& socket) {
  error_code error;
  const asio::ip::tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) {
    return "unknown";
  }
  return peer.address().to_string() + ":" + std::to_string(peer.port());
}

std::string about(const Peer& peer, std::string_view what) {
  return peer.session == 0
             ? logging::with_fields(what, {{"client", peer.address}})
             : logging::with_fields(
                   what, {{"client", peer.address}, {"session", std::to_string(peer.session)}});
}

// What a peer does wrong. Peers may do it as often as they like, so not all of it is written.
void complain(const ConnectionPorts& ports, const Peer& peer, std::string_view what) {
  if (const std::optional<std::uint64_t> left_out = ports.lines->take(ports.now())) {
    if (*left_out > 0) {
      spdlog::warn("{} lines about clients were left out", *left_out);
    }
    spdlog::info("{}", about(peer, what));
  }
}

/// The shard itself.
class OpenDoor final : public ShardDoor {
 public:
  OpenDoor(const ConnectionPorts& ports, Peer& peer)
      : ports_(ports), shard_(*ports.shard), peer_(peer) {}

  void set_port(shard::SessionPort& port) override { port_ = &port; }
  BrokerFacts open(const Introduction& who) override {
    session_ = shard_.open_session(*port_, {.service = who.service,
                                            .client = who.client,
                                            .address = peer_.address,
                                            .name_space = who.name_space});
    peer_.session = session_->value;
    if (spdlog::should_log(spdlog::level::debug)) {
      spdlog::debug("{}", about(peer_, "a session of '" + who.service + "' (" + who.client + ")"));
    }
    return BrokerFacts{.session = *session_,
                       .incarnation = shard_.incarnation(),
                       .epoch = shard_.epoch(),
                       .shard = ports_.shard_id};
  }
  void leave() override {
    if (session_) {
      const proto::SessionId session = *session_;
      session_.reset();
      shard_.close_session(session);
    }
  }

  void send(core::SendBatch batch, std::uint32_t deadline_ms) override {
    shard_.send(*session_, std::move(batch), deadline_ms);
  }
  void settle(proto::QueueId queue, proto::Settle settle) override {
    shard_.settle(*session_, queue, std::move(settle));
  }
  void set_credit(const proto::Credit& credit) override { shard_.set_credit(*session_, credit); }
  void request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) override {
    shard_.request(*session_, id, std::move(request), deadline_ms);
  }
  void bulk_drained() override {
    if (session_) {
      shard_.bulk_drained(*session_);
    }
  }
  proto::Result<ConfigReload> reload_config() override {
    if (!ports_.reload_config) {
      return proto::fail(proto::Errc::kUnsupported, "this broker reads no config file");
    }
    spdlog::info("{}", about(peer_, "a client asks to read the config file again"));
    return ports_.reload_config();
  }
  void on_bad_batch(const proto::Error& error) override {
    complain(ports_, peer_, "a batch was refused, " + error.to_string());
  }
  void on_refused(std::uint64_t id, const proto::Error& error) override {
    if (spdlog::should_log(spdlog::level::debug)) {
      spdlog::debug("{}", logging::with_fields("a request was refused, " + error.to_string(),
                                               {{"client", peer_.address},
                                                {"session", std::to_string(peer_.session)},
                                                {"request", std::to_string(id)}}));
    }
  }

 private:
  const ConnectionPorts& ports_;
  shard::Shard& shard_;
  Peer& peer_;
  shard::SessionPort* port_ = nullptr;
  std::optional<proto::SessionId> session_;
};

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<const ConnectionPorts> ports,
                       std::function<void(const Connection&)> on_closed)
    : socket_(std::move(socket)),
      ports_(std::move(ports)),
      on_closed_(std::move(on_closed)),
      peer_{.address = name_of_peer(socket_)},
      machine_(*this, std::make_unique<OpenDoor>(*ports_, peer_), *ports_) {}

void Connection::start() {
  error_code ignored;  // a peer that is gone already is noticed by the first read
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  read();
}

// ---- reading

void Connection::read() {
  const std::span<char> room = machine_.room();
  room_bytes_ = room.size();
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                            self->on_read(error, bytes);
                          });
}

void Connection::on_read(const error_code& error, std::size_t bytes) {
  if (closed_) {
    return;
  }
  if (error) {
    if (error != asio::error::eof && error != asio::error::connection_reset) {
      spdlog::debug("{}", about(peer_, error.message()));
    }
    close();
    return;
  }
  // Behind a goodbye it is not looked at, but read: a reset would take the goodbye from the peer.
  const bool had_more = bytes == room_bytes_;
  machine_.on_read(bytes);
  if (closed_) {
    return;
  }
  if (had_more) {
    read();
    return;
  }
  // Behind the shard's turn: what came is on its way to the disk before the socket is asked whether
  // there is more, which is seldom so.
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->closed_) {
      self->read();
    }
  });
}

// ---- writing

void Connection::write() {
  if (writing_ || closed_) {
    return;
  }
  const std::vector<std::string_view>& views = machine_.to_write(kMaxViews);
  if (views.empty()) {
    if (machine_.has_said_all() && !sent_end_) {
      sent_end_ = true;
      error_code ignored;  // the peer may be gone
      socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    }
    return;
  }
  buffers_.clear();
  for (const std::string_view view : views) {
    buffers_.emplace_back(view.data(), view.size());
  }
  writing_ = true;
  socket_.async_write_some(std::span<const asio::const_buffer>(buffers_),
                           [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                             self->on_written(error, bytes);
                           });
}

void Connection::on_written(const error_code& error, std::size_t bytes) {
  writing_ = false;
  if (closed_) {
    return;
  }
  if (error) {
    close();
    return;
  }
  machine_.on_written(bytes);
  write();
}

// ---- life

void Connection::tick(MonoMs now) {
  if (!closed_) {
    machine_.tick(now);
  }
}

void Connection::on_goodbye(const proto::Error& why) {
  if (why.code == proto::Errc::kShuttingDown) {
    spdlog::debug("{}", about(peer_, "closing"));
  } else {
    complain(*ports_, peer_, "closing, " + why.to_string());
  }
}

void Connection::end_soon(std::string_view why) {
  asio::post(socket_.get_executor(), [self = shared_from_this(), why = std::string(why)] {
    if (!self->closed_) {
      complain(*self->ports_, self->peer_, "closed, " + why);
      self->close();
    }
  });
}

void Connection::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  error_code ignored;  // there is nothing left to save
  socket_.close(ignored);
  machine_.close();
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->on_closed_(*self); });
}

}  // namespace weir::net
