#pragma once

#include "broker/net/liveness.hpp"
#include "broker/net/outbox.hpp"
#include "broker/net/send_budget.hpp"
#include "broker/net/session_machine.hpp"
#include "broker/shard/session_port.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace weir::net {

/// What carries a connection's bytes: a socket, or something that stands for one.
class Wire {
 public:
  virtual ~Wire() = default;
  /// There may be something to write: to_write() says what. Called from within the shard as well.
  virtual void write() = 0;
  /// The connection is to end, soon, not inside this call; `why` is for the log.
  virtual void end_soon(std::string_view why) = 0;
  /// The peer is being told why it must leave, and nothing is taken from it any more.
  virtual void on_goodbye(const proto::Error& why) = 0;
};

/// The shard as one connection sees it.
class ShardDoor : public SessionOutlet {
 public:
  /// From open() to leave() the shard speaks to `port`, which outlives that. Called once, first.
  virtual void set_port(shard::SessionPort& port) = 0;
  /// There is room for bulk again.
  virtual void bulk_drained() = 0;
  /// Closes the session, if there is one. Idempotent.
  virtual void leave() = 0;
};

/// What connections have in common.
struct ConnectionSurroundings {
  std::shared_ptr<SendBudget> budget;
  std::function<core::Uuid()> uuid;
  std::function<MonoMs()> now;
};

/// One client's connection from its first byte to its last, without a socket: bytes go in, become
/// frames for the session machine, and what the outbox holds comes out. Decides when the connection
/// ends. On the thread that the shard runs on.
class ConnectionMachine final : private shard::SessionPort {
 public:
  /// A write that makes no progress for this long ends the connection.
  static constexpr MonoMs kWriteStallMs = 30'000;
  /// How long the peer may take to read a goodbye.
  static constexpr MonoMs kLingerMs = 2'000;

  /// `wire` and `surroundings` outlive it.
  ConnectionMachine(Wire& wire, std::unique_ptr<ShardDoor> door,
                    const ConnectionSurroundings& surroundings);
  ~ConnectionMachine() override;
  ConnectionMachine(const ConnectionMachine&) = delete;
  ConnectionMachine& operator=(const ConnectionMachine&) = delete;

  /// Where the next bytes are to be read to. Valid until on_read().
  [[nodiscard]] std::span<char> room();
  /// The first `bytes` of room() were read. What comes behind a goodbye is not looked at.
  void on_read(std::size_t bytes);
  /// What is to be written next, at most so many pieces, when no write is under way; it is under
  /// way from then on, unless there is nothing. Valid until on_written().
  [[nodiscard]] const std::vector<std::string_view>& to_write(std::size_t max_views);
  /// The first `bytes` of what to_write() gave were written, and the write is over.
  void on_written(std::size_t bytes);
  /// The goodbye was written: nothing follows.
  [[nodiscard]] bool has_said_all() const { return goodbye_at_ && outbox_.empty(); }

  /// To be called a few times a second.
  void tick(MonoMs now);
  /// This process did not run for that long: it is not held against the peer.
  void on_stall(MonoMs lost);
  /// Asks the client to leave.
  void drain(std::uint32_t drain_ms);
  /// Nothing is owed to the client and everything said has been written.
  [[nodiscard]] bool is_quiet() const { return machine_.is_quiet() && outbox_.empty(); }
  /// Tells the client why; the connection ends once that was written and read, or kLingerMs later.
  void say_goodbye(const proto::Error& why);
  /// The connection is gone. Idempotent.
  void close();

 private:
  void on_sent(const proto::SentEntry& entry) override;
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override;
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery) override;
  void on_topic_batch(const shard::TopicBatch& batch) override;
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) override;
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why) override;
  void on_kicked(const proto::Error& why) override { say_goodbye(why); }
  void flush() override;
  [[nodiscard]] std::size_t bulk_room() const override;

  proto::Result<> take_frames();

  Wire& wire_;
  const std::unique_ptr<ShardDoor> door_;
  const ConnectionSurroundings& surroundings_;
  proto::FrameReader reader_;
  Outbox outbox_;
  SessionMachine machine_;
  bool is_closed_ = false;
  std::optional<MonoMs> writing_since_;
  std::optional<MonoMs> goodbye_at_;
};

}  // namespace weir::net
