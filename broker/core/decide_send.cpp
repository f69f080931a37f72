#include "broker/core/shard_state.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
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

/// Why the queue does not take that from a sender, if so.
proto::Result<> check_bounds(const Queue& queue, const SendBatch& send) {
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
  if (!fits(bounds.max_messages, queue.messages(), send.columns.count())) {
    return full(queue, "messages", bounds.max_messages, queue.messages(), send.columns.count());
  }
  if (!fits(bounds.max_bytes, queue.bytes(), send.stored.size())) {
    return full(queue, "bytes", bounds.max_bytes, queue.bytes(), send.stored.size());
  }
  return {};
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
  return {};
}

/// Whether nobody will ever take any of them. Where one is in time the others go along with it, and
/// are of no use when their turn comes.
bool is_all_late(const proto::BatchColumns& columns, proto::TimeMs now) {
  return !columns.lives.empty() &&
         std::ranges::all_of(columns.lives, [now](const proto::RecordLife& life) {
           return life.deadline >= 0 && life.deadline <= now;
         });
}

}  // namespace

proto::Result<ShardState::SendDecision> ShardState::decide(SendBatch& command,
                                                           proto::TimeMs now) const {
  proto::Offset base_offset = 0;
  proto::Offset prev_last_offset = -1;
  const Queue* to_queue = nullptr;
  if (command.topic) {
    const Partition* target = partition(proto::PartitionId{command.log.value});
    if (target == nullptr) {
      return fail(Errc::kTopicNotFound, "the topic is gone");
    }
    base_offset = target->next_offset;
    prev_last_offset = target->prev_last_offset;
  } else {
    to_queue = queue(proto::QueueId{command.log.value});
    if (to_queue == nullptr) {
      return fail(Errc::kQueueNotFound, "the queue is gone");
    }
    base_offset = to_queue->counters().next_offset;
    prev_last_offset = to_queue->counters().prev_last_offset;
  }
  const proto::BatchHeader& header = command.columns.header;
  auto duplicate = producers_.check(command.log, header.producer_id, header.producer_epoch,
                                    header.base_sequence, command.columns.count());
  if (!duplicate) {
    return duplicate.error();
  }
  if (*duplicate) {
    return SendDecision{std::nullopt, {}, (*duplicate)->base_offset, (*duplicate)->append_time};
  }
  if (is_all_late(command.columns, now)) {
    return proto::make_error(Errc::kMessageExpired);
  }
  // What was stored before is told to be, whether the queue takes anything now or not.
  if (to_queue != nullptr) {
    if (auto taken = check_bounds(*to_queue, command); !taken) {
      return taken.error();
    }
    if (to_queue->is_fifo()) {
      if (auto taken = check_order(*to_queue, command.columns); !taken) {
        return taken.error();
      }
    }
    if (is_put_off(to_queue->definition().settings, command.columns)) {
      return decide_delayed(*to_queue, command, now);
    }
  }
  std::string stored = std::move(command.stored);
  proto::poke_offset_and_epoch(std::span(stored).subspan(proto::kStoredHeaderBytes), base_offset,
                               static_cast<std::int32_t>(identity_.epoch));
  proto::write_stored_header(stored, {proto::StoredKind::kData, now, prev_last_offset});
  BatchAppended record;
  record.log = command.log;
  record.topic = command.topic;
  record.base_offset = base_offset;
  record.count = command.columns.count();
  record.time = now;
  record.producer_id = header.producer_id;
  record.producer_epoch = static_cast<std::uint16_t>(header.producer_epoch);
  record.base_sequence = header.base_sequence;
  record.stored = proto::SharedBytes(std::move(stored));
  return SendDecision{std::move(record), {}, base_offset, now};
}

}  // namespace weir::core
