#pragma once

#include "client/core/time.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"
#include "weir/consumer.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sdk {

class Grant;

/// What is said of a message.
struct SettleWord {
  proto::SettleKind kind = proto::SettleKind::kAck;
  std::uint32_t value = 0;
  std::string reason = {};  // as proto::reason_of() leaves it
};
[[nodiscard]] SettleWord to_word(const Outcome& outcome);
[[nodiscard]] SettleWord to_extension(std::chrono::milliseconds lease);

/// Where settlements go. Any thread.
class SettleSink {
 public:
  virtual ~SettleSink() = default;
  virtual void settle(Grant& grant, std::uint32_t index, SettleWord word,
                      SettleCallback callback) = 0;
  /// As an ack that waits until it is durable; refuses on the I/O thread.
  virtual Result<> ack_and_wait(Grant& grant, std::uint32_t index,
                                std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] virtual const std::string& queue() const = 0;
  /// Milliseconds since 1970.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
  /// A grant that settles here came to be, or is gone.
  virtual void on_grant_made() = 0;
  virtual void on_grant_gone() noexcept = 0;
};

/// The session and queue that a grant came from: parts of message ids and receipt handles.
struct GrantOrigin {
  std::uint32_t incarnation = 0;
  std::uint32_t epoch = 0;
  std::uint32_t shard = 0;
  std::uint64_t queue = 0;
  std::uint32_t generation = 0;
};

/// The highest offset of a batch that leaves room for those of its messages.
inline constexpr proto::Offset kBaseOffsetMax =
    std::numeric_limits<proto::Offset>::max() - 2 * proto::Offset{proto::kMaxBatchRecords};

/// Whether a delivery says what one can: messages, no more than a batch holds, at offsets that are
/// some. Nothing else of it may be used.
[[nodiscard]] bool is_sound(const proto::Deliver& frame);

/// One lease over messages of one batch that are next to each other but for what was done before,
/// with their bytes. Shared by the deliveries made from it.
///
/// A message has an index, its place in the batch, and a position, which counts the grant's own
/// from 0. Where nothing was done between them the one follows from the other.
///
/// What does not change may be read by any thread. Who reads messages with next() is alone with the
/// grant's unread part; the rest is guarded by the sink's lock.
class Grant : public std::enable_shared_from_this<Grant> {
 public:
  /// `frame` is sound; its records are copied.
  Grant(const proto::Deliver& frame, const GrantOrigin& origin, std::shared_ptr<SettleSink> sink);
  ~Grant();
  Grant(const Grant&) = delete;
  Grant& operator=(const Grant&) = delete;

  /// Reads which messages these are, where that has to be read. Before anything else is asked of
  /// them. MALFORMED: the bytes are not what they should be.
  [[nodiscard]] proto::Result<> read_indexes();

  [[nodiscard]] std::uint32_t first_index() const { return first_index_; }
  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// Whether its messages are neighbours.
  [[nodiscard]] bool is_dense() const { return span_ == count_; }
  [[nodiscard]] std::uint32_t index_of(std::uint32_t position) const {
    return is_dense() ? first_index_ + position : indexes_[position];
  }
  /// Of its messages.
  [[nodiscard]] std::size_t bytes() const { return records_.size(); }
  [[nodiscard]] std::uint32_t attempts() const { return attempts_; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }
  /// So many of the failures came without a word from the handler.
  [[nodiscard]] std::uint32_t losses() const { return losses_; }
  [[nodiscard]] std::chrono::milliseconds lease() const { return lease_; }
  [[nodiscard]] const GrantOrigin& origin() const { return origin_; }
  [[nodiscard]] SettleSink& sink() const { return *sink_; }
  /// A range of this grant, of so many places from `index` on.
  [[nodiscard]] proto::SettleRange range(proto::SettleKind kind, std::uint32_t index,
                                         std::uint32_t count, std::uint32_t value) const;
  /// That so many messages from `position` on are begun: also of what is done between them, of
  /// which a broker takes that word.
  [[nodiscard]] proto::SettleRange started(std::uint32_t position, std::uint32_t count) const;
  /// Of one message, as the handle.
  [[nodiscard]] proto::Offset offset_of(std::uint32_t index) const { return base_offset_ + index; }
  /// The text of the receipt handle.
  [[nodiscard]] std::string handle_of(std::uint32_t index) const;

