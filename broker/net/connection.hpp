#pragma once

#include "broker/net/outbox.hpp"
#include "broker/net/send_budget.hpp"
#include "broker/net/session_machine.hpp"
#include "broker/shard/session_port.hpp"
#include "broker/shard/shard.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/result.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::net {

/// What all connections of a listener share.
struct ConnectionPorts {
  shard::Shard* shard = nullptr;  // outlives the last close()
  std::uint32_t shard_id = 0;
  std::shared_ptr<SendBudget> budget;
  std::function<core::Uuid()> uuid;
  std::function<MonoMs()> now;
};

/// One client's socket: reads frames into the session machine and writes what the outbox holds.
/// Lives on the loop that the shard runs on; kept alive by its own reads and writes.
class Connection final : public std::enable_shared_from_this<Connection>,
                         private shard::SessionPort,
                         private SessionOutlet {
 public:
  /// A write that makes no progress for this long ends the connection.
  static constexpr MonoMs kWriteStallMs = 30'000;
  /// How long the peer may take to read a goodbye.
  static constexpr MonoMs kLingerMs = 2'000;

  /// `on_closed` hears of the end, once, never inline from another member.
  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<const ConnectionPorts> ports,
             std::function<void(const Connection&)> on_closed);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// To be called a few times a second.
  void tick(MonoMs now);
  void on_stall(MonoMs lost);
  /// Asks the client to leave.
  void drain(std::uint32_t drain_ms);
  /// Nothing is owed to the client and everything said has been written.
  [[nodiscard]] bool is_quiet() const;
  /// Tells the client why, and closes once it was written or kLingerMs have passed.
  void say_goodbye(const proto::Error& why);
  /// Ends it at once. Idempotent.
  void close();

 private:
  // shard::SessionPort
  void on_sent(const proto::SentEntry& entry) override;
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override;
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery) override;
  void on_topic_batch(const shard::TopicBatch& batch) override;
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) override;
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why) override;
  void flush() override;
  [[nodiscard]] std::size_t bulk_room() const override;

  // SessionOutlet
  BrokerFacts open(const std::string& client, const std::string& service) override;
  void send(core::SendBatch batch, std::uint32_t deadline_ms) override;
  void settle(proto::QueueId queue, proto::Settle settle) override;
  void set_credit(const proto::Credit& credit) override;
  void request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) override;
  void on_bad_batch(const proto::Error& error) override;

  void read();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  proto::Result<> take_frames();
  void write();
  void on_written(const boost::system::error_code& error, std::size_t bytes);
  void leave_shard();

  boost::asio::ip::tcp::socket socket_;
  const std::shared_ptr<const ConnectionPorts> ports_;
  std::function<void(const Connection&)> on_closed_;
  std::string peer_;
  proto::FrameReader reader_;
  std::size_t room_bytes_ = 0;  // of the read that is under way
  Outbox outbox_;
  SessionMachine machine_;
  std::optional<proto::SessionId> session_;
  std::vector<boost::asio::const_buffer> buffers_;
  bool writing_ = false;
  bool closed_ = false;
  bool sent_end_ = false;
  MonoMs progress_at_ = 0;
  std::optional<MonoMs> goodbye_at_;
};

}  // namespace weir::net
