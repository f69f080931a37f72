#pragma once

#include "client/core/backoff.hpp"
#include "client/core/random.hpp"
#include "client/session/askers.hpp"
#include "client/session/awaited.hpp"
#include "client/session/settle_channel.hpp"
#include "weir/consumer.hpp"
#include "weir/options.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {

/// One subscription to a queue: keeps it standing, and brings messages to a handler or to next().
class ConsumerFront : public SettleChannel {
 public:
  /// Without a handler messages wait for next().
  ConsumerFront(std::shared_ptr<Engine> engine, std::string queue, const ConsumerOptions& options,
                DeliveryHandler handler);

  // ---- any thread

  /// Told when the subscription stood or was refused for the first time.
  [[nodiscard]] Awaited<>& ready() { return *ready_; }
  [[nodiscard]] Result<std::optional<Delivery>> next(const CallOptions& call);
  [[nodiscard]] Future<std::optional<Delivery>> async_next(const CallOptions& call);
  /// next() without waiting: nullopt when no message has begun. A message begins for who asks for
  /// it: ask() comes first, and stop_asking() once, when it was taken or is not wanted any more.
  [[nodiscard]] Result<std::optional<Delivery>> take();
  void ask();
  void stop_asking();
  void set_paused(bool paused);
  void set_window(std::uint32_t messages, std::uint32_t bytes);
  /// Waits for a handler that is at work, except on the I/O thread.
  void close();
  [[nodiscard]] Future<> async_close();
  [[nodiscard]] Result<> status() const;
  [[nodiscard]] std::size_t buffered() const;
  [[nodiscard]] std::chrono::milliseconds redelivery_delay() const;

  // ---- I/O thread

  void on_session_up() override;
  void on_session_lost() override;
  void on_turn(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> next_deadline() override;
  [[nodiscard]] bool is_finished() override;
  proto::Result<> on_deliver(const proto::Deliver& frame, TimePoint now) override;
  void on_subscription_ended(const proto::Error& why) override;
  void on_closing() override;
  void on_closed(const Error& why) override;

 private:
  void subscribe();
  void on_subscribed(const proto::Result<v1::Response>& response);
  void on_refused(const proto::Error& why);
  void unsubscribe(std::uint32_t alias);
  void send_credit();
  void wind_up();
  void feed_handler(TimePoint now);
  void feed_next(TimePoint now);
  void answer_askers(TimePoint now);
  void on_stop(std::uint64_t asker);
  [[nodiscard]] std::optional<ConsumerMachine::Chunk> begin_chunk(TimePoint now,
                                                                  bool takes_suspects);
  void handle(const ConsumerMachine::Chunk& chunk);
  void hand_over(const ConsumerMachine::Chunk& chunk);
  void give_back(const ConsumerMachine::Chunk& chunk);
  [[nodiscard]] bool is_flowing() const;
  /// With the lock held: the next message that has begun, as one that nobody has got yet; nullopt
  /// when there is none, or why there will be none.
  [[nodiscard]] Result<std::optional<Delivery>> take_begun();
  /// With the lock held, after a message was taken: the I/O thread has to see to something.
  [[nodiscard]] bool needs_turn() const;
  /// With the lock held: the application gets this one, if anybody wants to know.
  void note_handed(const Delivery& delivery);
  void tell_ending_leases(TimePoint now);
  /// With the lock held: somebody waits.
  void count_caller();
  struct Window {
    std::uint32_t messages = 0;
    std::uint32_t bytes = 0;
    friend bool operator==(const Window&, const Window&) = default;
  };
  /// With the lock held: what the broker should know; nothing while paused.
  [[nodiscard]] Window wanted_window() const;

  const ConsumerOptions options_;
  const bool is_push_;
  const bool is_fifo_;
  const std::shared_ptr<Awaited<>> ready_;

  // Guarded by mutex_.
  std::deque<Delivery> begun_;  // for next(): the broker knows that their attempt has begun
  Askers<std::optional<Delivery>> askers_;  // by async_next()
  std::size_t callers_ = 0;                 // that ask for a message, those included
  std::uint32_t taken_ = 0;                 // since chunk_began_
  TimePoint chunk_began_{};
  bool is_paused_ = false;
  Window window_;
  bool was_ready_ = false;
  std::chrono::milliseconds redelivery_delay_{0};  // guarded by mutex_
  std::optional<Error> refusal_;

  // I/O thread only.
  DeliveryHandler handler_;
  Random random_;
  Backoff backoff_;
  std::optional<std::uint32_t> alias_;
  std::optional<TimePoint> subscribe_at_;
  bool is_subscribing_ = false;
  Window told_window_;
  struct Held {
    ConsumerMachine::Chunk chunk;
    std::uint64_t position = 0;  // of the outbox, behind the report that it begins
  };
  std::optional<Held> held_;  // a suspect whose report has not left
};

}  // namespace weir::sdk
