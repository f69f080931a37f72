#pragma once

#include "broker/net/connection_machine.hpp"
#include "broker/net/line_allowance.hpp"
#include "broker/shard/shard.hpp"
#include "proto/result.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net {

/// What all connections of a listener share.
struct ConnectionPorts : ConnectionSurroundings {
  shard::Shard* shard = nullptr;  // outlives the last close()
  std::uint32_t shard_id = 0;
  ReloadConfig reload_config;            // where none is given there is no file
  std::shared_ptr<LineAllowance> lines;  // about what clients do wrong
};

/// Who is at the other end, for the log.
struct Peer {
  std::string address;
  std::uint64_t session = 0;  // 0: none yet
};

/// One client's socket: moves bytes between it and the connection's machine. Lives on the loop that
/// the shard runs on; kept alive by its own reads and writes.
class Connection final : public std::enable_shared_from_this<Connection>, private Wire {
 public:
  /// `on_closed` hears of the end, once, never inline from another member.
  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<const ConnectionPorts> ports,
             std::function<void(const Connection&)> on_closed);

  void start();
  /// To be called a few times a second.
  void tick(MonoMs now);
  void on_stall(MonoMs lost) { machine_.on_stall(lost); }
  /// Asks the client to leave.
  void drain(std::uint32_t drain_ms) { machine_.drain(drain_ms); }
  /// Nothing is owed to the client and everything said has been written.
  [[nodiscard]] bool is_quiet() const { return closed_ || machine_.is_quiet(); }
  /// Tells the client why, and closes once it was written or has waited for too long.
  void say_goodbye(const proto::Error& why) { machine_.say_goodbye(why); }
  /// Ends it at once. Idempotent.
  void close();

 private:
  void write() override;
  void end_soon(std::string_view why) override;
  void on_goodbye(const proto::Error& why) override;

  void read();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  void on_written(const boost::system::error_code& error, std::size_t bytes);

  boost::asio::ip::tcp::socket socket_;
  const std::shared_ptr<const ConnectionPorts> ports_;
  std::function<void(const Connection&)> on_closed_;
  Peer peer_;  // before the machine, whose door names it
  ConnectionMachine machine_;
  std::size_t room_bytes_ = 0;  // of the read that is under way
  std::vector<boost::asio::const_buffer> buffers_;
  bool writing_ = false;
  bool closed_ = false;
  bool sent_end_ = false;
};

}  // namespace weir::net
