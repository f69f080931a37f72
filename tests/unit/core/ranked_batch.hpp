#pragma once

#include "proto/limits.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::core::test {

/// A message for a standard queue, with what says in which lane it goes.
struct Ranked {
  std::string value;
  std::optional<int> priority = {};
  std::string group = {};  // empty: none
  std::optional<std::int64_t> delay_ms = {};
};

inline SendBatch a_ranked_batch(proto::LogId log, const std::vector<Ranked>& messages,
                                proto::BatchBuilder::Producer producer = {}) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (const Ranked& message : messages) {
    TextHeaders headers;
    if (message.priority) {
      headers.emplace_back(proto::kHeaderPriority, std::to_string(*message.priority));
    }
    if (!message.group.empty()) {
      headers.emplace_back(proto::kHeaderGroup, message.group);
    }
    if (message.delay_ms) {
      headers.emplace_back(proto::kHeaderDelay, std::to_string(*message.delay_ms));
    }
    add_message(builder, message.value, headers);
  }
  return send_of(log, builder, producer);
}

/// A rig that notes what groups were sent and handed out, as the shard does.
struct LaneRig : CoreRig {
  ShardState::SendDecision send_ranked(proto::QueueId id, const std::vector<Ranked>& messages,
                                       proto::BatchBuilder::Producer producer = {},
                                       proto::TimeMs now = kNow) {
    SendBatch batch = a_ranked_batch(proto::LogId{id.value}, messages, producer);
    ShardState::SendDecision decision = decide(batch, now).value();
    std::vector<Record> records = decision.more;
    if (decision.record) {
      records.insert(records.begin(), Record{*decision.record});
    }
    for (const Record& record : records) {
      apply(record);
      if (const auto* appended = std::get_if<BatchAppended>(&record)) {
        const CachedBatch* stored = batches.find(appended->log, appended->base_offset);
        if (!stored->groups.empty()) {
          state.note_sent(proto::QueueId{appended->log.value}, stored->groups);
        }
      }
    }
    return decision;
  }
  /// One slice; empty when there is nothing.
  std::optional<Delivery> hand_out(proto::QueueId id, std::uint32_t max_messages,
                                   proto::TimeMs now = kNow) {
    auto step = state.decide(wish(id, max_messages), batches, now);
    auto* given = std::get_if<ShardState::DispatchStep>(&step);
    if (given == nullptr) {
      return std::nullopt;
    }
    state.note_handed_out(given->record.range, given->groups);
    apply(Record{given->record});
    return std::move(given->delivery);
  }
  /// Everything that is there, in the order in which it comes, and acked.
  std::vector<std::string> drain(proto::QueueId id, std::uint32_t max_messages = 1,
                                 std::size_t limit = SIZE_MAX) {
    std::vector<std::string> all;
    while (all.size() < limit) {
      const auto held = hand_out(id, max_messages);
      if (!held) {
        break;
      }
      for (std::string& value : values_in(*held)) {
        all.push_back(std::move(value));
      }
      settle(id, range(*held, proto::SettleKind::kAck), kNow);
    }
    return all;
  }
};

}  // namespace weir::core::test
