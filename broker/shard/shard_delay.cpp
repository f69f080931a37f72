#include "broker/shard/delay_loader.hpp"
#include "broker/shard/shard_impl.hpp"
#include "proto/limits.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Messages that are put off: into their queue when they are due, and what people do with them
// before. They lie in the store alone, so that each of these begins with a read.
namespace weir::shard {
namespace {

/// Of what is due; each read brings about 1 MiB.
constexpr std::size_t kMaxReads = 16;

LaneName lane_of(const core::Queue& queue) {
  return {queue.id(), queue.counters().generation, queue.next_delay_due()};
}

proto::Error gone(const std::string& queue) {
  return proto::fail(proto::Errc::kMessageNotFound,
                     "it is not put off in queue '" + queue +
                         "' any more: it became ready, was cancelled or purged");
}

}  // namespace

/// What the disk has not taken yet bounds them as it bounds sends.
void Shard::Impl::move_due() {
  std::vector<proto::QueueId> queues;
  for (const auto& [due, queue] : state_->by_delay_due()) {
    if (due > now_ || lanes_.reads() + queues.size() >= kMaxReads) {
      break;
    }
    if (lanes_.may_read(queue) && !stuck_lanes_.contains(queue)) {
      queues.push_back(queue);
    }
  }
  for (const proto::QueueId queue : queues) {
    if (log_->backlog_bytes() >= options_.max_backlog_bytes) {
      return;
    }
    read_lane(
        queue,
        [until = now_](const storage::Reader& reader, const LaneName& lane) {
          return load_due(reader, lane, until);
        },
        &Impl::take_due, &Impl::note_damaged_lane);
  }
}

/// Reads a part of a lane and, if it is still the same, gives it to `on_rows`, or its damage to
/// `on_damage`.
template <class Read, class Rows>
void Shard::Impl::read_lane(proto::QueueId queue, const Read& read,
                            void (Impl::*on_rows)(const core::Queue&, const Rows&, proto::TimeMs),
                            void (Impl::*on_damage)(const core::Queue&, const proto::Error&)) {
  const LaneName lane = lane_of(*state_->queue(queue));
  lanes_.begin_read(queue);
  ++metrics_.storage_reads;
  ports_.loader->load(
      [this, life = life_, lane, read, on_rows, on_damage](const storage::Reader& reader) {
        auto rows = std::make_shared<proto::Result<Rows>>(read(reader, lane));
        return Loader::Continuation([this, life, lane, rows, on_rows, on_damage] {
          if (life != life_ || failed_) {
            return;
          }
          now_ = ports_.now();
          const proto::TimeMs unseen = lanes_.end_read(lane.queue);
          const core::Queue* found = state_->queue(lane.queue);
          const bool is_same = found != nullptr && found->counters().generation == lane.generation;
          if (!*rows && rows->error().code == proto::Errc::kStorageFailed) {
            stop_with(rows->error());
            return;
          }
          if (is_same && *rows) {
            (this->*on_rows)(*found, **rows, unseen);
          } else if (is_same) {
            (this->*on_damage)(*found, rows->error());
          }
          schedule();  // of a lane that was purged meanwhile, who waits asks again
        });
      });
}

void Shard::Impl::take_due(const core::Queue& queue, const DueRows& due, proto::TimeMs unseen) {
  apply(state_->decide_due(queue.id(), due.rows, now_));
  state_->learn_next_delay_due(queue.id(), WEIR_PLANTED(delay_unseen_while_reading)
                                               ? due.next_due
                                               : std::min(due.next_due, unseen));
  if (due.rows.empty() && unseen <= now_) {
    lanes_.wait_for_added(queue.id());
  }
}

proto::Error Shard::Impl::note_lane_damage(const core::Queue& queue, const proto::Error& why) {
  proto::Error damage =
      proto::fail(proto::Errc::kCorruptBatch,
                  "messages that are put off in queue '" + queue.definition().name +
                      "' cannot be read: " + why.message + "; what is due behind them is kept");
  note_damage({proto::LogId{queue.id().value}, queue.counters().generation,
               core::Queue::DelayLane::kFirstOffset},
              damage);
  return damage;
}

/// Nobody tries again and again: what is due behind it waits for a restart.
void Shard::Impl::note_damaged_lane(const core::Queue& queue, const proto::Error& why) {
  (void)note_lane_damage(queue, why);
  stuck_lanes_.insert(queue.id());
}

void Shard::Impl::fail_delay_change(const core::Queue& queue, const proto::Error& why) {
  const DelayChange& change = delay_changes_.at(queue.id()).front();
  reply(change.session, change.request_id, note_lane_damage(queue, why));
  pop_delay_change(queue.id());
}

/// But for those that may be under way.
void Shard::Impl::forget_delay_changes(proto::SessionId session) {
  for (auto& [queue, changes] : delay_changes_) {
    changes.erase(
        std::remove_if(changes.begin() + 1, changes.end(),
                       [session](const DelayChange& change) { return change.session == session; }),
        changes.end());
  }
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::ListDelayed& command) {
  const auto queue = state_->catalog().queue(command.name_space, command.queue);
  if (!queue) {
    return queue.error();
  }
  const auto after = parse_token(command.after);
  if (!after) {
    return after.error();
  }
  if (command.max_messages > proto::kMaxPageResults) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "max_messages may be at most " + std::to_string(proto::kMaxPageResults));
  }
  DelayedWish wish;
  wish.lane = lane_of(*state_->queue(*queue));
  wish.incarnation = state_->identity().incarnation;
  wish.after = *after;
  wish.max_messages = command.max_messages != 0 ? command.max_messages : proto::kMaxPageResults;
  answer_from_store<core::DelayedList>(input.session, id, [wish](const storage::Reader& reader) {
    return list_delayed(reader, wish);
  });
  return Later{};
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::ChangeDelayed& command) {
  const auto queue = state_->catalog().queue(command.name_space, command.queue);
  if (!queue) {
    return queue.error();
  }
  if (command.message_ids.empty() || command.message_ids.size() > proto::kMaxPageResults) {
    return proto::fail(
        proto::Errc::kInvalidArgument,
        "one request names 1 to " + std::to_string(proto::kMaxPageResults) + " messages");
  }
  if (command.delay_ms && (*command.delay_ms < 0 || *command.delay_ms > proto::kMaxDelayMs)) {
    return proto::fail(proto::Errc::kInvalidArgument,
                       "delay_ms must lie between 0 and " + std::to_string(proto::kMaxDelayMs));
  }
  DelayChange change{input.session, id, command.delay_ms, {}, {}};
  const core::Queue& of = *state_->queue(*queue);
  for (const std::string& message_id : command.message_ids) {
    const auto offset = state_->find_delayed(of, message_id);
    change.offsets.push_back(offset ? *offset : 0);
    change.outcomes.push_back(offset ? proto::Result<>() : proto::Result<>(offset.error()));
  }
  delay_changes_[*queue].push_back(std::move(change));
  return Later{};
}

