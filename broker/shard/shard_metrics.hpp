#pragma once

#include "proto/error.hpp"
#include "proto/ids.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace weir::shard {

/// What happened to the messages of one queue, or of all of them, since the shard was started.
struct QueueCounters {
  std::uint64_t sent_messages = 0;
  std::uint64_t delivered_messages = 0;
  std::uint64_t redelivered_messages = 0;
  std::uint64_t acked_messages = 0;
  std::uint64_t nacked_messages = 0;
  std::uint64_t expired_leases = 0;
  std::uint64_t dead_lettered_messages = 0;
  std::uint64_t expired_messages = 0;  // and gone: those that were dead-lettered count as that
  std::uint64_t redriven_messages = 0;
  std::uint64_t purged_messages = 0;  // with those of deleted queues
};

/// Refusals by error code, of those that go over the wire.
class RefusalCounts {
 public:
  void add(proto::Errc code, std::uint64_t count) {
    if (const auto number = static_cast<std::size_t>(code); number < counts_.size()) {
      counts_[number] += count;
    }
  }
  /// Calls `visit` for each code that was counted.
  template <class Visit>
  void visit(Visit visit) const {
    for (std::size_t number = 0; number < counts_.size(); ++number) {
      if (counts_[number] > 0) {
        visit(static_cast<proto::Errc>(number), counts_[number]);
      }
    }
  }

 private:
  std::array<std::uint64_t, 64> counts_{};
};

/// Copies of everything that clients have read, since the shard was started.
struct BackupCounts {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;     // what is stored could not be read
  std::uint64_t abandoned = 0;  // the client went, began another or did not read on
  // Of the last one that was done.
  proto::TimeMs last_time = 0;  // its end; 0: none yet
  std::int64_t last_took_ms = 0;
  std::uint64_t last_bytes = 0;
};

/// Running totals and gauges of one shard, for the metrics page. Read on the shard's executor.
struct ShardMetrics : QueueCounters {
  std::uint64_t turns = 0;
  std::uint64_t commits = 0;
  std::uint64_t storage_reads = 0;    // reads of message data that the tail cache did not have
  std::uint64_t corrupt_batches = 0;  // places where that data could not be read
  std::uint64_t duplicate_batches = 0;
  std::uint64_t appended_records = 0;  // topics
  std::uint64_t appended_bytes = 0;
  std::uint64_t fetched_records = 0;
  std::uint64_t fetched_bytes = 0;
  std::uint64_t queues = 0;
  std::uint64_t topics = 0;
  std::uint64_t producers = 0;
  std::uint64_t sessions = 0;
  std::uint64_t tail_cache_bytes = 0;
  std::uint64_t backlog_bytes = 0;
  std::uint64_t idle_bytes = 0;
  std::uint64_t paged_out_batches = 0;
  std::uint64_t paged_in_batches = 0;
  std::uint64_t waited_inputs = 0;  // for what had been paged out
  BackupCounts backups;
  RefusalCounts refused_messages;  // of sends
  RefusalCounts refused_settlements;
  RefusalCounts refused_requests;
};

/// Counts for each queue and in all.
class QueueCounts {
 public:
  void add(proto::QueueId queue, std::uint64_t QueueCounters::* counter, std::uint64_t count,
           QueueCounters& total) {
    of_[queue].*counter += count;
    total.*counter += count;
  }
  /// It is gone; the totals stay.
  void forget(proto::QueueId queue) { of_.erase(queue); }
  [[nodiscard]] QueueCounters of(proto::QueueId queue) const {
    const auto found = of_.find(queue);
    return found == of_.end() ? QueueCounters() : found->second;
  }

 private:
  std::unordered_map<proto::QueueId, QueueCounters> of_;
};

}  // namespace weir::shard
