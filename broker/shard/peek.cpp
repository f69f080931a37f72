#include "broker/shard/peek.hpp"

#include "broker/core/row_codec.hpp"
#include "broker/shard/batch_loader.hpp"
#include "storage/key_codec.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::shard {
namespace {

using core::MessageState;
using storage::Family;
using storage::KeyKind;

constexpr std::size_t kMaxPeekBytes = std::size_t{1} << 20;
/// Rows and batches that one look passes by.
constexpr int kMaxLookedAt = 4'096;

proto::Error unreadable(proto::Offset offset, const proto::Error& why) {
  return proto::fail(proto::Errc::kCorruptBatch, "the batch at offset " + std::to_string(offset) +
                                                     " cannot be read: " + why.message);
}

/// Goes through the lanes, in each through the batches of which something was handed out, then
/// through those behind the cursor. In this order offsets ascend.
class Look {
 public:
  Look(const storage::Reader& reader, const PeekWish& wish)
      : reader_(reader), wish_(wish), position_(std::max<proto::Offset>(wish.from_offset, 0)) {}

  proto::Result<core::Peeked> run() {
    proto::Result<bool> done = true;
    for (const proto::QueueId lane : wish_.lanes) {
      if (proto::lane_tag(lane) >= proto::lane_tag(position_) && done && *done) {
        done = look_at(lane);
      }
    }
    if (!done) {
      return done.error();
    }
    peeked_.next_offset = position_;
    peeked_.is_end = *done;
    return std::move(peeked_);
  }

 private:
  struct Found {
    std::uint32_t index = 0;
    MessageState state = MessageState::kReady;
    std::uint16_t attempts = 0;
    std::uint16_t failures = 0;
    proto::TimeMs due_time = 0;
  };

  [[nodiscard]] bool is_full() const {
    return peeked_.messages.size() >= wish_.max_messages || bytes_ >= kMaxPeekBytes;
  }
  [[nodiscard]] bool wants(MessageState state) const {
    return wish_.state == MessageState::kAny || wish_.state == state;
  }
  [[nodiscard]] std::string prefix(KeyKind kind) const {
    return storage::generation_prefix(kind, lane_.value, counters_.generation);
  }
  [[nodiscard]] storage::Key key(KeyKind kind, proto::Offset last_offset) const {
    return storage::batch_key(kind, lane_.value, counters_.generation, last_offset);
  }

  /// True when all of the lane was looked at.
  proto::Result<bool> look_at(proto::QueueId lane) {
    lane_ = lane;
    position_ = std::max(position_, proto::first_offset(proto::lane_tag(lane)));
    const auto row =
        reader_.get(Family::kState, storage::object_key(KeyKind::kQueueState, lane.value));
    if (!row) {
      return row.error();
    }
    if (!*row) {
      return true;  // nothing has come to it yet
    }
    const auto counters = core::rows::decode_counters(**row);
    if (!counters) {
      return counters.error();
    }
    counters_ = *counters;
    const auto done = look_at_touched();
    return done && *done ? look_at_fresh() : done;
  }

  /// What the run says of its messages.
  [[nodiscard]] Found found(const core::Run& run) const {
    Found told{0, MessageState::kReady, run.attempts, run.failures, 0};
    switch (run.state) {
      case core::RunState::kLeased:
        told.state = MessageState::kInFlight;
        told.due_time = run.when;
        break;
      case core::RunState::kReturned:
        if (run.when > wish_.now) {
          told.state = MessageState::kDelayed;
          told.due_time = run.when;
        }
        break;
      case core::RunState::kDying:
        told.state = MessageState::kDying;
        break;
      case core::RunState::kParked:
        told.state = MessageState::kParked;
        break;
    }
    return told;
  }

  /// Those messages of the batch that are wanted, from `position_` on.
  [[nodiscard]] std::vector<Found> wanted_of(const core::TouchedBatch& batch) const {
    std::vector<Found> wanted;
    const proto::Offset first = std::max(position_ - batch.base_offset(), proto::Offset{0});
    for (auto index = static_cast<std::uint32_t>(first); index < batch.size(); ++index) {
      if (batch.acked(index)) {
        continue;
      }
      // What is in no run was never handed out.
      const core::Run* run = batch.run_at(index);
      Found message = run != nullptr ? found(*run) : Found{};
      message.index = index;
      if (wants(message.state)) {
        wanted.push_back(message);
      }
    }
    return wanted;
  }

