#pragma once

#include "weir/error.hpp"
#include "weir/export.hpp"
#include "weir/message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// Options are classes with setters that can be chained; each has a usable default. They are plain
// values without synchronisation, read once when they are handed over.
namespace weir {

/// When one call is to give up. Converts from a time and from a stop token, so that
/// `producer.send("hello", 2s)` and `client.describe_queue("work", token)` work.
///
/// A call that is stopped ends with CANCELLED when nothing came of it and nothing will, and with
/// UNKNOWN_OUTCOME when it had left for the broker and may have been carried out: a message may
/// then have been stored, or may still be.
class WEIR_API CallOptions {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  CallOptions();
  template <class Rep, class Period>
  CallOptions(std::chrono::duration<Rep, Period> timeout) {  // NOLINT: a time is one
    set_timeout(std::chrono::ceil<std::chrono::milliseconds>(timeout));
  }
  CallOptions(TimePoint deadline);          // NOLINT
  CallOptions(std::stop_token stop_token);  // NOLINT

  /// For the call with all its tries. Default: what the call's own options say, else the client's
  /// overall timeout.
  CallOptions& set_timeout(std::chrono::milliseconds timeout);
  /// The same as a moment. With both, the earlier one counts.
  CallOptions& set_deadline(TimePoint deadline);
  /// Stops the call from any thread. request_stop() does not wait for its end.
  CallOptions& set_stop_token(std::stop_token token);

  [[nodiscard]] std::optional<std::chrono::milliseconds> timeout() const { return timeout_; }
  [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }
  [[nodiscard]] const std::stop_token& stop_token() const { return stop_token_; }

 private:
  std::optional<std::chrono::milliseconds> timeout_;
  std::optional<TimePoint> deadline_;
  std::stop_token stop_token_;
};

/// What happened to a client's connection or to one of its subscriptions.
struct WEIR_API ClientEvent {
  enum class Kind : std::uint8_t {
    kConnected,           // a session stands
    kLost,                // the session ended, `error` says why; the client reconnects by itself
    kRestored,            // after kLost and kConnected: subscriptions, readers and producers stand
                          // again, but for those of which kSubscriptionFailed told
    kDraining,            // the broker asked to leave; the client finishes and reconnects
    kSubscriptionFailed,  // restoring `subject` was refused, or the broker has ended it
  };
  ClientEvent(Kind event_kind, std::string event_subject);
  ClientEvent(Kind event_kind, std::string event_subject, Error event_error);

  Kind kind;
  /// The host and port, or the queue or topic.
  std::string subject;
  /// Why; not for kConnected and kRestored, which need no reason.
  std::optional<Error> error;

  /// One line for a person: "lost 127.0.0.1:7340: CONNECT_FAILED: …".
  [[nodiscard]] std::string to_string() const;
};

/// "connected", "lost", "restored", "draining", "subscription_failed".
[[nodiscard]] WEIR_API std::string_view name(ClientEvent::Kind kind);

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning", "error".
[[nodiscard]] WEIR_API std::string_view name(LogLevel level);

/// What a client counts and measures, for the application's own metrics. `value` is a number of
/// messages or events, or a time in seconds; `subject` the queue or topic, or the host.
enum class Metric : std::uint8_t {
  kConnects,         // sessions that began; subject: the host
  kLosses,           // sessions that ended; subject: the host
  kMessagesStored,   // confirmed sends
  kMessagesRefused,  // of a batch that was refused: it is tried again, or its senders are told
  kSendSeconds,      // from a batch's leaving to its answer
  kMessagesArrived,  // of queues, as they come from the broker
  kMessagesSettled,  // settlements, starts and extensions that became durable
  kSettlesFailed,    // those that came too late
};

/// The metric's name as Prometheus would have it, e.g. "weir_client_messages_stored_total".
[[nodiscard]] WEIR_API std::string_view name(Metric metric);

/// How a client finds and keeps its broker.
class WEIR_API ClientOptions {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using EventHandler = std::function<void(const ClientEvent&)>;
  using LogHandler = std::function<void(LogLevel level, std::string_view line)>;
  using MetricHandler = std::function<void(Metric metric, std::string_view subject, double value)>;

