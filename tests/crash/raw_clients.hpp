#pragma once

#include "proto/result.hpp"
#include "tests/crash/raw_consumer.hpp"
#include "tests/crash/raw_producers.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::crash {

/// The connection is gone because the broker is.
[[nodiscard]] bool is_loss(const proto::Result<>& result);

/// Producers and consumers of one broker, served by one thread.
class RawClients {
 public:
  void add(std::unique_ptr<RawProducers> producers) { producers_.push_back(std::move(producers)); }
  void add(std::unique_ptr<RawConsumer> consumer) { consumers_.push_back(std::move(consumer)); }

  /// Consumers first, so that they settle what is left from before.
  proto::Result<> connect(std::uint16_t port);
  void close(bool forget);
  /// The broker is gone: what it had said before counts, up to the end of each connection.
  proto::Result<> read_last_words();
  void on_stall(std::int64_t lost_ms);

  struct Doing {
    bool sends = true;        // something new
    std::uint64_t keeps = 0;  // messages that a consumer sits on
    bool drains = false;      // everything is acked at once
    std::int64_t limit_ms = 60'000;
  };
  /// Serves all connections until `done` says so. `doing` is asked for each time.
  /// DEADLINE_EXCEEDED: it took too long.
  template <class What, class Done>
  proto::Result<> pump(What&& doing, Done&& done) {
    const Clock::time_point begin = Clock::now();
    while (!done()) {
      const Doing now = doing();
      if (ms_since(begin) > now.limit_ms) {
        return stood_still();
      }
      if (proto::Result<> served = serve(now); !served) {
        return served;
      }
    }
    return {};
  }

  /// Messages that the broker was sent and has not answered.
  [[nodiscard]] std::uint64_t unanswered_sends();
  /// Batches of them.
  [[nodiscard]] std::uint64_t unanswered_batches();
  /// Messages that it handed out on these connections and whose end it has not confirmed.
  [[nodiscard]] std::uint64_t unanswered_deliveries() const;
  [[nodiscard]] bool producers_are_idle() const;
  [[nodiscard]] bool consumers_are_idle() const;
  /// Repeated batches that the broker recognised.
  [[nodiscard]] std::uint64_t duplicates() const;
  /// Settlements that came too late.
  [[nodiscard]] std::uint64_t expired() const;

 private:
  using Clock = std::chrono::steady_clock;
  static std::int64_t ms_since(Clock::time_point begin);
  proto::Result<> serve(const Doing& doing);
  [[nodiscard]] proto::Error stood_still();
  [[nodiscard]] std::vector<RawSession*> sessions();

  std::vector<std::unique_ptr<RawProducers>> producers_;
  std::vector<std::unique_ptr<RawConsumer>> consumers_;
};

/// Messages in a queue, whatever their state.
proto::Result<std::uint64_t> count_messages(RawSession& admin, const std::string& queue);

}  // namespace weir::crash
