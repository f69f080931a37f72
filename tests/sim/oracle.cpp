#include "tests/sim/oracle.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/endian.hpp"
#include "proto/names.hpp"
#include "tests/support/sent_places.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

namespace weir::sim {

using proto::Errc;
using proto::SettleKind;

MessageNumber number_of(std::string_view value) {
  MessageNumber number = 0;
  if (value.size() >= 8) {
    for (int i = 7; i >= 0; --i) {
      number = (number << 8) | static_cast<unsigned char>(value[static_cast<std::size_t>(i)]);
    }
  }
  return number;
}

std::string value_of(MessageNumber number, std::size_t bytes) {
  std::string value(std::max<std::size_t>(bytes, 8), 'x');
  for (std::size_t i = 0; i < 8; ++i) {
    value[i] = static_cast<char>(number >> (8 * i));
  }
  return value;
}

void Oracle::queue_exists(const core::QueueInfo& info) {
  const proto::LogId id{info.id.value};
  Log& log = logs_[id];
  log.settings = info.settings;
  log.name = info.name;
  log.is_fifo = proto::is_fifo_name(info.name);
  for (auto& [other, candidate] : logs_) {
    if (!candidate.topic && candidate.name == info.settings.dead_letter_queue) {
      log.dead_letters = other;
      candidate.takes_dead_letters = true;
    }
  }
}

void Oracle::topic_exists(const std::string& name, const std::vector<proto::LogId>& partitions) {
  for (const proto::LogId partition : partitions) {
    logs_[partition].topic = true;
    logs_[partition].name = name;
  }
}

MessageNumber Oracle::new_message(proto::LogId log) {
  messages_.push_back({.home = log});
  return messages_.size() - 1;
}

proto::Offset Oracle::next_offset(proto::LogId log) const {
  return logs_.at(log).at.end();
}

void Oracle::wrong(const std::string& what, proto::LogId log, proto::Offset offset,
                   MessageNumber message) {
  Subject subject{log, {}};
  if (message != 0) {
    subject.messages.push_back(message);
  }
  world_.violate(what + "; message " + std::to_string(message) + " at offset " +
                     std::to_string(offset) + " of log " + std::to_string(log.value),
                 std::move(subject));
}

/// Those that are known to have these offsets.
std::vector<MessageNumber> Oracle::messages_at(proto::LogId log, proto::Offset first,
                                               std::uint32_t count) const {
  std::vector<MessageNumber> found;
  const KnownOffsets& at = logs_.at(log).at;
  for (proto::Offset offset = first; offset < first + count; ++offset) {
    if (const MessageNumber number = at.at(offset); number != 0) {
      found.push_back(number);
    }
  }
  return found;
}

bool Oracle::lasts(const Lease& lease, const BrokerHost::Moment& now) {
  return now.present < lease.deadline ||
         (now.life == lease.life && now.awake_us < lease.awake_until_us);
}

std::int64_t awake_until(const BrokerHost::Moment& from, std::int64_t lease_ms) {
  return from.awake_us + std::max<std::int64_t>(lease_ms - 3, 0) * 1000 * 100 / 102;
}

// ---- sends

void Oracle::heard_send(proto::SessionId session, std::uint64_t send_number, const Batch& batch) {
  if (world_.traces()) {
    world_.trace("send " + std::to_string(send_number) + " session " +
                     std::to_string(session.value) + " log " + std::to_string(batch.log.value) +
                     " from message " + std::to_string(batch.messages.front()) + " count " +
                     std::to_string(batch.messages.size()),
                 {batch.log, batch.messages});
  }
  heard_delays(batch);
  heard_lives(batch);
  for (std::size_t i = 0; i < batch.priorities.size(); ++i) {
    messages_[batch.messages[i]].priority = batch.priorities[i];
  }
  has_lanes_ = has_lanes_ || !batch.priorities.empty() || batch.has_groups;
  sends_[{session, send_number}] = batch;
}

void Oracle::said_sent(proto::SessionId session, const proto::SentEntry& entry) {
  ++word_;
  world_.fold(entry.send_number ^ (std::uint64_t{entry.code} << 32));
  world_.fold(static_cast<std::uint64_t>(entry.base_offset));
  const auto it = sends_.find({session, entry.send_number});
  if (it == sends_.end()) {
    world_.violate("an answer to a send that nobody made");
    return;
  }
  const Batch& batch = it->second;
  if (world_.traces()) {
    world_.trace("sent " + std::to_string(entry.send_number) + " session " +
                     std::to_string(session.value) + " code " + std::to_string(entry.code) +
                     " flags " + std::to_string(entry.flags) + " offset " +
                     std::to_string(entry.base_offset),
                 {batch.log, batch.messages});
  }
  if (entry.code == 0) {
    const bool duplicate = (entry.flags & proto::SentEntry::kDuplicate) != 0;
    world_.report().count(duplicate ? "send: duplicate" : "send: stored");
    const auto places = test::places_of(entry, static_cast<std::uint32_t>(batch.messages.size()));
    for (std::uint32_t i = 0; i < batch.messages.size(); ++i) {
      const MessageNumber number = batch.messages[i];
      const auto& [offset, is_known, is_elsewhere] = places[i];
      const proto::LaneTag lane = proto::lane_tag(offset);
      world_.report().count("message: in a lane of its priority",
                            proto::priority_of(lane) != proto::kDefaultPriority ? 1 : 0);
      world_.report().count("message: in a lane of its group",
                            proto::group_lane_of(lane) != 0 ? 1 : 0);
      world_.report().count("send: divided", is_elsewhere && i == entry.elsewhere.front().index);
      world_.report().count("message: known by its id", is_known ? 1 : 0);
      if (!duplicate && !is_known && messages_[number].stored) {
        wrong("stored again instead of told apart", batch.log, offset, number);
      }
      if (is_put_off(offset)) {
        learn_delayed(batch.log, offset, number);
      } else {
        Place* where = learn(batch.log, offset, number, {}, Sight::kStored);
        if (where != nullptr && !duplicate && !is_known) {
          where->seen = word_;
        }
        if (!is_known) {
          messages_[number].append_time = entry.append_time;
        }
      }
      messages_[number].stored = true;
    }
  } else if (static_cast<Errc>(entry.code) == Errc::kQueueFull) {
    said_full(batch);
  }
  sends_.erase(it);
}

// ---- deliveries

void Oracle::said_delivery(proto::SessionId session, std::uint32_t alias,
                           const core::Delivery& delivery, bool received, proto::GrantId since) {
  ++word_;
  world_.fold(delivery.grant.value);
  world_.fold(static_cast<std::uint64_t>(delivery.base_offset) + delivery.first_index);
  world_.fold(delivery.count ^ (std::uint64_t{delivery.attempts} << 32));
  world_.report().count(delivery.attempts > 0 ? "delivery: again" : "delivery: first");
  if (world_.traces()) {
    world_.trace(
        "delivery session " + std::to_string(session.value) + " alias " + std::to_string(alias) +
            " log " + std::to_string(delivery.queue.value) + " batch " +
            std::to_string(delivery.base_offset) + " from " + std::to_string(delivery.first_index) +
            " count " + std::to_string(delivery.count) + " grant " +
            std::to_string(delivery.grant.value) + " attempts " + std::to_string(delivery.attempts),
        {proto::LogId{delivery.queue.value},
         messages_at(proto::LogId{delivery.queue.value},
                     delivery.base_offset + delivery.first_index, delivery.span)});
  }
  const auto given = host_.drawn_at(delivery.nonce);
  const proto::LogId log{delivery.queue.value};
  if (!given) {
    wrong("a lease with a nonce that was never drawn", log, delivery.base_offset, 0);
    return;
  }
  const proto::Offset begin = delivery.base_offset + delivery.first_index;
  proto::Offset next = begin;
  std::uint32_t records = 0;
  const auto read = proto::for_each_record(
      delivery.records.view(), static_cast<std::int32_t>(delivery.count),
      [&](const proto::RecordView& record) {
        const proto::Offset offset = delivery.base_offset + record.offset_delta;
        if (offset < next || offset >= begin + delivery.span) {
          wrong("a delivery with a message that is not where it says", log, offset, 0);
          return;
        }
        deliver_one(session, alias, delivery, received, since, offset, record, *given);
        check_life(delivery, offset, number_of(record.value.value_or("")), record, *given);
        check_delay(log, offset, number_of(record.value.value_or("")), *given);
        next = offset + 1;
        ++records;
      });
  if (!read || records != delivery.count || next != begin + delivery.span) {
    wrong("a delivery cannot be read", log, next, 0);
  }
  world_.report().count("delivery: around what is done", delivery.span > delivery.count ? 1 : 0);
}

void Oracle::deliver_one(proto::SessionId session, std::uint32_t alias,
                         const core::Delivery& delivery, bool received, proto::GrantId since,
                         proto::Offset offset, const proto::RecordView& record,
                         const BrokerHost::Moment& given) {
  const proto::LogId log{delivery.queue.value};
  const MessageNumber number = number_of(record.value.value_or(""));
  Place* const learnt = learn(log, offset, number, origin_of(record), Sight::kLive);
  if (learnt == nullptr || world_.violation()) {
    return;
  }
  Message& message = messages_[number];
  Place& where = *learnt;
  const bool may_be_unparked = may_have_been_unparked(where);
  if (logs_.at(log).receives_paused) {
    wrong("handed out while receives are paused", log, offset, number);
  }
  if (logs_.at(log).purged.is_behind(offset)) {
    wrong("delivered after it was purged", log, offset, number);
  }
  if (&where != &message.places.back() || where.acked) {
    wrong("delivered after it was acked or had moved", log, offset, number);
  }
  if (where.client_acked) {
    wrong("delivered after its consumer heard that it is acked", log, offset, number);
  }
  if (delivery.attempts < where.attempts) {
    wrong("attempts fell from " + std::to_string(where.attempts) + " to " +
              std::to_string(delivery.attempts),
          log, offset, number);
  }
  if (where.handed_out == 0 && where.unsure_attempts == 0 && delivery.attempts > 0) {
    wrong("attempts do not begin anew, but with " + std::to_string(delivery.attempts), log, offset,
          number);
  }
  if (delivery.failures >= logs_.at(log).settings.max_receive_count) {
    wrong("delivered over its receive limit", log, offset, number);
  }
  if (where.is_poison && !may_be_unparked) {
    wrong("delivered, and it is poison", log, offset, number);
  }
  const int most_failures =
      where.failures + where.unsure_attempts + (where.lease && !where.lease->ended_well ? 1 : 0);
  const bool is_forgiven = may_be_unparked && delivery.failures < where.failures;
  if (delivery.failures > delivery.attempts || delivery.failures > most_failures ||
      (delivery.failures < where.failures && !is_forgiven)) {
    wrong("failures went from " + std::to_string(where.failures) + " to " +
              std::to_string(delivery.failures) + " of " + std::to_string(delivery.attempts) +
              " attempts",
          log, offset, number);
  }
  if (where.lease && !where.lease->may_have_ended && !where.ack_heard &&
      lasts(*where.lease, given)) {
    wrong("delivered at " + std::to_string(given.present) + " while leased until " +
              std::to_string(where.lease->deadline),
          log, offset, number);
  }
  // What comes before it may go back, and takes it along.
  const bool is_follower =
      logs_.at(log).is_fifo && follows(session, alias, since, log, offset, number);
  world_.report().count("delivery: behind another of its group", is_follower ? 1 : 0);
  world_.report().count("message: unparked", is_forgiven || where.is_poison ? 1 : 0);
  where.is_poison = false;
  where.seen = where.handed_out = word_;
  where.attempts = static_cast<std::uint16_t>(delivery.attempts + (received ? 1 : 0));
  where.failures = delivery.failures;
  where.unsure_attempts = 0;
  Lease lease;
  lease.grant = delivery.grant;
  lease.nonce = delivery.nonce;
  lease.base_offset = delivery.base_offset;
  lease.session = session;
  lease.alias = alias;
  lease.deadline = lease.latest = given.present + delivery.lease_ms;
  lease.awake_until_us = awake_until(given, delivery.lease_ms);
  lease.life = given.life;
  lease.started_heard = lease.started_said = received;
  lease.is_follower = is_follower;
  lease.may_have_ended = is_follower || (!received && unsubscribed_.contains({session, alias}));
  where.lease = lease;
  where.ack_heard = false;
  leases_[session].push_back({number, log, offset});
}

/// What a session had not begun goes back when it ends.
void Oracle::end_leases(proto::SessionId session, std::optional<std::uint32_t> alias) {
  const auto it = leases_.find(session);
  if (it == leases_.end()) {
    return;
  }
  for (const auto& [number, log, offset] : it->second) {
    Place* where = find_place(number, log, offset);
    if (where->lease && where->lease->session == session && !where->lease->started_heard &&
        !where->lease->started_said && (!alias || where->lease->alias == *alias)) {
      where->lease->may_have_ended = true;
      if (where->lease->settler.value != 0 && where->lease->settler != session) {
        expect_nothing_of_others(session, log, where->lease->grant, number);
      }
    }
  }
}

void Oracle::heard_unsubscribe(proto::SessionId session, std::uint32_t alias) {
  unsubscribed_.emplace(session, alias);
  end_leases(session, alias);
}

void Oracle::session_closed(proto::SessionId session) {
  end_leases(session, std::nullopt);
  leases_.erase(session);
  // Nobody hears the answers any more, so none is given.
  const auto of_session = [session](const auto& entry) { return entry.first.first == session; };
  std::erase_if(sends_, of_session);
  std::erase_if(settles_, of_session);
  std::erase_if(handles_, of_session);
  forget_operators(session);
}

void Oracle::expect_all_answered() {
  if (!sends_.empty() || !settles_.empty() || !handles_.empty()) {
    world_.violate("a stop in order leaves " + std::to_string(sends_.size()) + " sends and " +
                   std::to_string(settles_.size() + handles_.size()) +
                   " settlements without an answer");
  }
}

void Oracle::disk_lost(const Oracle& then) {
  const std::vector<Message> later = std::exchange(messages_, then.messages_);
  for (std::size_t i = messages_.size(); i < later.size(); ++i) {
    messages_.push_back({.home = later[i].home});
    messages_.back().heard_time = later[i].heard_time;
    messages_.back().life = later[i].life;
    messages_.back().delay = later[i].delay;
  }
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    // Where it lies, and until when it was put off at last, may be lost as well.
    if (!messages_[i].delay) {
      messages_[i].delay = later[i].delay;
    }
    if (std::optional<Delay>& delay = messages_[i].delay; delay && later[i].delay) {
      delay->earliest = std::min(delay->earliest, later[i].delay->earliest);
      delay->may_be_gone = delay->may_be_gone || later[i].delay->may_have_gone();
      delay->is_cancelled = false;
      delay->open_changes = delay->open_cancels = 0;
      delay->offset = i < then.messages_.size() && then.messages_[i].delay
                          ? then.messages_[i].delay->offset
                          : -1;
    }
  }
  const std::map<proto::LogId, Log> later_logs = std::exchange(logs_, then.logs_);
  for (auto& [id, log] : logs_) {
    // What was asked of it since then may be stored or not.
    const Log& later_log = later_logs.at(id);
    log.purges = later_log.purges;
    log.takes_redriven = later_log.takes_redriven;
    for (Redriven redrive : later_log.redrives) {
      if (redrive.number > then.last_redrive_) {
        redrive.said.reset();
        redrive.over = Redriven::kAlways;
        redrive.copies.clear();
        log.redrives.push_back(std::move(redrive));
      }
    }
    log.receives_paused = false;
    log.may_be_purged = !log.topic;
  }
  broker_lost();
}

void Oracle::broker_lost() {
  ++crashes_;
  // A message may have been handed out to a receive whose answer was never said, just as its send
  // was stored and never answered.
  for (Message& message : messages_) {
    message.early_crashes += message.places.empty() ? 1 : 0;
    for (Place& where : message.places) {
      if (where.lease) {
        where.lease->may_have_ended = where.lease->may_have_ended || !where.lease->started_said;
        where.lease->latest = kNever;
      }
      ++where.unsure_attempts;
    }
  }
  sends_.clear();
  settles_.clear();
  handles_.clear();
  forget_operators(std::nullopt);
  leases_.clear();
  asked_.clear();
  readers_.clear();
  unsubscribed_.clear();
}

}  // namespace weir::sim
