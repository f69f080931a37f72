#include "proto/handle.hpp"
#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <string>
#include <variant>

// Messages that are put off: nobody gets one before it is due, each is in the delay lane or in its
// log, and one that was cancelled does not come.
namespace weir::sim {

using proto::Errc;

/// Whichever of its tries is taken: none is taken before it was heard.
void Oracle::heard_delays(const Batch& batch) {
  const Log& log = logs_.at(batch.log);
  const proto::TimeMs now = host_.moment().time;
  for (std::size_t i = 0; i < batch.messages.size() && !log.topic; ++i) {
    const bool asks =
        i < batch.delays_ms.size() && batch.delays_ms[i] != proto::BatchColumns::kNoDelay;
    const std::int64_t delay_ms = asks ? batch.delays_ms[i] : log.settings.delay_ms;
    Message& message = messages_[batch.messages[i]];
    if (message.delay) {
      message.delay->earliest = std::min(message.delay->earliest, now + delay_ms);
    } else if (delay_ms > 0 || !batch.delays_ms.empty()) {
      // One that does not wait itself goes along with its neighbours.
      message.delay = Delay{.log = batch.log, .earliest = now + delay_ms};
    }
  }
}

/// A message has one offset in the lane, and an offset one message, for ever.
void Oracle::learn_delayed(proto::LogId log, proto::Offset offset, MessageNumber number) {
  if (number == 0 || number >= messages_.size() || !messages_[number].delay) {
    wrong("nobody has put this off", log, offset, number);
    return;
  }
  if (messages_[number].refused) {
    wrong("put off, and its sender heard that it is not stored", log, offset, number);
    return;
  }
  Delay& delay = *messages_[number].delay;
  const auto [known, is_new] = logs_.at(log).lane.emplace(offset, number);
  if (known->second != number) {
    wrong("an offset of the delay lane was given twice", log, offset, number);
  } else if (delay.log != log || (delay.offset >= 0 && delay.offset != offset)) {
    wrong("a message is put off twice", log, offset, number);
  }
  delay.offset = offset;
  if (const auto early = logs_.at(log).early.extract(offset)) {
    delay.earliest = std::min(delay.earliest, early.mapped().earliest);
    delay.may_be_gone = delay.may_be_gone || early.mapped().may_be_gone;
    world_.report().count("operator: changed what was put off before its sender knew of it");
  }
  // Its id tells of this place, wherever it goes from here.
  messages_[number].first = std::pair(log, offset);
  if (!messages_[number].id.empty() && !has_id_of(messages_[number], messages_[number].id)) {
    wrong("a copy has another id than its message, " + messages_[number].id, log, offset, number);
  }
  world_.report().count("message: put off", is_new ? 1 : 0);
}

/// Of a message that is handed out.
void Oracle::check_delay(proto::LogId log, proto::Offset offset, MessageNumber number,
                         const BrokerHost::Moment& given) {
  if (world_.violation() || number >= messages_.size() || !messages_[number].delay) {
    return;
  }
  Delay& delay = *messages_[number].delay;
  proto::TimeMs earliest = delay.earliest;
  if (delay.offset < 0) {
    // Its place in the lane was never heard of: it may be any that somebody has changed.
    for (const auto& [place, change] : logs_.at(delay.log).early) {
      earliest = std::min(earliest, change.earliest);
    }
  }
  if (given.time < earliest) {
    wrong("handed out at " + std::to_string(given.time) + ", and put off until " +
              std::to_string(earliest),
          log, offset, number);
  }
  if (delay.is_cancelled) {
    wrong("handed out, and it was cancelled", log, offset, number);
  }
  world_.report().count("message: handed out that was put off", delay.offset >= 0 ? 1 : 0);
}

void Oracle::heard_change_delayed(proto::SessionId session, std::uint64_t request, proto::LogId log,
                                  const std::vector<std::string>& ids,
                                  std::optional<std::int64_t> delay_ms) {
  std::vector<HeardChange>& heard = delay_changes_[{session, request}];
  Log& of = logs_.at(log);
  for (const std::string& id : ids) {
    HeardChange& change = heard.emplace_back();
    if (delay_ms) {
      change.due = host_.moment().time + *delay_ms;
    }
    const auto place = proto::parse_message_id(id);
    if (!place) {
      continue;
    }
    const auto known = of.lane.find(place->offset);
    if (known == of.lane.end()) {
      EarlyChange& early = of.early[place->offset];
      early.may_be_gone = early.may_be_gone || !delay_ms;
      early.earliest = std::min(early.earliest, change.due.value_or(early.earliest));
      continue;
    }
    change.message = known->second;
    Delay& delay = *messages_[change.message].delay;
    ++delay.open_changes;
    delay.open_cancels += delay_ms ? 0 : 1;
    delay.earliest = std::min(delay.earliest, change.due.value_or(delay.earliest));
  }
}

void Oracle::said_of_delays(const std::vector<HeardChange>& changes,
                            const proto::Result<core::Reply>& reply) {
  const auto* said = reply ? std::get_if<core::DelayedChanged>(&*reply) : nullptr;
  if (said == nullptr) {
    forget_delays(changes);
    return;
  }
  if (said->outcomes.size() != changes.size()) {
    world_.violate("a change of delays was answered for another number of messages");
    return;
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const HeardChange& change = changes[i];
    const proto::Result<>& outcome = said->outcomes[i];
    if (change.message == 0) {
      continue;
    }
    Delay& delay = *messages_[change.message].delay;
    const bool was_alone = delay.open_changes == 1;
    --delay.open_changes;
    delay.open_cancels -= change.due ? 0 : 1;
    if (!outcome) {
      if (outcome.error().code != Errc::kMessageNotFound) {
        wrong("a change of a delay was refused", delay.log, delay.offset, change.message);
      }
      continue;
    }
    if (delay.is_cancelled && was_alone) {
      wrong("a message that was cancelled is still put off", delay.log, delay.offset,
            change.message);
    }
    if (!change.due) {
      delay.is_cancelled = true;
      world_.report().count("operator: cancelled what was put off");
    } else {
      // It was in the lane then, and what was asked of it before has been answered.
      delay.earliest = was_alone ? *change.due : delay.earliest;
      world_.report().count("operator: put something off anew");
    }
  }
}

/// Nobody will hear what became of these.
void Oracle::forget_delays(const std::vector<HeardChange>& changes) {
  for (const HeardChange& change : changes) {
    if (change.message == 0) {
      continue;
    }
    Delay& delay = *messages_[change.message].delay;
    --delay.open_changes;
    delay.open_cancels -= change.due ? 0 : 1;
    delay.may_be_gone = delay.may_be_gone || !change.due;
  }
}

}  // namespace weir::sim
