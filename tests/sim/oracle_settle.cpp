#include "proto/batch/record_batch.hpp"
#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <utility>
#include <variant>

// Settlements and topics: what was asked of leases, and what readers were shown.
namespace weir::sim {

using proto::SettleKind;

namespace {

bool gives_back(const proto::SettleRange& range) {
  return range.kind == SettleKind::kExtend
             ? range.value == 0
             : range.kind != SettleKind::kAck && range.kind != SettleKind::kStarted;
}

}  // namespace

/// What waits for rows in the line of one session may be overtaken by what another session says.
void Oracle::expect_nothing_of_others(proto::SessionId session, proto::LogId log,
                                      proto::GrantId grant, MessageNumber number) {
  const auto forgo = [&](HeardRange& heard) {
    if (heard.log == log && heard.range.grant == grant) {
      for (HeardMessage& message : heard.messages) {
        message.must_succeed = message.must_succeed && message.message != number;
      }
    }
  };
  for (auto& [key, ranges] : settles_) {
    if (key.first != session) {
      std::ranges::for_each(ranges, forgo);
    }
  }
  for (auto& [key, ranges] : handles_) {
    if (key.first != session) {
      std::ranges::for_each(ranges, forgo);
    }
  }
}

Oracle::HeardRange Oracle::hear(proto::SessionId session, proto::LogId log,
                                const proto::SettleRange& range) {
  HeardRange heard{
      log, range, host_.moment(), {}, logs_.at(log).purged.of(proto::lane_tag(range.base_offset))};
  if (world_.traces()) {
    world_.trace("settle kind " + std::to_string(static_cast<int>(range.kind)) + " log " +
                     std::to_string(log.value) + " batch " + std::to_string(range.base_offset) +
                     " from " + std::to_string(range.first_index) + " count " +
                     std::to_string(range.count) + " grant " + std::to_string(range.grant.value) +
                     " value " + std::to_string(range.value),
                 {log, messages_at(log, range.base_offset + range.first_index, range.count)});
  }
  const KnownOffsets& at = logs_.at(log).at;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(range.count, 10'000); ++i) {
    const proto::Offset offset = range.base_offset + range.first_index + i;
    HeardMessage message;
    message.message = at.at(offset);
    if (message.message == 0) {
      continue;
    }
    message.index = range.first_index + i;
    Place& where = *find_place(message.message, log, offset);
    if (where.lease && where.lease->grant == range.grant && where.lease->nonce == range.nonce &&
        where.lease->base_offset == range.base_offset) {
      Lease& lease = *where.lease;
      message.newest = true;
      message.is_over = heard.moment.present >= lease.latest;
      if (std::exchange(lease.settler, session) != session) {
        expect_nothing_of_others(session, log, range.grant, message.message);
      }
      message.must_succeed = !logs_.at(log).may_be_purged &&
                             !logs_.at(log).purged.is_behind(offset) &&
                             lasts(lease, heard.moment) && !lease.may_have_ended &&
                             (!where.ack_heard || range.kind == SettleKind::kAck);
      where.may_be_poison += range.kind == SettleKind::kPoison ? 1 : 0;
      if (range.kind == SettleKind::kAck) {
        where.ack_heard = true;
      } else if (gives_back(range)) {
        lease.may_have_ended = true;
      } else if (range.kind == SettleKind::kExtend) {
        message.extension = ++lease.extensions;
        lease.deadline = std::min(lease.deadline, heard.moment.present + range.value);
        if (!message.is_over) {
          lease.latest = std::max(lease.latest, heard.moment.present + range.value);
        }
        lease.awake_until_us =
            std::min(lease.awake_until_us, awake_until(heard.moment, range.value));
      } else {
        // From another session it may be overtaken by the end of the one that has the lease.
        lease.started_heard = lease.started_heard || session == lease.session;
      }
    }
    heard.messages.push_back(message);
  }
  return heard;
}

void Oracle::heard_settle(proto::SessionId session, proto::QueueId queue,
                          const proto::Settle& settle) {
  std::vector<HeardRange>& ranges = settles_[{session, settle.settle_number}];
  for (const proto::SettleRange& range : settle.ranges) {
    ranges.push_back(hear(session, proto::LogId{queue.value}, range));
  }
}

void Oracle::heard_handle(proto::SessionId session, std::uint64_t request, proto::QueueId queue,
                          const proto::SettleRange& range) {
  handles_[{session, request}].push_back(hear(session, proto::LogId{queue.value}, range));
}

void Oracle::judge(const HeardRange& heard, const HeardMessage& message,
                   std::optional<std::uint16_t> refused) {
  const SettleKind kind = heard.range.kind;
  const proto::Offset offset = heard.range.base_offset + message.index;
  Place& where = *find_place(message.message, heard.log, offset);
  if (refused) {
    where.may_be_poison -= message.newest && kind == SettleKind::kPoison ? 1 : 0;
    if (message.must_succeed) {
      wrong("a live lease was refused with " + std::to_string(*refused) + " for kind " +
                std::to_string(static_cast<int>(kind)) + " grant " +
                std::to_string(heard.range.grant.value) + " base " +
                std::to_string(heard.range.base_offset) + " first " +
                std::to_string(heard.range.first_index) + " count " +
                std::to_string(heard.range.count) + " newest " +
                std::to_string(where.lease ? where.lease->grant.value : 0),
            heard.log, offset, message.message);
    }
    return;
  }
  if (offset < heard.purged_before) {
    wrong("settled after it was purged", heard.log, offset, message.message);
  }
  const bool is_last = &where == &messages_[message.message].places.back();
  const bool still_newest =
      message.newest && where.lease && where.lease->grant == heard.range.grant;
  const bool is_over =
      where.ack_heard || where.acked || !is_last || may_have_left(where) || may_have_expired(where);
  if (!message.newest || message.is_over) {
    // An ack is let through late, as long as nobody else got the message.
    const bool late_ack = message.newest && kind == SettleKind::kAck;
    const bool harmless = kind == SettleKind::kAck || kind == SettleKind::kStarted;
    if (!late_ack && (!is_over || !harmless)) {
      wrong("a lease that is over, or never was, still settles; kind " +
                std::to_string(static_cast<int>(kind)) + " grant " +
                std::to_string(heard.range.grant.value) + " base " +
                std::to_string(heard.range.base_offset) + " newest grant " +
                std::to_string(where.lease ? where.lease->grant.value : 0),
            heard.log, offset, message.message);
    }
  }
  if (!message.newest) {
    return;
  }
  if (!still_newest) {
    // Given out once more since then: after a nack that is its fate, after an ack it must have
    // ended in another way.
    if (kind == SettleKind::kAck && !is_over) {
      wrong("acked, and given out once more; grant " + std::to_string(heard.range.grant.value),
            heard.log, offset, message.message);
    }
    return;
  }
  Lease& lease = *where.lease;
  const auto begun = [&] {
    if (!lease.started_said && (!lease.is_follower || kind == SettleKind::kStarted)) {
      lease.started_said = true;
      ++where.attempts;
    }
  };
  switch (kind) {
    case SettleKind::kAck:
      where.acked = where.acked || message.must_succeed || (is_last && !may_have_left(where));
      break;
    case SettleKind::kNack:
      begun();
      break;
    case SettleKind::kPoison:
      begun();
      where.is_poison = !where.ack_heard && !lease.is_follower;
      break;
    case SettleKind::kTransient:
    case SettleKind::kNotNow:
      begun();
      lease.ended_well = message.must_succeed;
      break;
    case SettleKind::kStarted:
      if (!where.ack_heard) {
        begun();
      } else {
        ++where.unsure_attempts;  // none when the ack came first and held
      }
      break;
    case SettleKind::kExtend:
      if (message.extension != 0 && message.extension == lease.extensions) {
        lease.deadline = lease.latest = heard.moment.present + heard.range.value;
        lease.awake_until_us = awake_until(heard.moment, heard.range.value);
        lease.life = heard.moment.life;
      }
      break;
    case SettleKind::kRelease:
      lease.ended_well = message.must_succeed;
      break;
  }
}

bool Oracle::said_once(const std::vector<HeardRange>& settlement, const HeardRange& heard,
                       const HeardMessage& message) {
  return std::ranges::none_of(settlement, [&](const HeardRange& other) {
    return &other != &heard && other.range.grant == heard.range.grant &&
           message.index >= other.range.first_index &&
           message.index - other.range.first_index < other.range.count;
  });
}

void Oracle::said_settled(proto::SessionId session, std::uint64_t up_to,
                          std::span<const proto::SettleFailure> failed) {
  world_.fold(up_to);
  for (const proto::SettleFailure& failure : failed) {
    world_.fold(failure.code ^ (std::uint64_t{failure.first_index} << 32) ^ failure.count);
  }
  for (auto it = settles_.lower_bound({session, 0});
       it != settles_.end() && it->first.first == session && it->first.second <= up_to;
       it = settles_.erase(it)) {
    for (const HeardRange& heard : it->second) {
      for (HeardMessage message : heard.messages) {
        // A failure does not say which of several words about one message it answers.
        message.must_succeed = message.must_succeed && said_once(it->second, heard, message);
        std::optional<std::uint16_t> refused;
        for (const proto::SettleFailure& failure : failed) {
          if (failure.settle_number == it->first.second && failure.grant == heard.range.grant &&
              message.index >= failure.first_index &&
              message.index - failure.first_index < failure.count) {
            refused = failure.code;
          }
        }
        judge(heard, message, refused);
      }
    }
  }
}

// ---- replies and topics

void Oracle::heard_subscribe_topic(proto::SessionId session, std::uint64_t request,
                                   std::uint32_t alias,
                                   const std::vector<proto::LogId>& partitions) {
  asked_[{session, request}] = {alias, Reader{partitions, {}}};
}

void Oracle::said_of_handles(const std::vector<HeardRange>& handles,
                             const proto::Result<core::Reply>& reply) {
  const auto* many = reply ? std::get_if<core::SettledMany>(&*reply) : nullptr;
  if (many != nullptr && many->outcomes.size() != handles.size()) {
    world_.violate("not every handle of a request has its outcome");
    return;
  }
  for (std::size_t i = 0; i < handles.size(); ++i) {
    std::optional<std::uint16_t> refused;
    if (!reply) {
      refused = static_cast<std::uint16_t>(reply.error().code);
    } else if (many != nullptr && !many->outcomes[i]) {
      refused = static_cast<std::uint16_t>(many->outcomes[i].error().code);
    }
    world_.fold(refused.value_or(0));
    for (const HeardMessage& message : handles[i].messages) {
      judge(handles[i], message, refused);
    }
  }
}

void Oracle::said_reply(proto::SessionId session, std::uint64_t request,
                        const proto::Result<core::Reply>& reply) {
  ++word_;
  world_.fold(request);
  world_.fold(reply ? reply->index() : static_cast<std::uint64_t>(reply.error().code) + 100);
  if (const auto it = handles_.find({session, request}); it != handles_.end()) {
    said_of_handles(it->second, reply);
    handles_.erase(it);
  }
  said_of_operator(session, request, reply);
  said_of_redrives(session, request, reply);
  if (!reply) {
    return;
  }
  if (const auto* info = std::get_if<core::QueueInfo>(&*reply)) {
    check_bounds(*info);
  } else if (const auto* received = std::get_if<core::Received>(&*reply)) {
    for (const core::Delivery& delivery : received->deliveries) {
      said_delivery(session, 0, delivery, true, received->deliveries.front().grant);
    }
  } else if (const auto* subscribed = std::get_if<core::SubscribedTopic>(&*reply)) {
    const auto it = asked_.find({session, request});
    if (it == asked_.end()) {
      world_.violate("a subscription that nobody asked for");
      return;
    }
    for (const core::PartitionPosition& position : subscribed->positions) {
      it->second.second.next[position.partition] = position.offset;
      if (position.offset > position.high_watermark || position.offset < position.log_start) {
        world_.violate("a subscription begins outside of its log");
      }
    }
    readers_[{session, it->second.first}] = std::move(it->second.second);
    asked_.erase(it);
  }
}

void Oracle::said_topic_batch(proto::SessionId session, const shard::TopicBatch& batch) {
  world_.fold(static_cast<std::uint64_t>(batch.next_offset));
  world_.fold(static_cast<std::uint64_t>(batch.high_watermark));
  const auto it = readers_.find({session, batch.alias});
  if (it == readers_.end() || !it->second.next.contains(batch.partition)) {
    world_.violate("a topic batch before its subscription was confirmed");
    return;
  }
  const proto::LogId log = it->second.partitions[batch.partition];
  proto::Offset& next = it->second.next[batch.partition];
  const auto header = proto::parse_batch_header(batch.batch.view());
  if (!header || header->base_offset > next || header->last_offset() < next ||
      batch.next_offset != header->last_offset() + 1) {
    wrong("a reader saw a gap or a repeat, expected this", log, next, 0);
    return;
  }
  Log& known = logs_.at(log);
  if (batch.high_watermark < batch.next_offset || batch.high_watermark < known.high_watermark) {
    wrong("the high watermark fell", log, batch.high_watermark, 0);
    return;
  }
  known.high_watermark = batch.high_watermark;
  next = batch.next_offset;
  std::string scratch;
  const auto records =
      proto::batch_records(batch.batch.view(), *header, std::size_t{16} << 20, scratch);
  proto::Offset offset = header->base_offset;
  const auto read = records ? proto::for_each_record(
                                  *records, header->record_count,
                                  [&](const proto::RecordView& record) {
                                    const auto number = number_of(record.value.value_or(""));
                                    learn(log, offset, number, origin_of(record), Sight::kLive);
                                    ++offset;
                                  })
                            : proto::Result<>(records.error());
  if (!read) {
    wrong("a topic batch cannot be read", log, offset, 0);
  }
}

}  // namespace weir::sim
