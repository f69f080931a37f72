#pragma once

#include "client/core/batcher.hpp"
#include "client/core/partitioner.hpp"
#include "client/core/producer_machine.hpp"
#include "client/core/stoppable_send.hpp"
#include "client/session/awaited.hpp"
#include "client/session/engine.hpp"
#include "client/session/participant.hpp"
#include "weir/future.hpp"
#include "weir/producer.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {

/// One producer: the buffer that the application's threads fill, under a lock, and the machine that
/// the I/O thread empties it with. A message costs the encoding into its batch, and one wake of the
/// I/O thread a turn.
class ProducerFront : public Participant,
                      private BatchSource,
                      private SendPort,
                      public std::enable_shared_from_this<ProducerFront> {
 public:
  struct Destination {
    std::string name;
    bool is_topic = false;
  };

  ProducerFront(std::shared_ptr<Engine> engine, Destination destination,
                const ProducerOptions& options);

  // ---- any thread

  /// Told when the destination was accepted or refused for the first time.
  [[nodiscard]] Awaited<>& ready() { return *ready_; }
  /// Takes the message; blocks for room as long as the call may take if `may_block`.
  [[nodiscard]] Result<> send(const MessageView& message, const CallOptions& call, bool may_block,
                              SendCallback callback);
  [[nodiscard]] Future<SendReceipt> send(const MessageView& message, const CallOptions& call,
                                         bool may_block);
  /// Takes the message and waits for its outcome.
  [[nodiscard]] Result<SendReceipt> send_and_wait(const MessageView& message,
                                                  const CallOptions& call);
  [[nodiscard]] Result<> flush(const CallOptions& call);
  [[nodiscard]] Future<> async_flush(const CallOptions& call);
  void close();

  [[nodiscard]] std::size_t buffered_messages() const;
  [[nodiscard]] std::size_t buffered_bytes() const;
  [[nodiscard]] std::uint32_t partitions() const;

  // ---- I/O thread

  [[nodiscard]] const std::string& subject() const override { return destination_.name; }
  void on_session_up() override;
  void on_session_lost() override;
  void on_turn(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> next_deadline() override;
  [[nodiscard]] bool is_settled() override;
  [[nodiscard]] bool is_finished() override;
  void on_closing() override;
  void on_closed(const Error& why) override;
  void on_sent(std::uint32_t partition, std::uint64_t ordinal, const proto::SentEntry& entry,
               TimePoint now) override;

 private:
  // BatchSource
  std::size_t waiting_bytes(std::uint32_t partition) override;
  std::optional<WaitingBatch> take(std::uint32_t partition, TimePoint now) override;
  void release(const Released& room) override;
  void on_destination(const std::optional<proto::Error>& refusal,
                      std::uint32_t partitions) override;
  // SendPort
  bool has_room(std::size_t batch_bytes) override;
  void send(OutgoingBatch batch) override;
  void attach() override;
  void init_producer(std::uint64_t previous_id, std::uint32_t previous_epoch) override;

  [[nodiscard]] Result<> take(const MessageView& message, TimePoint deadline, bool may_block,
                              SendCallback callback);
  [[nodiscard]] TimePoint deadline_of(const CallOptions& call) const;
  void on_stop(SendStop& stop);
  void drop_stopped();

  // With the lock held.
  [[nodiscard]] Result<> wait_for_room(std::unique_lock<std::mutex>& lock, std::size_t bytes,
                                       TimePoint deadline, bool may_block,
                                       const SendCallback& callback);
  [[nodiscard]] Result<> may_take(const SendCallback& callback) const;
  [[nodiscard]] Result<std::uint32_t> choose_partition(const MessageView& message) const;
  /// Gives the flushes that are over.
  using Flushes = std::vector<std::shared_ptr<Awaited<>>>;
  [[nodiscard]] Flushes release_locked(const Released& room);

  void expire_waiting(TimePoint now);
  void answer(Batcher::Dropped& dropped, const Error& why);

  const std::shared_ptr<Engine> engine_;
  const Destination destination_;
  const std::size_t max_bytes_;
  const std::size_t max_messages_;
  const std::chrono::milliseconds send_timeout_;
  const std::shared_ptr<Awaited<>> ready_;
  ProducerMachine machine_;  // I/O thread only

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t waiters_ = 0;  // threads that wait on changed_, for room
  std::vector<Batcher> batchers_;
  StickyPartition sticky_;
  std::vector<std::uint32_t> filled_;  // partitions that were empty when they last got a message
  Batcher::Limits limits_;
  std::size_t buffered_messages_ = 0;
  std::size_t buffered_bytes_ = 0;
  std::uint64_t round_ = 1;  // messages up to one flush() belong to one round
  std::map<std::uint64_t, std::size_t> open_messages_;           // by round
  std::map<std::uint64_t, std::shared_ptr<Awaited<>>> flushes_;  // by the last round of each
  TimePoint expire_at_ = TimePoint::max();  // no waiting message expires earlier
  bool is_notified_ = false;
  bool has_stopped_ = false;  // a send was asked to stop
  bool is_closing_ = false;
  std::optional<Error> refusal_;
};

}  // namespace weir::sdk
