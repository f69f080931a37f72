#pragma once

#include "weir/admin.hpp"
#include "weir/export.hpp"
#include "weir/function.hpp"
#include "weir/future.hpp"
#include "weir/message.hpp"
#include "weir/options.hpp"
#include "weir/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace weir {

namespace sdk {
class ReaderFront;
}  // namespace sdk

/// One record of a topic. Copies share the bytes, which live as long as any copy does.
/// Thread-safety: as a plain value.
class WEIR_API Record {
 public:
  Record() = default;

  [[nodiscard]] std::uint32_t partition() const { return partition_; }
  [[nodiscard]] std::int64_t offset() const { return offset_; }
  /// As the sender gave it. (Places by time go by the broker's time of the append.)
  [[nodiscard]] Timestamp timestamp() const { return timestamp_; }
  [[nodiscard]] const std::optional<std::string_view>& key() const { return key_; }
  /// nullopt: a tombstone.
  [[nodiscard]] const std::optional<std::string_view>& value() const { return value_; }
  [[nodiscard]] std::span<const HeaderView> headers() const { return headers_; }

 private:
  friend class sdk::ReaderFront;

  std::shared_ptr<const void> bytes_;
  std::uint32_t partition_ = 0;
  std::int64_t offset_ = -1;
  Timestamp timestamp_;
  std::optional<std::string_view> key_;
  std::optional<std::string_view> value_;
  std::vector<HeaderView> headers_;
};

/// Called on the client's I/O thread with each record, in order of offsets within a partition; must
/// not block. An exception ends the reading (see TopicReader::status).
using RecordHandler = UniqueFunction<void(const Record&)>;

/// Reads a topic's records from where it is told to, without taking part in a group and without
/// leaving a trace at the broker. It resumes by itself after a lost connection, at the first record
/// that the application has not got.
///
/// Thread-safety: every function may be called from any thread, handlers included; next() by one
/// thread at a time. The object is a handle: copies name the same reader, which ends with close(),
/// with its client, or when the last handle is gone.
class WEIR_API TopicReader {
 public:
  /// The next record; nullopt when the call's time (default: the client's overall timeout) passes
  /// without one, and at once when finished(). Only without a handler (INVALID_ARGUMENT otherwise,
  /// and on the I/O thread). CANCELLED once closed, or when the call is stopped; CORRUPT_BATCH,
  /// OFFSET_OUT_OF_RANGE, TOPIC_NOT_FOUND and the like end the reading.
  [[nodiscard]] Result<std::optional<Record>> next(const CallOptions& call = CallOptions());
  /// The same without waiting, also on the I/O thread. Records go to who asked first.
  [[nodiscard]] Future<std::optional<Record>> async_next(const CallOptions& call = CallOptions());

  /// True when the application has got all records in front of the stop position.
  [[nodiscard]] bool finished() const;
  /// Waits for finished(): false when the call's time (default: the client's overall timeout)
  /// passes first. Errors as next().
  [[nodiscard]] Result<bool> wait_finished(const CallOptions& call = CallOptions());
  /// The same without waiting, also on the I/O thread.
  [[nodiscard]] Future<bool> async_wait_finished(const CallOptions& call = CallOptions());

  /// Per partition read: the next offset that the application gets, high watermark and log start as
  /// last heard.
  [[nodiscard]] std::vector<PartitionPosition> positions() const;
  /// Success while reading goes on, is being restored or has finished; else what ended it.
  [[nodiscard]] Result<> status() const;

  /// Ends the reading: no handler is called after it returns (from within a handler: after that
  /// handler). Idempotent.
  void close();
  /// The same without waiting: told once no handler is called any more. Always succeeds.
  [[nodiscard]] Future<> async_close();

  /// For the library: readers come from Client.
  explicit TopicReader(std::shared_ptr<sdk::ReaderFront> front);

 private:
  std::shared_ptr<sdk::ReaderFront> front_;
};

}  // namespace weir
