#pragma once

#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/message.hpp"
#include "weir/options.hpp"
#include "weir/outcome.hpp"
#include "weir/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

namespace sdk {
class ConsumerFront;
class Grant;
struct Settling;
}  // namespace sdk

/// Tells whether a settlement is durable. RECEIPT_EXPIRED, RECEIPT_INVALID or NOT_IN_FLIGHT: the
/// message is no longer this consumer's. Called on the I/O thread; must not block.
using SettleCallback = UniqueFunction<void(const Result<>&)>;

/// One message that was handed to this application, and the only right to settle it. Settle it
/// once, with ack(), nack() or release(); what is destroyed unsettled is given back as failed
/// (nacked), and as not handled (released) if the application never got it. Settling never blocks
/// and costs no allocation; it stays possible after the connection was lost and restored.
///
/// Thread-safety: may be moved to and settled on any thread, by one thread at a time. Its bytes
/// live as long as it does.
class WEIR_API Delivery {
 public:
  Delivery(Delivery&& other) noexcept;
  Delivery& operator=(Delivery&& other) noexcept;
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  ~Delivery();

  /// Empty for a message without a value.
  [[nodiscard]] std::string_view body() const { return body_; }
  [[nodiscard]] const std::optional<std::string_view>& key() const { return key_; }
  [[nodiscard]] std::span<const HeaderView> headers() const { return headers_; }
  /// As the sender gave it.
  [[nodiscard]] Timestamp timestamp() const { return timestamp_; }
  [[nodiscard]] std::int64_t offset() const { return offset_; }
  /// Which attempt this is: 1 for a message that nobody began to handle before.
  [[nodiscard]] std::uint32_t attempt() const;
  /// How many of the earlier attempts count against the queue's max_receive_count.
  [[nodiscard]] std::uint32_t failures() const;
  [[nodiscard]] MessageId message_id() const;
  /// The group that it belongs to, if it does (Message::set_group()). A consumer and a worker pool
  /// of a FIFO queue get the next message of a group when this one is settled, and not at all when
  /// it was not acked: it comes again behind this one. A receive may bring several of a group, in
  /// their order: then they are in vain behind one that is not acked.
  [[nodiscard]] std::optional<std::string_view> group() const;
  /// 0 to 9, the most urgent (Message::set_priority()).
  [[nodiscard]] std::uint8_t priority() const;
  /// Until when the work is of use to whoever asked for it, if that was said
  /// (Message::set_deadline()).
  [[nodiscard]] std::optional<Timestamp> deadline() const;
  /// How much of that is left by this machine's clock, at least zero; nullopt without a deadline.
  [[nodiscard]] std::optional<std::chrono::milliseconds> time_left() const;
  /// Text that settles this very delivery from anywhere (Client::ack and its neighbours).
  [[nodiscard]] std::string handle() const;
  [[nodiscard]] const std::string& queue() const;
  /// How long the message is this consumer's from its delivery or the last extension on.
  [[nodiscard]] std::chrono::milliseconds lease() const;
  [[nodiscard]] bool settled() const { return settled_; }

  /// Done, forget it. A second settlement of any kind does nothing, and its callback is not called.
  void ack();
  /// As ack(); `callback` learns when that is durable.
  void ack(SettleCallback callback);
  /// Acks and waits until that is durable. DEADLINE_EXCEEDED: not known yet, it is still under way.
  /// INVALID_ARGUMENT on the I/O thread (and the message is not settled).
  [[nodiscard]] Result<> ack_and_wait(std::chrono::milliseconds timeout);
  /// Settles it in any of the ways there are, with the reason that history tells.
  void settle(const Outcome& outcome, SettleCallback callback = nullptr);
  /// The ways to say something about a message, each with a future of whether that is durable.
  /// It is answered when the broker has said so, or the client is closed; until then the word is
  /// under way, over any number of connections. INVALID_ARGUMENT when the delivery was settled
  /// before.
  [[nodiscard]] Future<> async_ack();
  [[nodiscard]] Future<> async_nack();
  [[nodiscard]] Future<> async_nack(std::chrono::milliseconds delay);
  [[nodiscard]] Future<> async_release();
  [[nodiscard]] Future<> async_extend(std::chrono::milliseconds lease);
  [[nodiscard]] Future<> async_settle(const Outcome& outcome);
  /// Failed: hand it out again after `delay`, and without one when the queue's redelivery policy
  /// says. A failure.
  void nack();
  void nack(std::chrono::milliseconds delay);
  void nack(std::chrono::milliseconds delay, SettleCallback callback);
  /// Not handled: hand it out again now. No failure; but the attempt that began when it was handed
  /// to the handler, or received, stays counted.
  void release();
  void release(SettleCallback callback);
  /// The lease now ends `lease` from now.
  void extend(std::chrono::milliseconds lease);

