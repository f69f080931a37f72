#pragma once

#include "client/core/address.hpp"
#include "client/net/outbox.hpp"
#include "proto/error.hpp"
#include "proto/frame/frame_reader.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <memory>

namespace weir::sdk {

/// What a Link tells. Called on the I/O thread, never from within a call of the Link's.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void on_connected() = 0;
  /// Bytes arrived. Frames follow.
  virtual void on_bytes() = 0;
  /// `frame.body` is valid during the call. An error ends the connection with it.
  virtual proto::Result<> on_frame(const proto::RawFrame& frame) = 0;
  /// Some of what waited in the outbox left.
  virtual void on_written() = 0;
  /// Connecting failed or the connection broke: the link is closed.
  virtual void on_broken(proto::Error why) = 0;
};

/// One TCP connection at a time. I/O thread only.
class Link {
 public:
  Link(boost::asio::io_context& io, LinkEvents& events);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void connect(const HostPort& host);
  /// Ends it without an event.
  void close();

  [[nodiscard]] Outbox& outbox() { return outbox_; }
  /// Writes what the socket takes; the rest follows by itself. True when nothing waits.
  bool flush();
  /// Goes on reading after what came was taken. Called behind flush(): whoever waits for an answer
  /// before it asks again is not held up by a look at an empty socket.
  void read_on();

 private:
  // What belongs to one connection: handlers of an earlier one find themselves outdated.
  struct Connection;

  void on_endpoints(const std::shared_ptr<Connection>& connection,
                    const boost::asio::ip::tcp::resolver::results_type& endpoints);
  void on_connected(const std::shared_ptr<Connection>& connection);
  void read(const std::shared_ptr<Connection>& connection);
  void take_frames(const std::shared_ptr<Connection>& connection);
  void break_off(const std::shared_ptr<Connection>& connection, proto::Error why);

  boost::asio::io_context& io_;
  LinkEvents& events_;
  std::shared_ptr<Connection> connection_;
  Outbox outbox_;
};

}  // namespace weir::sdk