  void show(const core::CachedBatch& batch, const Found& found) {
    core::PeekedMessage message;
    message.base_offset = batch.base_offset;
    message.index = found.index;
    message.state = found.state;
    message.attempts = found.attempts;
    message.failures = found.failures;
    message.due_time = found.due_time;
    message.append_time = batch.append_time;
    message.base_timestamp = batch.base_timestamp;
    const proto::RecordSpan span = batch.records[found.index];
    message.record = batch.batch.slice(span.position, span.bytes);
    bytes_ += span.bytes;
    peeked_.messages.push_back(std::move(message));
    position_ = batch.base_offset + found.index + 1;
  }

  /// True when all of it was looked at.
  proto::Result<bool> look_at_touched() {
    const auto rows = reader_.scan(Family::kState, key(KeyKind::kTouchedBatch, position_),
                                   storage::prefix_end(prefix(KeyKind::kTouchedBatch)), {});
    for (; rows->valid(); rows->next()) {
      if (is_full() || ++looked_at_ > kMaxLookedAt) {
        return false;
      }
      const auto at = storage::parse_batch_key(KeyKind::kTouchedBatch, rows->key());
      const auto row = core::rows::decode_touched(rows->value(), at ? at->last_offset : -1);
      if (!row) {
        return row.error();
      }
      if (const auto shown = show_touched(row->batch); !shown || !*shown) {
        return shown;
      }
      position_ = row->batch.last_offset() + 1;
    }
    if (const auto read = rows->status(); !read) {
      return read.error();
    }
    return true;
  }

  /// False when it was full before the end of the batch.
  proto::Result<bool> show_touched(const core::TouchedBatch& touched) {
    const std::vector<Found> wanted = wanted_of(touched);
    if (wanted.empty()) {
      return true;
    }
    const storage::Key row_key = key(KeyKind::kBatch, touched.last_offset());
    const auto row = reader_.get(Family::kLog, row_key);
    if (!row) {
      return row.error();
    }
    const auto batch = *row ? read_batch_row(row_key, **row)
                            : proto::fail(proto::Errc::kCorruptBatch, "it is missing");
    if (!batch || batch->records.size() != touched.size()) {
      return unreadable(
          touched.base_offset(),
          batch ? proto::fail(proto::Errc::kCorruptBatch, "it is another one") : batch.error());
    }
    for (const Found& message : wanted) {
      if (is_full()) {
        return false;
      }
      show(*batch, message);
    }
    return true;
  }

  /// What was never handed out. True when all of it was looked at.
  proto::Result<bool> look_at_fresh() {
    if (!wants(MessageState::kReady)) {
      position_ = std::max(position_, counters_.next_offset);
      return true;
    }
    position_ = std::max(position_, counters_.cursor);
    const auto rows = reader_.scan(Family::kLog, key(KeyKind::kBatch, position_),
                                   storage::prefix_end(prefix(KeyKind::kBatch)), {});
    for (; rows->valid(); rows->next()) {
      if (is_full()) {
        return false;
      }
      const auto batch = read_batch_row(rows->key(), rows->value());
      if (!batch) {
        return unreadable(position_, batch.error());
      }
      while (position_ <= batch->last_offset) {
        if (is_full()) {
          return false;
        }
        const proto::Offset index = position_ - batch->base_offset;
        show(*batch, Found{static_cast<std::uint32_t>(std::max<proto::Offset>(index, 0))});
      }
    }
    if (const auto read = rows->status(); !read) {
      return read.error();
    }
    return true;
  }

  const storage::Reader& reader_;
  const PeekWish& wish_;
  proto::QueueId lane_;  // that is looked at
  core::Queue::Counters counters_;
  proto::Offset position_;  // everything in front of it was looked at
  core::Peeked peeked_;
  std::size_t bytes_ = 0;
  int looked_at_ = 0;
};

}  // namespace

proto::Result<core::Peeked> peek(const storage::Reader& reader, const PeekWish& wish) {
  return Look(reader, wish).run();
}

}  // namespace weir::shard