  /// The next message, by position; MALFORMED when the bytes are not what they should be, or none
  /// is left.
  [[nodiscard]] proto::Result<Delivery> next();

  // Of a FIFO queue: messages begin in the order of their groups, one of each at a time. There they
  // are dense.

  /// Reads of which group each message is. Before anything else is asked of them; from then on at()
  /// takes the place of next(), and what waits need not be neighbours. MALFORMED as there, or when
  /// they are not dense.
  [[nodiscard]] proto::Result<> read_groups();
  [[nodiscard]] bool has_groups() const { return !places_.empty(); }
  [[nodiscard]] std::uint64_t group_of(std::uint32_t index) const { return place_of(index).group; }
  /// Any thread.
  [[nodiscard]] proto::Result<Delivery> at(std::uint32_t index);
  [[nodiscard]] bool is_waiting(std::uint32_t index) const { return place_of(index).is_waiting; }
  /// Of one message.
  [[nodiscard]] std::size_t bytes_of(std::uint32_t index) const;
  /// Nothing in front of it waits.
  [[nodiscard]] std::uint32_t first_that_may_wait() const { return first_that_may_wait_; }
  void begin_one(std::uint32_t index);

  /// Nothing more is to be done for these messages, as far as they are of this grant.
  void mark_settled(std::uint32_t index, std::uint32_t count);
  /// As mark_settled(), by position; the range lies inside.
  void mark_settled_at(std::uint32_t position, std::uint32_t count);
  [[nodiscard]] bool all_settled() const { return settled_count_ == count_; }
  [[nodiscard]] proto::GrantId id() const { return id_; }
  /// Ranges of `kind` over what is not settled.
  [[nodiscard]] std::vector<proto::SettleRange> unsettled(proto::SettleKind kind,
                                                          std::uint32_t value) const;
  /// Messages whose attempt has not begun; they follow each other, from that position on.
  [[nodiscard]] std::uint32_t waiting() const { return waiting_; }
  [[nodiscard]] std::uint32_t first_waiting() const { return waiting_end_ - waiting_; }
  void begin(std::uint32_t count) { waiting_ -= count; }
  /// Of those that wait the last ones, at most all, are no more to be done here: ranges of `kind`
  /// over them.
  [[nodiscard]] std::vector<proto::SettleRange> drop_last_waiting(std::uint32_t count,
                                                                  proto::SettleKind kind);
  /// When the lease ends, as far as this side knows, and until when it is to be extended.
  TimePoint lease_until{};
  TimePoint hold_until{};
  /// When the half of the lease is over.
  [[nodiscard]] TimePoint extend_at() const { return lease_until - Duration(lease_) / 2; }
  /// The broker was asked, or is to be asked, for more time, and has not answered.
  bool awaits_extension = false;

 private:
  /// Of a message whose group is known.
  struct Place {
    std::uint64_t group = 0;
    std::uint32_t position = 0;  // in records_
    bool is_waiting = true;
  };
  [[nodiscard]] const Place& place_of(std::uint32_t index) const {
    return places_[index - first_index_];
  }
  [[nodiscard]] Delivery to_delivery(std::uint32_t index, const proto::RecordView& record);
  /// Of the first message at or behind that place; count_ where there is none.
  [[nodiscard]] std::uint32_t position_from(std::uint64_t index) const;
  /// Messages that lie next to each other from `position` on, at most up to `end`.
  [[nodiscard]] std::uint32_t end_of_neighbours(std::uint32_t position, std::uint32_t end) const;

  const proto::GrantId id_;
  const std::uint64_t nonce_;
  const proto::Offset base_offset_;
  const proto::TimeMs base_timestamp_;
  const std::uint32_t first_index_;
  const std::uint32_t span_;
  const std::uint32_t count_;
  const std::uint32_t attempts_;
  const std::uint32_t failures_;
  const std::uint32_t losses_;
  const std::chrono::milliseconds lease_;
  const GrantOrigin origin_;
  const std::shared_ptr<SettleSink> sink_;
  const std::string records_;

  std::vector<std::uint32_t> indexes_;  // by position; of a dense grant empty
  std::vector<Place> places_;
  std::uint32_t first_that_may_wait_;
  std::string_view unread_;
  std::uint32_t next_position_ = 0;
  std::uint32_t waiting_;
  std::uint32_t waiting_end_;  // position behind the last that waits
  std::vector<bool> settled_;  // by position
  std::uint32_t settled_count_ = 0;
};

}  // namespace weir::sdk
