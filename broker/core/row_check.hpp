#pragma once

#include "broker/core/partition.hpp"
#include "broker/core/queue/queue.hpp"
#include "broker/core/record.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/key_codec.hpp"
#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::core {

/// Looks at every row of a shard, one after the other in the order of a scan (kState, then kLog),
/// wherever they come from: a store, or a backup. Checks that each can be read and is of a kind
/// that this version knows, the checksums of each batch and of its records, and what rows say of
/// each other: that every definition, state and producer has what it belongs to, that no message
/// between the bounds of a log is missing, that what is put off and its index agree, and that the
/// numbers of a queue or partition are those of its batches. Memory follows the queues, partitions,
/// producers and touched batches (40 bytes each).
class RowCheck {
 public:
  struct Counts {
    std::uint64_t namespaces = 0;
    std::uint64_t queues = 0;
    std::uint64_t topics = 0;
    std::uint64_t partitions = 0;
    std::uint64_t producers = 0;
    std::uint64_t batches = 0;
    std::uint64_t records = 0;
  };

  /// CORRUPT_BATCH, or UNSUPPORTED for a row of a newer version, with a message that names the row.
  /// Rows after an error are not to be given.
  [[nodiscard]] proto::Result<> add(storage::Family family, std::string_view key,
                                    std::string_view value);
  /// Behind the last row.
  [[nodiscard]] proto::Result<> finish();
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::uint32_t incarnation() const { return incarnation_; }

 private:
  struct Touched {
    storage::BatchKey key;
    proto::Offset base_offset = 0;
    std::uint64_t bytes = 0;
  };
  /// What the rows say of a queue or partition, and what was found of it.
  struct Log {
    bool is_queue = false;
    std::string name;
    std::uint32_t generation = 0;
    proto::Offset start = 0;  // the first offset that must be there
    proto::Offset next_offset = 0;
    std::uint64_t bytes = 0;
    RunCounts runs = {};
    Queue::DelayLane lane = {};
    std::vector<proto::TimeMs> deduplication_parts = {};
    bool has_state = false;  // which says all that

    RunCounts found_runs = {};
    std::uint64_t found_bytes = 0;
    Queue::DelayLane found_lane = {};
    /// What the delay lane's index says less what its rows say, each mixed: 0 where they agree.
    std::uint64_t index_difference = 0;
    proto::Offset reached = 0;  // nothing is missing in [start, reached)
    proto::Offset last_offset = -1;
  };

  struct Batch {
    proto::Offset base_offset = 0;
    proto::Offset previous = -1;  // last offset of the one before, as it says
    std::uint32_t records = 0;
  };

  proto::Result<> add_state(std::string_view key, std::string_view value);
  proto::Result<> add_meta(std::string_view key, std::string_view value);
  proto::Result<> add_definition(storage::KeyKind kind, std::string_view key,
                                 std::string_view value);
  proto::Result<> add_queue_state(std::string_view key, std::string_view value);
  proto::Result<> add_touched(std::string_view key, std::string_view value);
  proto::Result<> add_timed(storage::KeyKind kind, std::string_view key);
  proto::Result<> add_attempt(std::string_view key, std::string_view value);
  proto::Result<> add_redrive(std::string_view key, std::string_view value);
  proto::Result<> add_delay_index(std::string_view key, std::string_view value);
  proto::Result<> add_deduplication(std::string_view key, std::string_view value);
  proto::Result<> add_delayed(std::string_view key, std::string_view value);
  proto::Result<> add_partition(std::string_view key, std::string_view value);
  proto::Result<> add_producer(storage::KeyKind kind, std::string_view key, std::string_view value);
  proto::Result<> add_message_data(std::string_view key, std::string_view value);
  proto::Result<Batch> read_batch(const Log& log, proto::Offset last_offset,
                                  std::string_view value);
  proto::Result<> add_batch(std::string_view key, std::string_view value);
  proto::Result<> match_touched(const storage::BatchKey& key, proto::Offset base_offset,
                                std::uint64_t bytes, const Log& log);
  proto::Result<> go_on(Log& log, proto::Offset base, proto::Offset last, proto::Offset previous);
  [[nodiscard]] bool has_touched(const storage::TimedBatchKey& key) const;
  [[nodiscard]] bool is_touched(const storage::AttemptKey& key, std::uint32_t messages) const;
  [[nodiscard]] Log* find_log(std::uint64_t id);
  [[nodiscard]] Log* find_lane(std::uint64_t id);

  std::map<std::uint64_t, Log> logs_;  // by id of the queue or partition
  std::set<std::uint64_t> namespaces_;
  std::set<std::uint64_t> producers_;
  std::vector<Touched> touched_;  // in the order of keys
  std::size_t next_touched_ = 0;  // whose batch was not seen yet
  std::uint32_t incarnation_ = 1;
  Counts counts_;
};

}  // namespace weir::core
