#include "broker/core/rebuilt_batch.hpp"
#include "broker/core/send_part.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>

namespace weir::core {

using proto::Errc;
using proto::fail;

namespace {

/// Somebody resumes it by hand: that is not a matter of milliseconds.
constexpr std::uint32_t kRetryPausedMs = 1'000;
/// Consumers make room all the time, where there are any.
constexpr std::uint32_t kRetryFullMs = 100;

proto::Error refuse(Errc code, std::string why, std::uint32_t retry_after_ms) {
  proto::Error refused = fail(code, std::move(why));
  refused.retry_after_ms = retry_after_ms;
  return refused;
}

/// Whether `more` fits on top of what the queue `holds`; without a bound all does.
bool fits(std::int64_t bound, std::uint64_t holds, std::uint64_t more) {
  const std::uint64_t counted = WEIR_PLANTED(overfill_by_a_batch) ? 1 : more;
  const auto most = static_cast<std::uint64_t>(bound);
  return bound == 0 || (holds < most && counted <= most - holds);
}

proto::Error full(const Queue& queue, const char* what, std::int64_t bound, std::uint64_t holds,
                  std::uint64_t more) {
  return refuse(Errc::kQueueFull,
                "queue '" + queue.definition().name + "' holds " + std::to_string(holds) + " of " +
                    std::to_string(bound) + " " + what + ": " + std::to_string(more) +
                    " more do not fit",
                kRetryFullMs);
}

proto::Result<> check_bytes(const Queue& queue, std::uint64_t holds, std::uint64_t more) {
  const std::int64_t bound = queue.definition().settings.max_bytes;
  return fits(bound, holds, more) ? proto::Result<>() : full(queue, "bytes", bound, holds, more);
}

/// What a batch takes that was divided: more than it had as one.
std::uint64_t stored_bytes(const ShardState::SendDecision& decision) {
  std::uint64_t bytes = decision.record ? decision.record->stored.size() : 0;
  for (const Record& record : decision.more) {
    if (const auto* appended = std::get_if<BatchAppended>(&record)) {
      bytes += appended->stored.size();
    } else if (const auto* delayed = std::get_if<Delayed>(&record)) {
      bytes += delayed->stored.size();
    }
  }
  return bytes;
}

/// Why the queue does not take that from a sender, if so.
proto::Result<> check_bounds(const Queue& queue, const ShardState::Totals& holds,
                             const SendBatch& send) {
  const QueueCreated& definition = queue.definition();
  const QueueSettings& bounds = definition.settings;
  const std::size_t largest = send.columns.largest_message_bytes;
  if (largest > static_cast<std::uint64_t>(bounds.max_message_bytes)) {
    return fail(Errc::kMessageTooLarge, "a message has " + std::to_string(largest) +
                                            " bytes with key and headers; queue '" +
                                            definition.name + "' takes " +
                                            std::to_string(bounds.max_message_bytes));
  }
  if (definition.pause.sends) {
    return refuse(Errc::kPaused, "the queue takes no messages: its sends are paused",
                  kRetryPausedMs);
  }
  if (!fits(bounds.max_messages, holds.messages, send.columns.count())) {
    return full(queue, "messages", bounds.max_messages, holds.messages, send.columns.count());
  }
  return check_bytes(queue, holds.bytes, send.stored.size());
}

/// What a FIFO queue asks of messages.
proto::Result<> check_order(const Queue& queue, const proto::BatchColumns& columns) {
  const auto refused = [&](const char* why) {
    return fail(Errc::kInvalidArgument,
                "queue '" + queue.definition().name + "' is a FIFO queue" + why);
  };
  if (columns.groups.empty() ||
      std::ranges::find(columns.groups, proto::kNoGroup) != columns.groups.end()) {
    return refused(": each message needs a group (header weir.group)");
  }
  if (!columns.delays_ms.empty()) {
    return refused(", where a message cannot be put off: it would lose its place in its group");
  }
  if (!columns.priorities.empty()) {
    return refused(", where no message has a priority: it would lose its place in its group");
  }
  return {};
}

/// Which messages of a send are known already, or what has to be read for that. `was_sent`: all of
/// it was taken before, from that offset on, but for what was known then.
std::variant<NeedIds, std::vector<proto::SentEntry::Place>> find_known(
    const Queue& queue, const SendBatch& send, const KnownIds& known_ids, proto::Offset stored_at,
    bool was_sent, proto::TimeMs now) {
  const std::uint32_t generation = queue.counters().generation;
  const std::int64_t time = queue.definition().settings.deduplication_ms;
  std::vector<proto::SentEntry::Place> known;
  std::map<DeduplicationId, proto::Offset> in_this_one;
  proto::Offset next = stored_at;
  for (std::uint32_t i = 0; i < send.ids.size(); ++i) {
    if (!send.ids[i]) {
      ++next;
      continue;
    }
    const KnownIds::Found found = known_ids.find(queue.id(), generation, *send.ids[i]);
    if (std::holds_alternative<KnownIds::Unknown>(found)) {
      return need_all(queue, send);
    }
    const auto before = std::get<std::optional<KnownMessage>>(found);
    const bool is_known =
        before && before->time + time > now && !WEIR_PLANTED(forget_deduplication_ids);
    const auto [first, is_first] = in_this_one.emplace(*send.ids[i], next);
    if (is_known && !(was_sent && before->offset == next)) {
      known.push_back({i, before->offset});
    } else if (!is_first) {
      known.push_back({i, first->second});
    } else {
      ++next;
    }
  }
  return known;
}

/// Calls `take` with the index of each message of a send that is not known.
template <class Take>
void for_each_new(const SendBatch& send, std::span<const proto::SentEntry::Place> known,
                  Take take) {
  auto other = known.begin();
  for (std::uint32_t i = 0; i < send.columns.count(); ++i) {
    if (other != known.end() && other->index == i) {
      ++other;
    } else {
      take(i);
    }
  }
}

/// What is known from here on: the messages of a send that are stored from that offset on.
void remember(const Queue& queue, const SendBatch& send,
              std::span<const proto::SentEntry::Place> known, proto::Offset stored_at,
              proto::TimeMs now, ShardState::Records& records) {
  const DeduplicationParts parts = parts_at(queue, now);
  Deduplicated record{queue.id(), parts.current, parts.first, now, {}};
  for_each_new(send, known, [&](std::uint32_t i) {
    if (send.ids[i]) {
      record.ids.push_back({*send.ids[i], stored_at});
    }
    ++stored_at;
  });
  if (!record.ids.empty()) {
    records.emplace_back(std::move(record));
  }
}

/// Whether messages of it may go to lanes of their own.
bool has_lanes(const Queue& queue, const proto::BatchColumns& columns) {
  return !queue.is_fifo() && (!columns.priorities.empty() || !columns.groups.empty()) &&
         !WEIR_PLANTED(one_lane_for_all);
}

/// Whether nobody will ever take any of them. Where one is in time, or known, the others go along
/// with it, and are of no use when their turn comes.
bool is_all_late(const proto::BatchColumns& columns, proto::TimeMs now) {
  return !columns.lives.empty() &&
         std::ranges::all_of(columns.lives, [now](const proto::RecordLife& life) {
           return life.deadline >= 0 && life.deadline <= now;
         });
}

/// Where a batch is to go, behind what is there.
struct Target {
  const Queue* queue = nullptr;  // of a queue
  LogEnd end;
};
proto::Result<Target> find_target(const ShardState& state, const SendBatch& send) {
  if (send.topic) {
    const Partition* partition = state.partition(proto::PartitionId{send.log.value});
    if (partition == nullptr) {
      return fail(Errc::kTopicNotFound, "the topic is gone");
    }
    return Target{nullptr, {send.log, partition->next_offset, partition->prev_last_offset}};
  }
  const Queue* queue = state.queue(proto::QueueId{send.log.value});
  if (queue == nullptr) {
    return fail(Errc::kQueueNotFound, "the queue is gone");
  }
  return Target{queue, end_of(*queue)};
}

/// Why the queue does not take that now, or ever, if so.
proto::Result<> check_taken(const Queue& queue, const ShardState::Totals& holds,
                            const SendBatch& send) {
  if (auto taken = check_bounds(queue, holds, send); !taken) {
    return taken;
  }
  return queue.is_fifo() ? check_order(queue, send.columns) : proto::Result<>();
}

}  // namespace

proto::Result<std::variant<NeedIds, ShardState::SendDecision>> ShardState::decide(
    SendBatch& command, const KnownIds& known_ids, proto::TimeMs now) const {
  using Decided = proto::Result<std::variant<NeedIds, SendDecision>>;
  const auto target = find_target(*this, command);
  if (!target) {
    return target.error();
  }
  const Queue* to_queue = target->queue;
  const LogEnd& end = target->end;
  const proto::BatchHeader& header = command.columns.header;
  auto duplicate = producers_.check(command.log, header.producer_id, header.producer_epoch,
                                    header.base_sequence, command.columns.count());
  if (!duplicate) {
    return duplicate.error();
  }
  const bool was_sent = duplicate->has_value();
  std::vector<proto::SentEntry::Place> known;
  if (!command.ids.empty()) {
    auto found = find_known(*to_queue, command, known_ids,
                            was_sent ? (*duplicate)->base_offset : end.next_offset, was_sent,
                            was_sent ? (*duplicate)->append_time : now);
    if (auto* need = std::get_if<NeedIds>(&found)) {
      return std::move(*need);
    }
    known = std::get<std::vector<proto::SentEntry::Place>>(std::move(found));
  }
  if (was_sent) {
    SendDecision decision = decide_duplicate(command, **duplicate);
    decision.known = std::move(known);
    return decision;
  }
  // What was stored before is told to be, late or not, and whether the queue takes anything now or
  // not.
  if (known.size() == command.columns.count()) {
    return decide_known(*to_queue, command, std::move(known), now);
  }
  if (known.empty() && is_all_late(command.columns, now)) {
    return proto::make_error(Errc::kMessageExpired);
  }
  if (to_queue != nullptr) {
    const Totals holds = totals(to_queue->id());
    if (auto taken = check_taken(*to_queue, holds, command); !taken) {
      return taken.error();
    }
    const bool waits = is_put_off(to_queue->definition().settings, command.columns);
    if (waits || has_lanes(*to_queue, command.columns)) {
      auto apart = decide_apart(*to_queue, holds, command, waits, now);
      return apart ? Decided(*std::move(apart)) : apart.error();
    }
  }
  if (!known.empty()) {
    return decide_known(*to_queue, command, std::move(known), now);
  }
  SendDecision decision;
  decision.base_offset = end.next_offset;
  decision.append_time = now;
  if (!command.ids.empty()) {
    remember(*to_queue, command, {}, end.next_offset, now, decision.more);
  }
  decision.record = append_whole(command, end, identity_.epoch, now);
  return decision;
}

/// Of a batch that does not go behind its queue's newest one as it is.
proto::Result<ShardState::SendDecision> ShardState::decide_apart(const Queue& queue,
                                                                 const Totals& holds,
                                                                 SendBatch& command, bool waits,
                                                                 proto::TimeMs now) const {
  SendDecision decision =
      waits ? decide_delayed(queue, command, now) : decide_lanes(queue, command, now);
  if (auto room = check_bytes(queue, holds.bytes, stored_bytes(decision)); !room) {
    return room.error();
  }
  return decision;
}

void ShardState::take_sequence(const SendBatch& command, SendDecision& decision,
                               std::vector<SentPart> parts) {
  const proto::BatchHeader& header = command.columns.header;
  if (header.producer_id >= 0) {
    decision.more.emplace_back(SequenceTaken{
        command.log, header.producer_id, static_cast<std::uint16_t>(header.producer_epoch),
        header.base_sequence, command.columns.count(), decision.base_offset, decision.append_time,
        std::move(parts)});
  }
}

ShardState::SendDecision ShardState::decide_known(const Queue& queue, SendBatch& command,
                                                  std::vector<proto::SentEntry::Place> known,
                                                  proto::TimeMs now) const {
  const LogEnd end = end_of(queue);
  SendDecision decision;
  decision.base_offset = end.next_offset;
  decision.append_time = now;
  decision.is_duplicate = known.size() == command.columns.count();
  if (!decision.is_duplicate) {
    SendPart rest(command, now);
    for_each_new(command, known, [&](std::uint32_t i) { rest.add(i); });
    decision.record = append_of(rest, end, identity_.epoch, now);
    remember(queue, command, known, end.next_offset, now, decision.more);
  }
  take_sequence(command, decision);
  decision.known = std::move(known);
  return decision;
}

}  // namespace weir::core
