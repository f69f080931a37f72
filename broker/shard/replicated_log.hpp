#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// The seam between a shard and whatever makes its decisions durable. Today that is one disk
// (LocalLog); a consensus engine that replicates the same units is the next implementation.
namespace weir::shard {

/// What one turn of the shard decided: the records that a replica would apply, and the rows that
/// they change. The unit takes effect as a whole.
struct CommitUnit {
  /// Position in the stream: 1, 2, 3 … without gaps over the whole life of the shard.
  proto::CommitIndex index;
  /// Broker time when the turn was decided; recovery continues from the largest one.
  proto::TimeMs time = 0;
  /// Encoded (core::records), in the order in which they were applied: whoever applies them to the
  /// same state gets the same rows. Empty when the log does not want them (see wants_records()).
  std::vector<std::string> records;
  storage::WriteBatch rows;
};

/// What the log tells its shard. Called on the shard's executor.
class CommitListener {
 public:
  virtual ~CommitListener() = default;
  /// Everything up to and including `index` is durable.
  virtual void on_committed(proto::CommitIndex index) = 0;
  /// The log cannot go on; what was submitted and not committed has an unknown outcome.
  virtual void on_log_failed(const proto::Error& error) = 0;
  /// Leadership was gained or lost in `epoch`. A local log gains it once, at start.
  virtual void on_leadership(bool leader, std::uint32_t epoch) = 0;
};

class ReplicatedLog {
 public:
  virtual ~ReplicatedLog() = default;
  /// Takes the next unit; units come in the order of their index. Never blocks: the caller bounds
  /// what is outstanding by looking at backlog_bytes().
  virtual void submit(CommitUnit unit) = 0;
  /// Bytes submitted and not yet committed.
  [[nodiscard]] virtual std::size_t backlog_bytes() const = 0;
  /// True when records must be encoded into the units: replication and the simulator read them, a
  /// local disk does not.
  [[nodiscard]] virtual bool wants_records() const = 0;
};

}  // namespace weir::shard
