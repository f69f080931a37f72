#pragma once

#include "broker/core/command.hpp"
#include "broker/core/reply.hpp"
#include "broker/net/config_reload.hpp"
#include "broker/net/liveness.hpp"
#include "broker/net/outbox.hpp"
#include "broker/net/send_budget.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/frame/frames.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::v1 {
class Request;
}  // namespace weir::v1

namespace weir::net {

/// What the greeting says of the broker.
struct BrokerFacts {
  proto::SessionId session;
  std::uint32_t incarnation = 0;
  std::uint32_t epoch = 0;
  std::uint32_t shard = 0;
};

/// What a client says of itself.
struct Introduction {
  std::string client;  // library and version
  std::string service;
  std::string name_space;
};

/// Where a session's commands go: the shard, behind the driver; and the process around it.
class SessionOutlet {
 public:
  virtual ~SessionOutlet() = default;
  /// The client has said Hello; called once, before anything else.
  virtual BrokerFacts open(const Introduction& who) = 0;
  virtual void send(core::SendBatch batch, std::uint32_t deadline_ms) = 0;
  virtual void settle(proto::QueueId queue, proto::Settle settle) = 0;
  virtual void set_credit(const proto::Credit& credit) = 0;
  virtual void request(std::uint64_t id, core::Request request, std::uint32_t deadline_ms) = 0;
  /// As ReloadConfig says.
  virtual proto::Result<ConfigReload> reload_config() = 0;
  /// A batch was refused before it reached the shard: somebody builds bad ones.
  virtual void on_bad_batch(const proto::Error& error) = 0;
  /// For the log: this request was refused.
  virtual void on_refused(std::uint64_t id, const proto::Error& error) = 0;
};

/// One session, from Hello to its end, without sockets, clock or randomness: frames and facts go
/// in, commands go to the outlet and frames to the outbox. Time comes with each call.
///
/// What the peer does wrong is the error of on_frame() and closes this connection alone: the driver
/// then calls say_goodbye() with it.
class SessionMachine {
 public:
  /// An attached destination costs memory here, so there is a bound.
  static constexpr std::size_t kMaxAttached = 4'096;
  static constexpr std::size_t kMaxOpenRequests = 4'096;
  static constexpr std::size_t kMaxOpenRequestBytes = std::size_t{8} << 20;
  static constexpr std::size_t kMaxOpenSettleBytes = std::size_t{16} << 20;
  static constexpr std::uint64_t kMaxOpenSettledMessages = 50'000'000;
  /// Begun over the life of one connection: the broker remembers each, for late settlements.
  static constexpr std::size_t kMaxSubscriptionsEver = 65'536;

  /// All references outlive the machine; `uuid` draws one at random.
  SessionMachine(SessionOutlet& outlet, Outbox& outbox, SendBudget& budget,
                 std::function<core::Uuid()> uuid, MonoMs now);
  /// Gives the send window back.
  ~SessionMachine();
  SessionMachine(const SessionMachine&) = delete;
  SessionMachine& operator=(const SessionMachine&) = delete;

  /// The limit that the frame reader must keep from here on.
  [[nodiscard]] std::size_t max_frame_bytes() const;
  [[nodiscard]] bool is_open() const { return phase_ == Phase::kOpen; }

  void on_bytes(MonoMs now) { liveness_.on_bytes(now); }
  [[nodiscard]] proto::Result<> on_frame(const proto::RawFrame& frame, MonoMs now);
  /// To be called a few times a second. DEADLINE_EXCEEDED: the peer is silent for too long.
  [[nodiscard]] proto::Result<> on_tick(MonoMs now);
  void on_stall(MonoMs lost) { liveness_.on_stall(lost); }

  // Facts from the shard; they become frames at flush() at the latest.
  void on_sent(const proto::SentEntry& entry);
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed);
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery);
  void on_topic_batch(const shard::TopicBatch& batch);
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply);
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why);
  void flush();

  /// Asks the client to leave within that time and stops feeding it.
  void drain(std::uint32_t drain_ms);
  /// True when the session waits for nothing: no answer is owed, no delivered message unsettled.
  [[nodiscard]] bool is_quiet() const;
  /// GoAway with the reason; nothing is taken from the peer or the shard any more.
  void say_goodbye(const proto::Error& why);

 private:
  enum class Phase : std::uint8_t { kGreeting, kOpen, kClosed };
  struct Destination {
    bool topic = false;
    std::uint64_t id = 0;
    std::vector<proto::LogId> logs;
  };
  struct Subscription {
    proto::QueueId queue;  // 0: a topic's, or not confirmed yet
    bool active = true;
    proto::Credit last_credit;
  };
  struct OpenRequest {
    enum class Kind : std::uint8_t {
      kOther,
      kAttach,
      kSubscribe,
      kUnsubscribe,
      kReceive,
      kSettle,  // by handle
    };
    Kind kind = Kind::kOther;
    std::uint32_t alias = 0;
    std::size_t bytes = 0;
    std::string destination;  // of an attach: the name behind 'q' or 't'
    std::vector<bool> ends;   // of a settlement: which entries end a message that was received
  };

  proto::Result<> on_hello(std::string_view body, MonoMs now);
  proto::Result<> on_send(std::string_view body);
  proto::Result<> on_settle(std::string_view body);
  proto::Result<> on_credit(std::string_view body);
  proto::Result<> on_request(std::string_view body);
  void answer_reload(std::uint64_t request_id);
  proto::Result<> refuse_if_busy(const weir::v1::Request& request) const;
  void remember(OpenRequest& open, const weir::v1::Request& request);
  std::uint32_t finish(const OpenRequest& open, const proto::Result<core::Reply>& reply);
  void end_subscription(std::uint32_t alias);
  void refuse(std::uint64_t request_id, const proto::Error& error);
  void write_settled();
  void refuse_send(const proto::Send& send, const proto::Error& error);
  std::uint32_t attach(const std::string& name, const core::Attached& attached);

  SessionOutlet& outlet_;
  Outbox& outbox_;
  SendBudget& budget_;
  const std::function<core::Uuid()> uuid_;
  Liveness liveness_;
  Phase phase_ = Phase::kGreeting;
  bool draining_ = false;
  std::optional<std::uint32_t> drain_after_hello_ms_;
  std::string name_space_;

  std::uint32_t next_alias_ = 1;  // of destinations and subscriptions alike
  std::map<std::uint32_t, Destination> destinations_;
  std::map<std::string, std::uint32_t> aliases_;  // of what is attached, by 'q' or 't' and name
  std::map<std::uint32_t, Subscription> subscriptions_;
  std::size_t active_subscriptions_ = 0;

  std::unordered_map<std::uint64_t, OpenRequest> requests_;
  std::size_t request_bytes_ = 0;
  std::size_t waiting_receives_ = 0;

  std::uint32_t window_ = 0;
  std::uint64_t last_send_ = 0;
  std::unordered_map<std::uint64_t, std::size_t> open_sends_;  // number -> bytes
  std::size_t open_send_bytes_ = 0;

  std::uint64_t last_settle_ = 0;
  struct OpenSettle {
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    std::uint64_t messages = 0;
  };
  std::deque<OpenSettle> open_settles_;
  std::size_t open_settle_bytes_ = 0;
  std::uint64_t open_settled_messages_ = 0;
  std::uint64_t unsettled_ = 0;  // messages delivered and not acked, nacked or released here

  proto::Sent sent_;
  proto::Settled settled_;
  bool has_settled_ = false;
};

}  // namespace weir::net
