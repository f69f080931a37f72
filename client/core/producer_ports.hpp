#pragma once

#include "client/core/batcher.hpp"
#include "client/core/time.hpp"
#include "proto/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What a ProducerMachine needs of its surroundings.
namespace weir::sdk {

/// Where batches come from: the side that the application's threads fill.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// At most what take() would give for this partition, in bytes; 0 when nothing waits.
  virtual std::size_t waiting_bytes(std::uint32_t partition) = 0;
  /// The oldest batch of the partition, with at least one message that somebody waits for.
  virtual std::optional<WaitingBatch> take(std::uint32_t partition, TimePoint now) = 0;
  /// Gives back room in the buffer: messages that were answered, bytes that are not held any more.
  virtual void release(const Released& room) = 0;
  /// The destination was (or was again) accepted, or why it is refused: as long as it is, nothing
  /// is taken. Called on each change.
  virtual void on_destination(const std::optional<proto::Error>& refusal,
                              std::uint32_t partitions) = 0;
};

/// One batch on its way out.
struct OutgoingBatch {
  std::uint32_t alias = 0;
  std::uint32_t partition = 0;
  /// Names the batch in the answer.
  std::uint64_t ordinal = 0;
  std::uint32_t messages = 0;
  std::uint32_t deadline_ms = 0;
  std::shared_ptr<const std::string> batch;
};

/// The session, as a producer sees it.
class SendPort {
 public:
  virtual ~SendPort() = default;
  /// True when a batch of so many bytes may leave within the broker's send credit. Always false
  /// while the session does not stand or drains.
  virtual bool has_room(std::size_t batch_bytes) = 0;
  /// The answer comes by ProducerMachine::on_answer(), if the session lives that long.
  virtual void send(OutgoingBatch batch) = 0;
  /// Answered by on_attached(), on this or a later session.
  virtual void attach() = 0;
  /// Answered by on_producer(); previous_id 0 asks for a fresh producer id.
  virtual void init_producer(std::uint64_t previous_id, std::uint32_t previous_epoch) = 0;
};

}  // namespace weir::sdk
