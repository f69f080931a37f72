#include "tests/power/expectations.hpp"

#include "proto/names.hpp"

#include <algorithm>
#include <cstring>

namespace weir::power {
namespace {

std::string place(std::uint64_t log, proto::Offset offset, MessageNumber number) {
  return ": message " + std::to_string(number) + " at offset " + std::to_string(offset) +
         " of log " + std::to_string(log);
}

}  // namespace

std::optional<std::string> Expectations::take(const Entry& entry) {
  switch (entry.step) {
    case Step::kCommitBegin:
      std::memcpy(&digests_[entry.at], entry.bytes.data(), sizeof(std::uint64_t));
      return std::nullopt;
    case Step::kCommitEnd:
      promised_ = entry.at;
      return std::nullopt;
    case Step::kRecovered:
      digests_.erase(digests_.upper_bound(entry.at), digests_.end());
      promised_ = entry.at;
      return std::nullopt;
    case Step::kWord: {
      Word word;
      std::memcpy(&word, entry.bytes.data(), sizeof(word));
      return hear(word);
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::string> Expectations::learn(std::uint64_t log, proto::Offset offset,
                                               MessageNumber number) {
  if (!messages_.contains(number)) {
    return "nobody sent this" + place(log, offset, number);
  }
  const auto [known, is_new] = logs_[log].at.try_emplace(offset, number);
  if (known->second != number) {
    return "an offset was given twice" + place(log, offset, number);
  }
  return std::nullopt;
}

bool Expectations::is_gone(const Message& message, std::uint64_t log) const {
  if (message.gone_from == 0) {
    return false;
  }
  const Log& from = logs_.at(message.gone_from);
  const bool may_have_died = message.may_be_poison || message.attempts >= from.max_receive_count ||
                             (from.keeps_expired && message.may_expire_at() <= now_);
  return log == message.gone_from || !may_have_died || from.dead_letters != logs_.at(log).name;
}

bool Expectations::may_have_expired(const Message& message, proto::TimeMs now) const {
  const Log& home = logs_.at(message.home);
  return message.may_expire_at() <= now && (home.dead_letters.empty() || !home.keeps_expired);
}

bool Expectations::may_have_ended(MessageNumber number, proto::TimeMs now) const {
  const Message& message = messages_.at(number);
  const Word& held = message.lease->word;
  if (message.lease->may_end() || !proto::is_fifo_name(logs_.at(held.log).name)) {
    return message.lease->may_end();
  }
  const std::uint32_t groups = message.extras.groups;
  return std::ranges::any_of(messages_, [&](const auto& entry) {
    const auto& [other_number, other] = entry;
    return other.lease && other.lease->word.log == held.log &&
           other.lease->word.offset < held.offset && other_number % groups == number % groups &&
           other.gone_from != held.log &&
           (other.lease->may_end() || other.lease->was_nacked || other.lease->not_before <= now);
  });
}

std::optional<std::string> Expectations::check_times(std::uint64_t log, proto::Offset offset,
                                                     MessageNumber number,
                                                     proto::TimeMs now) const {
  const Message& message = messages_.at(number);
  if (now < message.due()) {
    return "handed out before it is due" + place(log, offset, number);
  }
  // Where it died its life is over: what it says of it there is history.
  if (log == message.home && now >= message.expires_by()) {
    return "handed out though it is of no use any more" + place(log, offset, number);
  }
  return std::nullopt;
}

std::optional<std::string> Expectations::hear(const Word& word) {
  now_ = std::max(now_, word.now);
  switch (word.kind) {
    case Word::Kind::kQueue:
    case Word::Kind::kTopic: {
      Log& log = logs_[word.log];
      log.name = word.name.data();
      log.is_topic = word.kind == Word::Kind::kTopic;
      log.partition = word.index;
      log.dead_letters = word.dead_letters.data();
      log.max_receive_count = word.max_receive_count;
      log.keeps_expired = word.keeps_expired;
      return std::nullopt;
    }
    case Word::Kind::kProducer:
      producer_ = word;
      return std::nullopt;
    case Word::Kind::kSendAsked:
      hear_send_asked(word);
      return std::nullopt;
    case Word::Kind::kSendStored:
      for (std::uint32_t i = 0; i < word.count; ++i) {
        Message& message = messages_[word.number + i];
        message.is_stored = true;
        message.came_by = std::min(message.came_by, word.now);
        if (auto wrong = learn(word.log, word.offset + i, word.number + i)) {
          return wrong;
        }
      }
      return std::nullopt;
    case Word::Kind::kRead:
      return learn(word.log, word.offset, word.number);
    case Word::Kind::kHandedOut:
      return hear_hand_out(word);
    case Word::Kind::kSettleAsked: {
      Message& message = messages_[word.number];
      message.may_be_gone = message.may_be_gone || word.settle == proto::SettleKind::kAck;
      message.may_be_poison = message.may_be_poison || word.settle == proto::SettleKind::kPoison;
      if (message.lease && message.lease->word.nonce == word.nonce) {
        ++message.lease->unanswered;
      }
      return std::nullopt;
    }
    case Word::Kind::kSettled:
      hear_settled(word);
      return std::nullopt;
  }
  return std::nullopt;
}

void Expectations::hear_send_asked(const Word& word) {
  for (std::uint32_t i = 0; i < word.count; ++i) {
    messages_.try_emplace(
        word.number + i,
        Message{.home = word.log, .at = word.log, .extras = word.extras, .asked_at = word.now});
  }
  if (const auto last = last_sends_.find(word.log);
      last == last_sends_.end() || last->second.number <= word.number) {
    last_sends_[word.log] = word;
  }
}

std::optional<std::string> Expectations::hear_hand_out(const Word& word) {
  if (auto wrong = learn(word.log, word.offset, word.number)) {
    return wrong;
  }
  if (auto wrong = check_times(word.log, word.offset, word.number, word.now)) {
    return wrong;
  }
  Message& message = messages_[word.number];
  if (is_gone(message, word.log)) {
    return "handed out after its ack was confirmed" + place(word.log, word.offset, word.number);
  }
  if (message.at != word.log) {
    message.attempts = 0;  // a dead-letter queue counts anew
    message.at = word.log;
    // An ack that came when the message was already on its way here was for the other queue.
    message.gone_from = 0;
    message.may_be_gone = false;
    message.may_be_poison = false;
  }
  if (word.attempts < message.attempts) {
    return "attempts fell" + place(word.log, word.offset, word.number);
  }
  message.attempts = word.attempts + (word.is_started ? 1 : 0);
  message.lease = Lease{.word = word, .not_before = word.until};
  return std::nullopt;
}

void Expectations::hear_settled(const Word& word) {
  Message& message = messages_[word.number];
  if (word.settle == proto::SettleKind::kAck && message.at == word.log) {
    message.gone_from = word.log;
  }
  if (!message.lease || message.lease->word.nonce != word.nonce) {
    return;
  }
  Lease& lease = *message.lease;
  --lease.unanswered;
  switch (word.settle) {
    case proto::SettleKind::kNack:
    case proto::SettleKind::kPoison:
    case proto::SettleKind::kTransient:
    case proto::SettleKind::kNotNow:
      lease.was_nacked = true;
      lease.not_before = word.until;
      message.attempts = std::max(message.attempts, word.attempts + 1);
      return;
    case proto::SettleKind::kExtend:
      lease.not_before = word.until;
      return;
    case proto::SettleKind::kStarted:
      message.attempts = std::max(message.attempts, word.attempts + 1);
      return;
    case proto::SettleKind::kRelease:
      lease.was_nacked = true;
      lease.not_before = 0;
      return;
    case proto::SettleKind::kAck:
      return;
  }
}

}  // namespace weir::power
