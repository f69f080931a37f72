#pragma once

#include "client/core/consumer_machine.hpp"
#include "client/core/grant.hpp"
#include "client/session/engine.hpp"
#include "client/session/participant.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {

/// Carries what the application says about messages of one queue to the broker, and says it again
/// on the next session when the word was lost. By itself it serves messages that came by receive().
class SettleChannel : public SettleSink,
                      public Participant,
                      public std::enable_shared_from_this<SettleChannel> {
 public:
  SettleChannel(std::shared_ptr<Engine> engine, std::string queue, Duration max_hold);

  // Any thread.
  void settle(Grant& grant, std::uint32_t index, SettleWord word, SettleCallback callback) override;
  Result<> ack_and_wait(Grant& grant, std::uint32_t index,
                        std::chrono::milliseconds timeout) override;
  [[nodiscard]] const std::string& queue() const override { return queue_; }
  [[nodiscard]] std::int64_t wall_ms() const override;
  void on_grant_made() override;
  void on_grant_gone() noexcept override;

  // I/O thread.
  [[nodiscard]] const std::string& subject() const override { return queue_; }
  void on_session_up() override;
  void on_session_lost() override;
  void on_turn(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> next_deadline() override;
  [[nodiscard]] bool is_settled() override;
  [[nodiscard]] bool is_finished() override;
  void on_closing() override;
  void on_closed(const Error& why) override;
  void on_settled(SettleBatch batch, const std::vector<proto::SettleFailure>& failures) override;
  void take_back(std::vector<SettleBatch> batches) override;

 protected:
  /// Sends what there is to say, under the subscription's alias or one of its own.
  void flush_settlements();
  /// I/O thread: the alias of a subscription to the queue, while there is one.
  void set_subscription_alias(std::optional<std::uint32_t> alias) { subscription_alias_ = alias; }
  /// Nothing comes in any more, so it may go once everything is said. Any thread.
  void end() { is_ended_ = true; }
  [[nodiscard]] bool is_ended() const { return is_ended_; }
  /// What is settled from now on brings another turn.
  void begin_turn();
  void notify_engine();

  const std::shared_ptr<Engine> engine_;
  mutable std::mutex mutex_;
  ConsumerMachine machine_;  // guarded by mutex_
  bool is_closed_ = false;   // guarded by mutex_: the client is closed

 private:
  void ask_for_alias();

  const std::string queue_;
  bool is_notified_ = false;  // guarded by mutex_
  std::atomic<bool> is_ended_{false};
  std::atomic<std::size_t> live_grants_{0};

  // I/O thread only.
  std::optional<std::uint32_t> subscription_alias_;
  std::optional<std::uint32_t> own_alias_;
  bool is_asking_ = false;
  std::vector<SettleBatch> again_;  // said on an earlier session, and not known to be durable
  std::size_t frames_out_ = 0;
};

}  // namespace weir::sdk
