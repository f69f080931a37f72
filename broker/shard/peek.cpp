#include "broker/shard/peek.hpp"

#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/row_codec.hpp"
#include "broker/shard/batch_loader.hpp"
#include "broker/shard/loaded_attempts.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/handle.hpp"
#include "proto/planted_bugs.hpp"
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
/// Rows and batches that one look passes by, and the bytes that it reads for that.
constexpr int kMaxLookedAt = 4'096;
constexpr std::size_t kMaxReadBytes = std::size_t{16} << 20;

proto::Error unreadable(proto::Offset offset, const proto::Error& why) {
  return proto::fail(proto::Errc::kCorruptBatch, "the batch at offset " + std::to_string(offset) +
                                                     " cannot be read: " + why.message);
}

/// What is told of a message beside where it lies.
struct Found {
  std::uint32_t index = 0;
  MessageState state = MessageState::kReady;
  std::uint16_t attempts = 0;
  std::uint16_t failures = 0;
  std::uint16_t ended_attempts = 0;
  proto::TimeMs due_time = 0;
  proto::TimeMs leased_time = 0;
  core::Holder holder = nullptr;
};

/// As it is shown. `place` is where it lies.
core::PeekedMessage shown(const core::CachedBatch& batch, const Found& found,
                          const proto::MessagePlace& place) {
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
  message.id = core::id_of(core::record_at(batch, found.index), place);
  message.consumer = found.holder != nullptr ? *found.holder : std::string();
  message.leased_time = found.leased_time;
  return message;
}

/// Goes through the lanes, in each through the batches of which something was handed out, then
/// through those behind the cursor. In this order offsets ascend.
class Look {
 public:
  enum class At : std::uint8_t { kAll, kRebuilt };  // what came from elsewhere alone

