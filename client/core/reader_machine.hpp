#pragma once

#include "client/core/record_assembler.hpp"
#include "proto/frame/frames.hpp"
#include "proto/result.hpp"
#include "weir/admin.hpp"
#include "weir/options.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sdk {

/// One record on its way to the application; views point into `bytes`.
struct ReadRecord {
  std::shared_ptr<const std::string> bytes;
  std::uint32_t partition = 0;
  proto::Offset offset = -1;
  proto::TimeMs timestamp = 0;
  proto::RecordView record;
};

/// Reading of one topic: what was asked for, what arrived and waits, what the application got, and
/// the credit that follows from it. One owner, or guarded by one lock.
class ReaderMachine {
 public:
  explicit ReaderMachine(const ReaderOptions& options);

  /// Where to (go on to) read: on the first session as the options say, later at the first record
  /// that the application has not got. Only partitions that are not finished.
  struct Request {
    std::vector<PartitionStart> partitions;  // empty: all, from `from`
    StartPosition from = StartPosition::start();
    std::uint32_t window_messages = 0;
    std::uint32_t window_bytes = 0;
  };
  [[nodiscard]] Request request() const;
  void on_subscribed(const std::vector<PartitionPosition>& positions);
  /// So many bytes of records came. MALFORMED when no broker would send them: there was no credit.
  [[nodiscard]] proto::Result<> admit(std::size_t bytes);
  /// MALFORMED, CORRUPT_BATCH: the reading is at an end.
  [[nodiscard]] proto::Result<> on_records(const proto::Records& frame);
  /// The broker has ended the subscription: the application hears why once it has got everything
  /// that came before.
  void on_subscription_ended(proto::Error why) { end_ = std::move(why); }
  /// What the application has not got is read again.
  void on_session_lost();

  /// The next record for the application; nullopt when none waits. Errors: of what arrived, and
  /// what the broker has ended the subscription for.
  [[nodiscard]] proto::Result<std::optional<ReadRecord>> next();
  /// What the broker is to be told about credit, as soon as it makes a difference. The alias is the
  /// caller's to fill in.
  [[nodiscard]] std::optional<proto::Credit> take_credit();
  [[nodiscard]] bool credit_is_due() const;

  /// True when the application has got everything in front of the stop positions.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] std::vector<PartitionPosition> positions() const;
  /// The next record, or the end, may be there.
  [[nodiscard]] bool has_waiting() const { return !waiting_.empty() || end_.has_value(); }

 private:
  struct Partition {
    explicit Partition(std::size_t max_batch_bytes) : assembler(max_batch_bytes) {}
    PartitionPosition position;  // offset: the next one for the application
    std::optional<proto::Offset> stop;
    RecordAssembler assembler;
    std::size_t waiting = 0;           // batches
    proto::Offset behind_waiting = 0;  // follows the last batch that arrived

    [[nodiscard]] bool finished() const { return stop && position.offset >= *stop; }
  };
  struct WaitingBatch {
    std::uint32_t partition = 0;
    proto::BatchHeader header;
    std::shared_ptr<const std::string> bytes;  // keeps `unread` alive
    std::string_view unread;
    std::int32_t records_left = 0;
    std::uint64_t wire_bytes = 0;
  };

  void arrive(Partition& partition, std::uint32_t number, RecordAssembler::WholeBatch batch);
  [[nodiscard]] proto::Result<> open(WaitingBatch& batch) const;
  void finish_batch(const WaitingBatch& batch);
  void consume(const proto::BatchHeader& header, std::uint64_t wire_bytes);

  ReaderOptions options_;
  bool has_begun_ = false;
  std::map<std::uint32_t, Partition> partitions_;
  std::deque<WaitingBatch> waiting_;
  bool front_is_open_ = false;
  std::optional<proto::Error> end_;  // comes behind what waits

  // Totals of this subscription, and what the broker knows of them.
  std::uint64_t consumed_messages_ = 0;
  std::uint64_t consumed_bytes_ = 0;
  std::uint64_t told_messages_ = 0;
  std::uint64_t told_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;  // whole batches or not
};

}  // namespace weir::sdk