  ClientOptions();
  /// `weir://host[:port][,host[:port]…][/namespace]`.
  explicit ClientOptions(std::string address);

  ClientOptions& set_address(std::string address);
  /// Who is talking: the broker draws its dependency graph from it. Default: the program's name.
  ClientOptions& set_service(std::string service);
  /// For one host to take a connection. Default 500 ms.
  ClientOptions& set_connect_timeout(Milliseconds timeout);
  /// For one try of a request. Default 5 s.
  ClientOptions& set_request_timeout(Milliseconds timeout);
  /// For a call with all its tries, where the call names no time of its own. Default 15 s.
  ClientOptions& set_overall_timeout(Milliseconds timeout);
  /// First and longest pause between tries to reconnect; doubled each time, with jitter, and small
  /// again once a session has stood for longer than the pause in front of it, and for a second.
  /// Default 100 ms and 5 s.
  ClientOptions& set_reconnect_backoff(Milliseconds first, Milliseconds longest);
  /// How long close() and the destructor wait for unconfirmed sends and acks. Default 10 s.
  ClientOptions& set_drain_timeout(Milliseconds timeout);
  /// Called on the client's I/O thread; must neither block nor throw, as the two below. Default:
  /// none of them.
  ClientOptions& set_event_handler(EventHandler handler);
  /// One line of text without its end for each thing that an operator may want to know of: where it
  /// connects, why it cannot, what it lost and restored, which batches were refused.
  ClientOptions& set_log_handler(LogHandler handler);
  /// Called once a batch, frame or request, never once a message.
  ClientOptions& set_metric_handler(MetricHandler handler);

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] const std::string& service() const { return service_; }
  [[nodiscard]] Milliseconds connect_timeout() const { return connect_timeout_; }
  [[nodiscard]] Milliseconds request_timeout() const { return request_timeout_; }
  [[nodiscard]] Milliseconds overall_timeout() const { return overall_timeout_; }
  [[nodiscard]] Milliseconds first_backoff() const { return first_backoff_; }
  [[nodiscard]] Milliseconds longest_backoff() const { return longest_backoff_; }
  [[nodiscard]] Milliseconds drain_timeout() const { return drain_timeout_; }
  [[nodiscard]] const EventHandler& event_handler() const { return event_handler_; }
  [[nodiscard]] const LogHandler& log_handler() const { return log_handler_; }
  [[nodiscard]] const MetricHandler& metric_handler() const { return metric_handler_; }

