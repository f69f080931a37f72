#pragma once

#include "broker/core/command.hpp"
#include "broker/core/reply.hpp"
#include "broker/shard/replicated_log.hpp"
#include "broker/shard/session_port.hpp"
#include "broker/shard/shard_metrics.hpp"
#include "proto/frame/frames.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weir::shard {

/// Loads rows off the shard. `work` runs elsewhere with a fresh snapshot of the store, then what it
/// returns runs on the shard's executor.
class Loader {
 public:
  using Continuation = std::function<void()>;
  using Work = std::function<Continuation(const storage::Reader&)>;
  virtual ~Loader() = default;
  virtual void load(Work work) = 0;
};

/// What has become of a backup that a client reads.
struct BackupEvent {
  enum class What : std::uint8_t { kBegun, kDone, kFailed, kAbandoned };
  What what = What::kBegun;
  proto::SessionId session;
  // So far.
  std::uint64_t bytes = 0;
  std::int64_t took_ms = 0;
  std::string why;  // it failed or was abandoned
};

/// What a shard needs of its surroundings. All of it outlives the shard.
struct Ports {
  /// Runs the function later on the shard's own executor; never inline.
  std::function<void(std::function<void()>)> post;
  /// Wakes the shard by Shard::on_timer() at this broker time or soon after; a new call replaces
  /// the earlier one.
  std::function<void(proto::TimeMs)> arm_timer;
  /// Broker time now, in ms; never goes back.
  std::function<proto::TimeMs()> now;
  /// 64 random bits.
  std::function<std::uint64_t()> random;
  /// Told once when the shard can not go on: the log or the disk failed.
  std::function<void(const proto::Error&)> on_failed;
  /// Told once for each place of stored message data that cannot be read, which fails who reads it
  /// and nothing else. May be empty.
  std::function<void(const proto::Error&)> on_damage = {};
  /// Told how long messages waited for being handed out for the first time. May be empty.
  std::function<void(std::int64_t waited_ms, std::uint32_t messages)> on_first_hand_out = {};
  /// Told how long after their append messages were acknowledged. May be empty.
  std::function<void(std::int64_t took_ms, std::uint32_t messages)> on_done = {};
  /// About how many bytes are stored; any number will do for who waits for a copy of them. May be
  /// empty.
  std::function<std::uint64_t()> stored_bytes = {};
  /// Told of the beginning and the end of each backup. May be empty.
  std::function<void(const BackupEvent&)> on_backup = {};
  storage::KeyValueStore* store = nullptr;
  Loader* loader = nullptr;
};

struct ShardOptions {
  std::uint32_t shard_id = 0;
  std::size_t tail_cache_bytes = std::size_t{32} << 20;
  /// Bytes submitted to the log and not committed beyond which no new sends are taken in a turn.
  std::size_t max_backlog_bytes = std::size_t{32} << 20;
  std::uint32_t max_producers = 100'000;
  /// Memory for what is known of messages that wait for their next delivery, or are parked; the
  /// rest of it lies in the store alone.
  std::size_t idle_batch_bytes = std::size_t{16} << 20;
  /// Ranges of settlements that are judged in one turn; a larger settlement goes on in the next, so
  /// that nobody waits for it. Each gets a little of every turn.
  std::size_t settles_per_turn = 4'096;
  /// Commits were given up (RecoveredLog::accepted_loss): the first start begins a new incarnation,
  /// so that old handles and ids never fit offsets that are given again.
  bool raise_incarnation = false;
};

/// The runtime of one shard: takes commands, decides and applies them in turns, hands each turn to
/// the log as one unit and lets its answers out when that unit is committed. Every member is called
/// on the shard's executor. Nothing here blocks.
class Shard final : public CommitListener {
 public:
  /// Beyond so many refused pieces of one settlement a range is refused by one that spans all of
  /// its own: the answer stays in proportion to the question, and within a frame.
  static constexpr std::size_t kMaxSeparateFailures = 100'000;

  Shard(ShardOptions options, Ports ports);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Reads the state from the store and takes up work on `log`. Called once before anything else;
  /// and again by reset(). STORAGE_FAILED or CORRUPT_BATCH when a row cannot be read.
  proto::Result<> start(ReplicatedLog& log);
  /// Drops all memory and rebuilds it from the store, as after a restart or a lost leadership: what
  /// was not committed is forgotten, its replies never leave, sessions are detached and must be
  /// opened again.
  proto::Result<> reset();

  /// `port` must stay valid until close_session().
  proto::SessionId open_session(SessionPort& port, core::ClientFacts facts = {});
  /// What the session held and had not begun goes back uncounted; what it had begun keeps its
  /// lease.
  void close_session(proto::SessionId session);

  /// Inputs are stamped with broker time here. `deadline_ms` is the remaining patience, 0: none.
  void send(proto::SessionId session, core::SendBatch batch, std::uint32_t deadline_ms);
  void settle(proto::SessionId session, proto::QueueId queue, proto::Settle settle);
  void set_credit(proto::SessionId session, const proto::Credit& credit);
  void request(proto::SessionId session, std::uint64_t request_id, core::Request request,
               std::uint32_t deadline_ms);
  void bulk_drained(proto::SessionId session);
  void on_timer();

  /// While set, sends are refused with this error; acks, reads and everything else go on.
  void refuse_sends(std::optional<proto::Error> why);
  /// Runs `done` on the executor when everything decided so far is durable and answered.
  void when_idle(std::function<void()> done);

  [[nodiscard]] ShardMetrics metrics() const;
  /// Zeros for a queue to which nothing has happened yet.
  [[nodiscard]] QueueCounters queue_counters(proto::QueueId queue) const;
  /// Facts for each queue and topic, for the metrics page; not stamped, may run ahead of the disk.
  void visit_queues(const std::function<void(const std::string& name_space,
                                             const core::QueueInfo&)>& visit) const;
  void visit_topics(const std::function<void(const std::string& name_space,
                                             const core::TopicInfo&)>& visit) const;
  [[nodiscard]] std::uint32_t incarnation() const;
  [[nodiscard]] std::uint32_t epoch() const;

  void on_committed(proto::CommitIndex index) override;
  void on_log_failed(const proto::Error& error) override;
  void on_leadership(bool leader, std::uint32_t epoch) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::shard
