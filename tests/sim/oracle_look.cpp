#include "proto/batch/record_batch.hpp"
#include "tests/sim/oracle.hpp"

#include <limits>
#include <string>
#include <variant>

// What a queue shows of its messages to somebody who only looks: of the store at some moment
// between the question and the answer. So nothing is shown that was gone before the question, and
// nothing is missing that was there before it and still is.
namespace weir::sim {

void Oracle::heard_look(proto::SessionId session, std::uint64_t request, proto::LogId log,
                        const core::PeekQueue& command) {
  Look& look = looks_[{session, request}];
  look.log = log;
  look.asked = command;
  for (const Message& message : messages_) {
    for (const Place& place : message.places) {
      if (place.log != log || place.offset < 0) {
        continue;
      }
      if (is_open(message, place)) {
        look.open.emplace(place.offset, place.attempts);
      } else if (place.acked || place.client_acked ||
                 logs_.at(log).purged.is_behind(place.offset)) {
        look.gone.insert(place.offset);
      }
    }
  }
}

void Oracle::said_look(const Look& look, const proto::Result<core::Reply>& reply) {
  const auto* said = reply ? std::get_if<core::Peeked>(&*reply) : nullptr;
  if (said == nullptr) {
    if (!reply && reply.error().code == proto::Errc::kMessageNotFound) {
      expect_not_given(look);
    }
    return;
  }
  std::set<proto::Offset> shown;
  proto::Offset least = look.asked.from_offset;
  for (const core::PeekedMessage& message : said->messages) {
    const proto::Offset offset = message.base_offset + message.index;
    if (offset < least || (!is_put_off(offset) && offset >= said->next_offset)) {
      wrong("shown out of order", look.log, offset, 0);
      return;
    }
    least = offset + 1;
    shown.insert(offset);
    check_shown(look, message, offset);
  }
  expect_shown(look, *said, shown);
}

/// It was told that no message has the id that it asked for.
void Oracle::expect_not_given(const Look& look) {
  for (const auto& [offset, attempts] : look.open) {
    const MessageNumber number = logs_.at(look.log).at.at(offset);
    if (has_id_of(messages_[number], look.asked.filter.message_id)) {
      wrong("nobody is said to have its id", look.log, offset, number);
      return;
    }
  }
  world_.report().count("look: an id of nobody");
}

/// All that was there before the question and still is, or the one of the id that was asked for.
void Oracle::expect_shown(const Look& look, const core::Peeked& said,
                          const std::set<proto::Offset>& shown) {
  const core::MessageFilter& filter = look.asked.filter;
  const bool is_by_id = !filter.message_id.empty();
  // An id of before an import is told to be one.
  if ((is_by_id ? said.is_older_id : !filter.takes_all()) ||
      look.asked.state != core::MessageState::kAny) {
    return;
  }
  const proto::Offset end =
      said.is_end ? std::numeric_limits<proto::Offset>::max() : said.next_offset;
  for (auto it = look.open.lower_bound(look.asked.from_offset);
       it != look.open.end() && it->first < end; ++it) {
    const MessageNumber number = logs_.at(look.log).at.at(it->first);
    const Message& message = messages_[number];
    if (is_by_id && !has_id_of(message, filter.message_id)) {
      continue;
    }
    const Place* place = find_place(number, look.log, it->first);
    if (place != nullptr && is_open(message, *place) && !shown.contains(it->first)) {
      wrong("not shown, and it is there", look.log, it->first, number);
      return;
    }
    world_.report().count(is_by_id ? "look: the one of an id" : "look: what must be shown");
  }
}

void Oracle::check_shown(const Look& look, const core::PeekedMessage& shown, proto::Offset offset) {
  const auto read = proto::decode_record(shown.record.view());
  const MessageNumber number = read ? number_of(read->record.value.value_or("")) : 0;
  if (number == 0 || number >= messages_.size()) {
    wrong("shown, and nobody sent this", look.log, offset, number);
    return;
  }
  const Message& message = messages_[number];
  const Log& log = logs_.at(look.log);
  const auto put_off = log.lane.find(offset);
  const MessageNumber known = put_off != log.lane.end() ? put_off->second : log.at.at(offset);
  if (known != 0 && known != number) {
    wrong("shown where message " + std::to_string(known) + " lies", look.log, offset, number);
  } else if (look.gone.contains(offset)) {
    wrong("shown, and it was gone", look.log, offset, number);
  } else if (message.first && !has_id_of(message, shown.id)) {
    wrong("shown with another id, " + shown.id, look.log, offset, number);
  } else if (look.asked.state != core::MessageState::kAny && look.asked.state != shown.state) {
    wrong("shown, and it is in another state", look.log, offset, number);
  } else if (const auto open = look.open.find(offset);
             open != look.open.end() && shown.attempts < open->second) {
    wrong("shown with " + std::to_string(shown.attempts) + " attempts, it had " +
              std::to_string(open->second),
          look.log, offset, number);
  } else if (shown.history.size() > shown.attempts || shown.failures > shown.attempts) {
    wrong("shown with more past than attempts", look.log, offset, number);
  }
  const core::MessageFilter& filter = look.asked.filter;
  if ((!filter.key.empty() && read->record.key != filter.key) ||
      (!filter.message_id.empty() && shown.id != filter.message_id)) {
    wrong("shown, and the filter does not take it", look.log, offset, number);
  }
  world_.report().count("look: a message", 1);
  world_.report().count("look: what is put off", is_put_off(offset) ? 1 : 0);
  world_.report().count("look: with a past", shown.history.empty() ? 0 : 1);
}

}  // namespace weir::sim
