#include "broker/core/going_back.hpp"
#include "broker/core/shard_state.hpp"
#include "proto/planted_bugs.hpp"

#include <iterator>
#include <utility>

// Decisions about leases that end with nothing said of their messages.
namespace weir::core {

namespace {

/// Random bits of its own for each place, as good for neighbours; of the first one the bits as they
/// are. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014), the
/// step of SplitMix64.
std::uint64_t bits_at(std::uint64_t random, std::uint32_t place) {
  std::uint64_t bits = place * std::uint64_t{0x9E3779B97F4A7C15};
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBU;
  return random + (bits ^ (bits >> 31U));
}

/// Why a lease goes back, and when its messages are due.
struct GivenBack {
  ReturnCause cause = ReturnCause::kReleased;
  proto::TimeMs due = 0;
};

/// Leases of the batch that are meant go back, each as `how` says.
template <class Meant, class How>
ShardState::Records given_back(const Queue& queue, const TouchedBatch& batch, proto::TimeMs now,
                               Meant meant, How how) {
  ShardState::Records records;
  GoingBack going_back(queue);
  for (const Run& run : batch.runs()) {
    if (run.state == RunState::kLeased && meant(run)) {
      const GivenBack back = how(run);
      going_back.for_each(batch, run.first, run.end(), [&](std::uint32_t first, std::uint32_t end) {
        records.emplace_back(
            Returned{range_of(queue, batch, first, end - first), back.due, back.cause, now});
      });
    }
  }
  return records;
}

/// Gives back the leased runs of a batch that are meant.
template <typename Meant>
ShardState::Records returned_of(const Queue& queue, const TouchedBatch& batch, proto::TimeMs now,
                                ReturnCause cause, Meant meant) {
  const ReturnCause counted = WEIR_PLANTED(punish_prefetched) ? ReturnCause::kFailed : cause;
  return given_back(queue, batch, now, meant, [&](const Run&) { return GivenBack{counted, now}; });
}

}  // namespace

MessageRange range_of(const Queue& queue, const TouchedBatch& batch, std::uint32_t first,
                      std::uint32_t count) {
  return {queue.id(), batch.base_offset(), batch.last_offset(), first, count};
}

proto::TimeMs due_by_policy(const Queue& queue, const Run& run, std::uint32_t place,
                            proto::TimeMs now, std::uint64_t random) {
  return now + redelivery_delay_ms(queue.definition().settings, run.ended_attempts(),
                                   bits_at(random, place));
}

std::optional<ShardState::Records> ShardState::decide_expire(proto::TimeMs now,
                                                             proto::GrantId unsaid_from,
                                                             const HolderLives& holder_lives,
                                                             std::uint64_t random) const {
  if (next_deadline() > now) {
    return std::nullopt;
  }
  const Queue& target = queues_.at(by_deadline_.ranked().begin()->second);
  const TouchedBatch& batch = target.touched_batches().at(target.leases().begin()->second);
  return given_back(
      target, batch, now, [now](const Run& run) { return run.when <= now; },
      [&](const Run& run) {
        const ReturnCause cause = run.grant >= unsaid_from         ? ReturnCause::kUnsaid
                                  : holder_lives(run.holder.get()) ? ReturnCause::kExpired
                                                                   : ReturnCause::kLost;
        const bool fails = run.started && cause != ReturnCause::kUnsaid;
        return GivenBack{cause, fails ? due_by_policy(target, run, run.first, now, random) : now};
      });
}

ShardState::Records ShardState::decide_over(proto::QueueId queue_id, proto::Offset base_offset,
                                            proto::GrantId grant, proto::TimeMs now,
                                            std::uint64_t random) const {
  const Queue* target = queue(proto::lane_of(queue_id, base_offset));
  const TouchedBatch* batch = target != nullptr ? target->touched(base_offset) : nullptr;
  if (batch == nullptr) {
    return {};
  }
  return given_back(
      *target, *batch, now, [grant](const Run& run) { return run.grant == grant; },
      [&](const Run& run) {
        return GivenBack{ReturnCause::kExpired,
                         due_by_policy(*target, run, run.first, now, random)};
      });
}

bool ShardState::is_worth_saying(const Delivery& delivery, proto::TimeMs now) const {
  const Queue* target = queue(proto::lane_of(delivery.queue, delivery.base_offset));
  const TouchedBatch* batch = target != nullptr ? target->touched(delivery.base_offset) : nullptr;
  const Run* run = batch != nullptr ? batch->run_at(delivery.first_index) : nullptr;
  return run != nullptr && run->grant == delivery.grant && run->state == RunState::kLeased &&
         run->when - now >= delivery.lease_ms / 2;
}

ShardState::Records ShardState::decide_unsaid(proto::QueueId queue_id, proto::Offset base_offset,
                                              proto::GrantId grant, proto::TimeMs now) const {
  const Queue* target = queue(proto::lane_of(queue_id, base_offset));
  const TouchedBatch* batch = target != nullptr ? target->touched(base_offset) : nullptr;
  if (batch == nullptr) {
    return {};
  }
  return returned_of(*target, *batch, now, ReturnCause::kUnsaid,
                     [grant](const Run& run) { return run.grant == grant; });
}

ShardState::Records ShardState::decide_release(proto::QueueId queue_id, proto::Offset last_offset,
                                               proto::GrantId grant, proto::TimeMs now) const {
  const Queue* target = queue(proto::lane_of(queue_id, last_offset));
  if (target == nullptr) {
    return {};
  }
  const auto it = target->touched_batches().find(last_offset);
  if (it == target->touched_batches().end()) {
    return {};
  }
  if (WEIR_PLANTED(release_begun_work)) {
    return returned_of(*target, it->second, now, ReturnCause::kReleased,
                       [grant](const Run& run) { return run.grant == grant; });
  }
  return returned_of(*target, it->second, now, ReturnCause::kReleased,
                     [grant](const Run& run) { return run.grant == grant && !run.started; });
}

ShardState::Records ShardState::decide_restart(proto::TimeMs now, std::int64_t grace_ms) const {
  Records records;
  for (const auto& [id, target] : queues_) {
    Records returned;  // after the others: what is begun may have to go back with what is not
    GoingBack going_back(target);
    for (const auto& [last, batch] : target.touched_batches()) {
      for (const Run& run : batch.runs()) {
        const MessageRange range = range_of(target, batch, run.first, run.count);
        if (run.state != RunState::kLeased) {
          continue;
        }
        if (!run.started || WEIR_PLANTED(lose_leases_at_restart)) {
          going_back.for_each(
              batch, run.first, run.end(),
              [&, at = &batch](std::uint32_t first, std::uint32_t end) {
                returned.emplace_back(Returned{range_of(target, *at, first, end - first), now,
                                               ReturnCause::kReleased, now});
              });
        } else if (grace_ms > 0 && !WEIR_PLANTED(no_grace_after_restart)) {
          records.emplace_back(Extended{range, run.when + grace_ms});
        }
      }
    }
    std::ranges::move(returned, std::back_inserter(records));
  }
  return records;
}

}  // namespace weir::core