/// One at a time of each lane, in turns with what is due there.
void Shard::Impl::change_delays() {
  if (log_->backlog_bytes() >= options_.max_backlog_bytes) {
    return;
  }
  for (auto it = delay_changes_.begin(); it != delay_changes_.end();) {
    auto& [id, changes] = *it++;
    const proto::QueueId queue = id;
    if (state_->queue(queue) == nullptr) {
      reply(changes.front().session, changes.front().request_id,
            proto::make_error(proto::Errc::kQueueNotFound));
      pop_delay_change(queue);
      schedule();
      continue;
    }
    const bool is_due =
        state_->queue(queue)->next_delay_due() <= now_ && !stuck_lanes_.contains(queue);
    if (!lanes_.may_read(queue) || (changed_last_.erase(queue) > 0 && is_due)) {
      continue;
    }
    changed_last_.insert(queue);
    std::vector<proto::Offset> offsets = changes.front().offsets;
    std::erase(offsets, 0);
    std::ranges::sort(offsets);
    read_lane(
        queue,
        [offsets = std::move(offsets)](const storage::Reader& reader, const LaneName& lane) {
          return load_delayed(reader, lane, offsets);
        },
        &Impl::take_delay_change, &Impl::fail_delay_change);
  }
}

/// Those of them that were read; the next read is for the others.
void Shard::Impl::take_delay_change(const core::Queue& queue, const DelayedRows& loaded,
                                    proto::TimeMs /*unseen*/) {
  DelayChange& change = delay_changes_.at(queue.id()).front();
  std::map<const core::DelayedBatch*, std::set<std::uint32_t>> picked;
  for (std::size_t i = 0; i < change.offsets.size(); ++i) {
    if (change.offsets[i] == 0 || change.offsets[i] >= loaded.end) {
      continue;
    }
    const proto::Offset offset = std::exchange(change.offsets[i], 0);
    const auto row = std::ranges::find_if(loaded.rows, [offset](const core::DelayedBatch& held) {
      return held.batch.base_offset <= offset && offset <= held.batch.last_offset;
    });
    if (row == loaded.rows.end()) {
      change.outcomes[i] = gone(queue.definition().name);
      continue;
    }
    picked[&*row].insert(static_cast<std::uint32_t>(offset - row->batch.base_offset));
  }
  const auto due = change.delay_ms ? std::optional(now_ + *change.delay_ms) : std::nullopt;
  for (const auto& [row, indexes] : picked) {
    const std::vector<std::uint32_t> ascending(indexes.begin(), indexes.end());
    apply(state_->decide_take(queue.id(), *row, ascending, due));
  }
  if (loaded.end != INT64_MAX) {
    return;
  }
  reply(change.session, change.request_id,
        core::Reply{core::DelayedChanged{std::move(change.outcomes)}});
  pop_delay_change(queue.id());
}

void Shard::Impl::pop_delay_change(proto::QueueId queue) {
  const auto changes = delay_changes_.find(queue);
  changes->second.pop_front();
  if (changes->second.empty()) {
    delay_changes_.erase(changes);
  }
}

}  // namespace weir::shard