 private:
  friend class sdk::ConsumerFront;
  friend class sdk::Grant;
  friend struct sdk::Settling;
  friend struct sdk::Taken<Delivery>;
  Delivery() = default;
  void abandon() noexcept;

  std::shared_ptr<sdk::Grant> grant_;
  std::uint32_t index_ = 0;
  bool settled_ = true;
  bool handed_out_ = false;
  std::int64_t offset_ = -1;
  Timestamp timestamp_;
  std::string_view body_;
  std::optional<std::string_view> key_;
  std::vector<HeaderView> headers_;
};

/// What is to become of one message, named by the text of Delivery::handle(). For
/// Client::settle_many().
class WEIR_API Settlement {
 public:
  Settlement(std::string handle, Outcome outcome)
      : handle_(std::move(handle)), outcome_(std::move(outcome)) {}
  /// Done, forget it.
  [[nodiscard]] static Settlement ack(std::string handle) {
    return Settlement(std::move(handle), Outcome::ack());
  }
  /// The lease ends `lease` from now.
  [[nodiscard]] static Settlement extend(std::string handle, std::chrono::milliseconds lease) {
    Settlement settlement(std::move(handle), Outcome::ack());
    settlement.lease_ = lease;
    return settlement;
  }

  [[nodiscard]] const std::string& handle() const { return handle_; }
  /// Of an extension.
  [[nodiscard]] std::optional<std::chrono::milliseconds> lease() const { return lease_; }
  /// Of everything else.
  [[nodiscard]] const Outcome& outcome() const { return outcome_; }

 private:
  std::string handle_;
  Outcome outcome_;
  std::optional<std::chrono::milliseconds> lease_;
};

namespace sdk {

/// A delivery that was taken out of its future is the application's: dropped, it counts as failed.
template <>
struct Taken<Delivery> {
  static void mark(Delivery& delivery) { delivery.handed_out_ = true; }
};
template <>
struct Taken<std::optional<Delivery>> {
  static void mark(std::optional<Delivery>& delivery) {
    if (delivery) {
      Taken<Delivery>::mark(*delivery);
    }
  }
};
template <>
struct Taken<std::vector<Delivery>> {
  static void mark(std::vector<Delivery>& deliveries) {
    for (Delivery& delivery : deliveries) {
      Taken<Delivery>::mark(delivery);
    }
  }
};

}  // namespace sdk

/// Called on the client's I/O thread with each message; must not block: move the Delivery to a
/// thread of your own for anything that takes long. An exception counts as a failed attempt.
using DeliveryHandler = UniqueFunction<void(Delivery)>;

/// A subscription to a queue: the broker pushes messages under credit, and they reach the
/// application through a handler or through next(). It is restored by itself after a lost
/// connection, and tried again with growing pauses when the broker refuses or ends it
/// (CORRUPT_BATCH: the queue's next messages are damaged). Before the application gets a message,
/// the broker is told that its attempt begins.
///
/// Thread-safety: every function may be called from any thread, handlers included. The object is a
/// handle: copies name the same subscription, which ends with close(), with its client, or when the
/// last handle is gone.
class WEIR_API QueueConsumer {
 public:
  /// The next message; nullopt when the call's time (default: the client's overall timeout) passes
  /// without one. Only without a handler (INVALID_ARGUMENT otherwise, and on the I/O thread).
  /// CANCELLED once closed, or when the call is stopped; other errors say why the subscription does
  /// not stand.
  [[nodiscard]] Result<std::optional<Delivery>> next(const CallOptions& call = CallOptions());
  /// The same without waiting, also on the I/O thread. Messages go to who asked first.
  [[nodiscard]] Future<std::optional<Delivery>> async_next(const CallOptions& call = CallOptions());

  /// Stops and restarts the flow. Messages that wait in the library are given back.
  void pause();
  void resume();
  /// How many messages and bytes may be delivered and not settled, from now on. What waits in the
  /// library beyond a window that became smaller is given back uncounted.
  void set_window(std::uint32_t messages, std::uint32_t bytes);

  /// Ends the subscription: no handler is called after it returns (from within a handler: after
  /// that handler). What was not begun is given back uncounted; deliveries that the application
  /// holds stay valid. Idempotent.
  void close();
  /// The same without waiting: told once no handler is called any more. Always succeeds.
  [[nodiscard]] Future<> async_close();

  /// Success while the subscription stands or is being restored; else why it was refused.
  [[nodiscard]] Result<> status() const;
  /// Messages that wait in the library.
  [[nodiscard]] std::size_t buffered() const;
  /// The queue's own first delay between two attempts, as the broker said when it took the
  /// subscription last; zero: the queue has no redelivery policy.
  [[nodiscard]] std::chrono::milliseconds redelivery_delay() const;

  /// For the library: consumers come from Client.
  explicit QueueConsumer(std::shared_ptr<sdk::ConsumerFront> front);

 private:
  std::shared_ptr<sdk::ConsumerFront> front_;
};

}  // namespace weir
