#include "broker/net/connection.hpp"

#include "proto/limits.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

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

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<const ConnectionPorts> ports,
                       std::function<void(const Connection&)> on_closed)
    : socket_(std::move(socket)),
      ports_(std::move(ports)),
      on_closed_(std::move(on_closed)),
      peer_(name_of_peer(socket_)),
      reader_(proto::kMaxFrameBytesBeforeHello),
      machine_(*this, outbox_, *ports_->budget, ports_->uuid, ports_->now()) {}

Connection::~Connection() {
  leave_shard();
}

void Connection::start() {
  error_code ignored;  // a peer that is gone already is noticed by the first read
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  read();
}

// ---- reading

void Connection::read() {
  const std::span<char> room = reader_.prepare();
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
      spdlog::debug("client {}: {}", peer_, error.message());
    }
    close();
    return;
  }
  if (goodbye_at_) {
    // What still comes is not looked at, but read: a reset would take the goodbye from the peer.
    read();
    return;
  }
  machine_.on_bytes(ports_->now());
  const bool had_more = bytes == room_bytes_;
  reader_.commit(bytes);
  const proto::Result<> taken = take_frames();
  if (!taken) {
    say_goodbye(taken.error());
  } else {
    flush();
  }
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

proto::Result<> Connection::take_frames() {
  for (;;) {
    const proto::Result<std::optional<proto::RawFrame>> frame = reader_.next();
    if (!frame) {
      return frame.error();
    }
    if (!*frame) {
      return {};
    }
    if (proto::Result<> taken = machine_.on_frame(**frame, ports_->now()); !taken) {
      return taken;
    }
    reader_.set_max_frame_bytes(machine_.max_frame_bytes());
  }
}

// ---- writing

void Connection::write() {
  if (writing_ || closed_) {
    return;
  }
  const std::vector<std::string_view>& views = outbox_.gather(kMaxViews);
  if (views.empty()) {
    if (goodbye_at_ && !sent_end_) {
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
  progress_at_ = ports_->now();
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
  constexpr std::size_t kHalf = Outbox::kBulkRoom / 2;
  const bool was_above = outbox_.bulk_bytes() >= kHalf;
  outbox_.consume(bytes);
  if (was_above && outbox_.bulk_bytes() < kHalf && session_) {
    ports_->shard->bulk_drained(*session_);
  }
  write();
}

// ---- life

void Connection::tick(MonoMs now) {
  if (closed_) {
    return;
  }
  if (goodbye_at_) {
    if (now - *goodbye_at_ >= kLingerMs) {
      close();
    }
    return;
  }
  if (writing_ && now - progress_at_ >= kWriteStallMs) {
    spdlog::info("client {}: closed, it does not read", peer_);
    close();
    return;
  }
  if (const proto::Result<> alive = machine_.on_tick(now); !alive) {
    say_goodbye(alive.error());
    return;
  }
  write();
}

void Connection::on_stall(MonoMs lost) {
  machine_.on_stall(lost);
  progress_at_ += lost;
}

void Connection::drain(std::uint32_t drain_ms) {
  machine_.drain(drain_ms);
  write();
}

bool Connection::is_quiet() const {
  return closed_ || (machine_.is_quiet() && outbox_.empty());
}

void Connection::say_goodbye(const proto::Error& why) {
  if (closed_ || goodbye_at_) {
    return;
  }
  if (why.code == proto::Errc::kShuttingDown) {
    spdlog::debug("client {}: closing", peer_);
  } else {
    spdlog::info("client {}: closing, {}", peer_, why.to_string());
  }
  goodbye_at_ = ports_->now();
  machine_.say_goodbye(why);
  leave_shard();
  write();
}

void Connection::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  error_code ignored;  // there is nothing left to save
  socket_.close(ignored);
  leave_shard();
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->on_closed_(*self); });
}

void Connection::leave_shard() {
  if (session_) {
    const proto::SessionId session = *session_;
    session_.reset();
    ports_->shard->close_session(session);
  }
}

// ---- from the shard

void Connection::on_sent(const proto::SentEntry& entry) {
  machine_.on_sent(entry);
}

void Connection::on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) {
  machine_.on_settled(up_to, failed);
}

void Connection::on_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  machine_.on_delivery(alias, delivery);
}

void Connection::on_topic_batch(const shard::TopicBatch& batch) {
  machine_.on_topic_batch(batch);
}

void Connection::on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) {
  machine_.on_reply(request_id, reply);
}

void Connection::on_subscription_ended(std::uint32_t alias, const proto::Error& why) {
  machine_.on_subscription_ended(alias, why);
}

void Connection::flush() {
  machine_.flush();
  if (outbox_.overflowed()) {
    // Not from inside of the shard, which called this.
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (!self->closed_) {
        spdlog::info("client {}: closed, it does not read its answers", self->peer_);
        self->close();
      }
    });
    return;
  }
  write();
}

std::size_t Connection::bulk_room() const {
  return closed_ || goodbye_at_ ? 0 : outbox_.bulk_room();
}

// ---- to the shard

BrokerFacts Connection::open(const std::string& client, const std::string& service) {
  session_ = ports_->shard->open_session(*this);
  spdlog::debug("client {}: session {} of '{}' ({})", peer_, session_->value, service, client);
  return BrokerFacts{.session = *session_,
                     .incarnation = ports_->shard->incarnation(),
                     .epoch = ports_->shard->epoch(),
                     .shard = ports_->shard_id};
}

void Connection::send(core::SendBatch batch, std::uint32_t deadline_ms) {
  ports_->shard->send(*session_, std::move(batch), deadline_ms);
}

void Connection::settle(proto::QueueId queue, proto::Settle settle) {
  ports_->shard->settle(*session_, queue, std::move(settle));
}

void Connection::set_credit(const proto::Credit& credit) {
  ports_->shard->set_credit(*session_, credit);
}

void Connection::request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) {
  ports_->shard->request(*session_, id, std::move(request), deadline_ms);
}

void Connection::on_bad_batch(const proto::Error& error) {
  spdlog::warn("client {}: a batch was refused, {}", peer_, error.to_string());
}

}  // namespace weir::net