 private:
  std::string address_ = "weir://127.0.0.1:7340";
  std::string service_;
  Milliseconds connect_timeout_{500};
  Milliseconds request_timeout_{5'000};
  Milliseconds overall_timeout_{15'000};
  Milliseconds first_backoff_{100};
  Milliseconds longest_backoff_{5'000};
  Milliseconds drain_timeout_{10'000};
  EventHandler event_handler_;
  LogHandler log_handler_;
  MetricHandler metric_handler_;
};

/// Of the batches of a topic; queues take none.
enum class Compression : std::uint8_t { kNone, kLz4, kZstd };

/// How a producer buffers. What is not confirmed yet counts against the two bounds.
class WEIR_API ProducerOptions {
 public:
  ProducerOptions();

  /// Default 32 MiB.
  ProducerOptions& set_max_buffered_bytes(std::size_t bytes);
  /// Default 1 000 000.
  ProducerOptions& set_max_buffered_messages(std::size_t messages);
  /// For a send that names no time of its own: how long until it is confirmed or reported as
  /// failed. Default: the client's overall timeout.
  ProducerOptions& set_send_timeout(std::chrono::milliseconds timeout);
  ProducerOptions& set_compression(Compression compression);

  [[nodiscard]] std::size_t max_buffered_bytes() const { return max_buffered_bytes_; }
  [[nodiscard]] std::size_t max_buffered_messages() const { return max_buffered_messages_; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> send_timeout() const {
    return send_timeout_;
  }
  [[nodiscard]] Compression compression() const { return compression_; }

 private:
  std::size_t max_buffered_bytes_ = std::size_t{32} << 20;
  std::size_t max_buffered_messages_ = 1'000'000;
  std::optional<std::chrono::milliseconds> send_timeout_;
  Compression compression_ = Compression::kNone;
};

/// A message that the application holds unsettled, and whose lease is about to end.
struct WEIR_API LeaseEnding {
  LeaseEnding(std::string from_queue, std::string receipt_handle, MessageId id,
              std::int64_t at_offset, std::chrono::milliseconds time_left);

  std::string queue;
  /// As Delivery::handle() gives it.
  std::string handle;
  MessageId message_id;
  std::int64_t offset;
  /// Of the lease, as far as this side knows; 0 when it has ended.
  std::chrono::milliseconds left;
};

/// How a consumer of a queue is fed.
class WEIR_API ConsumerOptions {
 public:
  using LeaseEndingHandler = std::function<void(const LeaseEnding&)>;

  ConsumerOptions();

  /// How many messages may be delivered and not settled. Default 1000.
  ConsumerOptions& set_window_messages(std::uint32_t messages);
  /// How many bytes of them. Default 8 MiB.
  ConsumerOptions& set_window_bytes(std::uint32_t bytes);
  /// How long a message is this consumer's before it is handed to another; not zero. Default: the
  /// queue's.
  ConsumerOptions& set_lease(std::chrono::milliseconds lease);
  /// The library extends leases by itself while a Delivery lives or waits, until a message has been
  /// held this long; zero turns that off. Default 5 min.
  ConsumerOptions& set_max_hold(std::chrono::milliseconds max_hold);
  /// Told of each message that the application has got and not settled, once, when only `before` of
  /// its lease is left: time to extend it, or to give up. Not while the library extends the lease
  /// by itself, so with a max_hold it is near the end of the last extension. A message that is
  /// extended (Delivery::extend()) is told again before its new end; an extension by handle is not
  /// seen here. Called on the client's I/O thread; must neither block nor throw. Default: nobody.
  ConsumerOptions& set_lease_ending_handler(std::chrono::milliseconds before,
                                            LeaseEndingHandler handler);

  [[nodiscard]] std::uint32_t window_messages() const { return window_messages_; }
  [[nodiscard]] std::uint32_t window_bytes() const { return window_bytes_; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> lease() const { return lease_; }
  [[nodiscard]] std::chrono::milliseconds max_hold() const { return max_hold_; }
  [[nodiscard]] std::chrono::milliseconds told_before_lease_end() const {
    return told_before_lease_end_;
  }
  [[nodiscard]] const LeaseEndingHandler& lease_ending_handler() const {
    return lease_ending_handler_;
  }

 private:
  std::uint32_t window_messages_ = 1'000;
  std::uint32_t window_bytes_ = std::uint32_t{8} << 20;
  std::optional<std::chrono::milliseconds> lease_;
  std::chrono::milliseconds max_hold_{300'000};
  std::chrono::milliseconds told_before_lease_end_{0};
  LeaseEndingHandler lease_ending_handler_;
};

/// One request for messages of a queue.
class WEIR_API ReceiveOptions {
 public:
  ReceiveOptions();

  /// 1 to 1000. Default 1.
  ReceiveOptions& set_max_messages(std::uint32_t messages);
  /// How long the broker waits for the first message, at most 20 s. Default 0: answer at once.
  ReceiveOptions& set_wait(std::chrono::milliseconds wait);
  /// Zero: each message may be handed out again at once, which counts as a failure of this one.
  /// Default: the queue's.
  ReceiveOptions& set_lease(std::chrono::milliseconds lease);
  /// The first message comes whatever its size. Default 1 MiB.
  ReceiveOptions& set_max_bytes(std::uint32_t bytes);

  [[nodiscard]] std::uint32_t max_messages() const { return max_messages_; }
  [[nodiscard]] std::chrono::milliseconds wait() const { return wait_; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> lease() const { return lease_; }
  [[nodiscard]] std::uint32_t max_bytes() const { return max_bytes_; }

 private:
  std::uint32_t max_messages_ = 1;
  std::chrono::milliseconds wait_{0};
  std::optional<std::chrono::milliseconds> lease_;
  std::uint32_t max_bytes_ = 0;
};

/// A place in a partition.
class WEIR_API StartPosition {
 public:
  enum class Kind : std::uint8_t { kStart, kEnd, kOffset, kTime };

  /// The oldest record kept.
  [[nodiscard]] static StartPosition start() { return StartPosition(Kind::kStart, 0); }
  /// Records appended from now on.
  [[nodiscard]] static StartPosition end() { return StartPosition(Kind::kEnd, 0); }
  [[nodiscard]] static StartPosition offset(std::int64_t offset) {
    return StartPosition(Kind::kOffset, offset);
  }
  /// The first batch appended at or after that moment (milliseconds since 1970).
  [[nodiscard]] static StartPosition time(std::chrono::sys_time<std::chrono::milliseconds> at) {
    return StartPosition(Kind::kTime, at.time_since_epoch().count());
  }

  [[nodiscard]] Kind kind() const { return kind_; }
  /// The offset or the milliseconds.
  [[nodiscard]] std::int64_t value() const { return value_; }
  friend bool operator==(const StartPosition&, const StartPosition&) = default;

 private:
  StartPosition(Kind kind, std::int64_t value) : kind_(kind), value_(value) {}

  Kind kind_;
  std::int64_t value_;
};

/// Where to begin in one partition.
struct PartitionStart {
  PartitionStart(std::uint32_t of_partition, StartPosition position);

  std::uint32_t partition;
  StartPosition from;
};

inline PartitionStart::PartitionStart(std::uint32_t of_partition, StartPosition position)
    : partition(of_partition), from(position) {}

/// What a TopicReader reads.
class WEIR_API ReaderOptions {
 public:
  ReaderOptions();

  /// For every partition that is not named with add_partition(). Default: the start.
  ReaderOptions& set_from(StartPosition from);
  /// Reads this partition; without any call, all of them.
  ReaderOptions& add_partition(std::uint32_t partition);
  ReaderOptions& add_partition(std::uint32_t partition, StartPosition from);
  /// Ends in front of this offset, in each partition.
  ReaderOptions& set_to(std::int64_t offset);
  /// Ends at the high watermark that each partition has when reading begins.
  ReaderOptions& set_stop_at_end();
  /// How many records and bytes may be on the way or wait in the library. Default 1000 and 8 MiB.
  ReaderOptions& set_window_messages(std::uint32_t messages);
  ReaderOptions& set_window_bytes(std::uint32_t bytes);
  /// A batch that unpacks to more is refused. Default 64 MiB.
  ReaderOptions& set_max_batch_bytes(std::size_t bytes);

  [[nodiscard]] StartPosition from() const { return from_; }
  /// Those named, each with where it begins; empty: all, from from().
  [[nodiscard]] std::vector<PartitionStart> partitions() const;
  [[nodiscard]] std::optional<std::int64_t> to() const { return to_; }
  [[nodiscard]] bool stop_at_end() const { return stop_at_end_; }
  [[nodiscard]] std::uint32_t window_messages() const { return window_messages_; }
  [[nodiscard]] std::uint32_t window_bytes() const { return window_bytes_; }
  [[nodiscard]] std::size_t max_batch_bytes() const { return max_batch_bytes_; }

 private:
  StartPosition from_ = StartPosition::start();
  std::vector<std::pair<std::uint32_t, std::optional<StartPosition>>> partitions_;
  std::optional<std::int64_t> to_;
  bool stop_at_end_ = false;
  std::uint32_t window_messages_ = 1'000;
  std::uint32_t window_bytes_ = std::uint32_t{8} << 20;
  std::size_t max_batch_bytes_ = std::size_t{64} << 20;
};

}  // namespace weir
