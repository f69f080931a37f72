#pragma once

#include "client/core/backoff.hpp"
#include "client/core/random.hpp"
#include "client/core/reader_machine.hpp"
#include "client/session/askers.hpp"
#include "client/session/awaited.hpp"
#include "client/session/engine.hpp"
#include "client/session/participant.hpp"
#include "weir/topic_reader.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {

/// One reading of a topic: keeps its subscription standing, and brings records to a handler or to
/// next().
class ReaderFront : public Participant, public std::enable_shared_from_this<ReaderFront> {
 public:
  /// Without a handler records wait for next().
  ReaderFront(std::shared_ptr<Engine> engine, std::string topic, const ReaderOptions& options,
              RecordHandler handler);

  // ---- any thread

  /// Told when the reading began or was refused.
  [[nodiscard]] Awaited<>& ready() { return *ready_; }
  [[nodiscard]] Result<std::optional<Record>> next(const CallOptions& call);
  [[nodiscard]] Future<std::optional<Record>> async_next(const CallOptions& call);
  /// next() without waiting: nullopt when nothing has come.
  [[nodiscard]] Result<std::optional<Record>> take();
  [[nodiscard]] bool finished() const;
  [[nodiscard]] Result<bool> wait_finished(const CallOptions& call);
  [[nodiscard]] Future<bool> async_wait_finished(const CallOptions& call);
  [[nodiscard]] std::vector<PartitionPosition> positions() const;
  [[nodiscard]] Result<> status() const;
  /// Waits for a handler that is at work, except on the I/O thread.
  void close();
  [[nodiscard]] Future<> async_close();

  // ---- I/O thread

  [[nodiscard]] const std::string& subject() const override { return topic_; }
  void on_session_up() override;
  void on_session_lost() override;
  void on_turn(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> next_deadline() override;
  [[nodiscard]] bool is_settled() override { return true; }
  [[nodiscard]] bool is_finished() override;
  void on_closing() override;
  void on_closed(const Error& why) override;
  proto::Result<> on_records(const proto::Records& frame) override;
  void on_subscription_ended(const proto::Error& why) override;

 private:
  void subscribe();
  void on_subscribed(const proto::Result<v1::Response>& response);
  void unsubscribe();
  void send_credit();
  void feed_handler(TimePoint now);
  void answer_askers(TimePoint now);
  void on_stop(std::uint64_t asker);
  void fail(Error why);
  /// Any thread.
  void end();
  /// Tells who waits for the end, if it has come. Any thread.
  void tell_end();
  [[nodiscard]] static Record to_record(ReadRecord read);
  /// With the lock held: why nothing more can be read, if that is so.
  [[nodiscard]] Result<> readable() const;
  /// With the lock held: the next record that has come; nullopt when there is none.
  [[nodiscard]] Result<std::optional<Record>> take_waiting();

  const std::shared_ptr<Engine> engine_;
  const std::string topic_;
  const bool is_push_;
  const std::shared_ptr<Awaited<>> ready_;
  const std::shared_ptr<Awaited<bool>> finished_;

  mutable std::mutex mutex_;
  ReaderMachine machine_;  // guarded by mutex_, as what follows
  Askers<std::optional<Record>> askers_;
  bool is_ended_ = false;  // by close()
  std::optional<Error> failure_;

  // I/O thread only.
  RecordHandler handler_;
  Random random_;
  Backoff backoff_;
  std::optional<std::uint32_t> alias_;
  std::optional<TimePoint> subscribe_at_;
};

}  // namespace weir::sdk