  Look(const storage::Reader& reader, const PeekWish& wish, At at = At::kAll)
      : reader_(reader),
        wish_(wish),
        at_(at),
        position_(std::max<proto::Offset>(wish.from_offset, 0)) {}

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
  [[nodiscard]] bool is_full() const {
    return peeked_.messages.size() >= wish_.max_messages || bytes_ >= kMaxPeekBytes ||
           position_ >= wish_.end_offset;
  }
  /// It has looked at enough for once.
  [[nodiscard]] bool is_spent() const {
    return is_full() || looked_at_ >= kMaxLookedAt || read_bytes_ >= kMaxReadBytes;
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
    Found told{
        .attempts = run.attempts, .failures = run.failures, .ended_attempts = run.ended_attempts()};
    switch (run.state) {
      case core::RunState::kLeased:
        told.state = MessageState::kInFlight;
        told.due_time = run.when;
        told.leased_time = run.since;
        told.holder = run.holder;
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
      if (batch.acked(index) && !WEIR_PLANTED(look_shows_what_is_done)) {
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

  /// Shows it if it is one of those that are meant.
  proto::Result<> show(const core::CachedBatch& batch, const Found& found) {
    const proto::Offset offset = batch.base_offset + found.index;
    const proto::MessagePlace place{wish_.incarnation, wish_.lanes.front().value, offset};
    position_ = offset + 1;
    if (!wish_.filter.takes_all() &&
        !core::takes(wish_.filter, core::record_at(batch, found.index), place)) {
      return {};
    }
    core::PeekedMessage message = shown(batch, found, place);
    if (wish_.with_attempts && found.ended_attempts > 0) {
      auto attempts = load_attempts(reader_, {lane_, counters_.generation, offset, offset});
      if (!attempts) {
        return attempts.error();
      }
      message.history = std::move((*attempts)[offset]);
    }
    bytes_ += message.record.size() + message.id.size() + message.consumer.size();
    for (const core::Attempt& attempt : message.history) {
      bytes_ += sizeof(attempt) + attempt.consumer.size() + attempt.reason.size();
    }
    peeked_.messages.push_back(std::move(message));
    return {};
  }

  /// Whether the row is one that is looked at; also one that cannot be read, which is told.
  [[nodiscard]] bool may_hold(std::string_view row) const {
    if (at_ == At::kAll) {
      return true;
    }
    const auto stored = proto::parse_stored_batch(row, false);
    return !stored || stored->header.kind == proto::StoredKind::kRebuilt;
  }

  /// True when all of it was looked at.
  proto::Result<bool> look_at_touched() {
    // A queue that was drained has left nothing in front of its cursor but rows that are deleted,
    // and passing by millions of those takes a while.
    if (counters_.runs == core::RunCounts()) {
      position_ = std::max(position_, std::min(counters_.cursor, wish_.end_offset));
    }
    const auto rows = reader_.scan(Family::kState, key(KeyKind::kTouchedBatch, position_),
                                   storage::prefix_end(prefix(KeyKind::kTouchedBatch)), {});
    for (; rows->valid(); rows->next()) {
      if (is_spent()) {
        return false;
      }
      ++looked_at_;
      const auto at = storage::parse_batch_key(KeyKind::kTouchedBatch, rows->key());
      const auto row = core::rows::decode_touched(rows->value(), at ? at->last_offset : -1);
      if (!row) {
        return row.error();
      }
      if (row->batch.base_offset() >= wish_.end_offset) {
        return false;
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
    read_bytes_ += *row ? (*row)->size() : 0;
    if (*row && !may_hold(**row)) {
      return true;
    }
    const auto batch = *row ? read_batch_row(row_key, **row)
                            : proto::fail(proto::Errc::kCorruptBatch, "it is missing");
    if (!batch || batch->records.size() != touched.size()) {
      return unreadable(
          touched.base_offset(),
          batch ? proto::fail(proto::Errc::kCorruptBatch, "it is another one") : batch.error());
    }
    for (const Found& message : wanted) {
      if (is_full() || touched.base_offset() + message.index >= wish_.end_offset) {
        return false;
      }
      if (const auto done = show(*batch, message); !done) {
        return done.error();
      }
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
      if (is_spent()) {
        return false;
      }
      ++looked_at_;
      const std::string_view value = rows->value();
      read_bytes_ += value.size();
      if (!may_hold(value)) {
        const auto at = storage::parse_batch_key(KeyKind::kBatch, rows->key());
        position_ = at ? at->last_offset + 1 : position_;
        continue;
      }
      const auto batch = read_batch_row(rows->key(), value);
      if (!batch) {
        return unreadable(position_, batch.error());
      }
      position_ = std::max(position_, batch->base_offset);
      while (position_ <= batch->last_offset) {
        if (is_full()) {
          return false;
        }
        const auto index = static_cast<std::uint32_t>(position_ - batch->base_offset);
        if (const auto done = show(*batch, Found{.index = index}); !done) {
          return done.error();
        }
      }
    }
    if (const auto read = rows->status(); !read) {
      return read.error();
    }
    return true;
  }

  const storage::Reader& reader_;
  const PeekWish& wish_;
  At at_;
  proto::QueueId lane_;  // that is looked at
  core::Queue::Counters counters_;
  proto::Offset position_;  // everything in front of it was looked at
  core::Peeked peeked_;
  std::size_t bytes_ = 0;
  int looked_at_ = 0;
  std::size_t read_bytes_ = 0;
};

/// The message that is put off at that offset, if it is one that is wanted.
proto::Result<core::Peeked> find_put_off(const storage::Reader& reader, const PeekWish& wish,
                                         proto::Offset offset) {
  core::Peeked peeked;
  const auto row = find_delayed(reader, wish.delays, offset);
  if (!row) {
    return row.error();
  }
  const bool is_wanted = wish.state == MessageState::kAny || wish.state == MessageState::kDelayed;
  if (!*row || !is_wanted) {
    return peeked;
  }
  const core::CachedBatch& batch = (*row)->batch;
  const auto index = static_cast<std::uint32_t>(offset - batch.base_offset);
  const proto::MessagePlace place{wish.incarnation, wish.delays.queue.value, offset};
  if (core::takes(wish.filter, core::record_at(batch, index), place)) {
    peeked.messages.push_back(shown(
        batch, {.index = index, .state = MessageState::kDelayed, .due_time = (*row)->due}, place));
  }
  return peeked;
}

/// The message of that id where it was first, if it is one that is wanted.
proto::Result<core::Peeked> find_at_home(const storage::Reader& reader, const PeekWish& wish,
                                         proto::Offset offset) {
  if (core::Queue::DelayLane::holds(offset)) {
    return find_put_off(reader, wish, offset);
  }
  PeekWish one = wish;
  one.from_offset = offset;
  one.end_offset = offset + 1;
  return Look(reader, one).run();
}

}  // namespace

proto::Result<core::Peeked> peek(const storage::Reader& reader, const PeekWish& wish) {
  const auto place = proto::parse_message_id(wish.filter.message_id);
  if (!place) {
    return Look(reader, wish).run();
  }
  const bool is_home = place->object == wish.delays.queue.value &&
                       place->incarnation == wish.incarnation && place->offset >= wish.from_offset;
  if (is_home) {
    auto peeked = find_at_home(reader, wish, place->offset);
    if (!peeked) {
      return peeked;
    }
    if (!peeked->messages.empty()) {
      peeked->next_offset = place->offset + 1;
      peeked->is_end = true;  // no other one has its id
      return peeked;
    }
  }
  if (WEIR_PLANTED(look_at_home_alone)) {
    return core::Peeked{.messages = {}, .next_offset = wish.from_offset, .is_end = true};
  }
  auto peeked = Look(reader, wish, Look::At::kRebuilt).run();
  if (peeked) {
    // What never moved has an id of its present incarnation.
    peeked->is_older_id =
        place->object == wish.delays.queue.value && place->incarnation != wish.incarnation;
  }
  return peeked;
}

}  // namespace weir::shard
