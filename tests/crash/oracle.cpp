#include "tests/crash/oracle.hpp"

#include "tests/crash/random.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::crash {
namespace {

constexpr MessageNumber kNobody = std::numeric_limits<MessageNumber>::max();
constexpr std::size_t kMaxComplaints = 20;
constexpr std::uint64_t kFillerMin = 8;

}  // namespace

Tally& Tally::operator+=(const Tally& other) {
  made += other.made;
  acknowledged += other.acknowledged;
  unknown += other.unknown;
  deliveries += other.deliveries;
  redelivered += other.redelivered;
  settled += other.settled;
  acks_unknown += other.acks_unknown;
  doubled += other.doubled;
  overwritten += other.overwritten;
  lost += other.lost;
  came_back += other.came_back;
  attempts_fell += other.attempts_fell;
  attempts_rose += other.attempts_rose;
  damaged += other.damaged;
  return *this;
}

Oracle::Oracle(std::string destination, Options options)
    : destination_(std::move(destination)), options_(options) {}

std::string Oracle::make_body(MessageNumber number) const {
  std::string body(destination_);
  body += ' ';
  body += std::to_string(number);
  body += ' ';
  Random random(number * 31 + destination_.size());
  const std::uint64_t filler = random.between(kFillerMin, options_.max_filler_bytes);
  for (std::uint64_t i = 0; i < filler; i += 8) {
    std::uint64_t bits = random.next();
    for (int j = 0; j < 8; ++j, bits >>= 8U) {
      body += static_cast<char>('a' + bits % 26);
    }
  }
  return body;
}

std::optional<MessageNumber> Oracle::read_body(std::string_view body) const {
  if (!body.starts_with(destination_) || body.size() <= destination_.size() + 1) {
    return std::nullopt;
  }
  MessageNumber number = 0;
  const char* at = body.data() + destination_.size() + 1;
  const auto [end, error] = std::from_chars(at, body.data() + body.size(), number);
  if (error != std::errc() || make_body(number) != body) {
    return std::nullopt;
  }
  return number;
}

MessageNumber Oracle::make() {
  const std::scoped_lock lock(mutex_);
  messages_.emplace_back();
  ++tally_.made;
  return messages_.size() - 1;
}

void Oracle::complain(std::uint64_t& counter, MessageNumber number, const std::string& what) {
  ++counter;
  if (complaints_.size() < kMaxComplaints) {
    complaints_.push_back(destination_ + " " + std::to_string(number) + ": " + what);
  }
}

template <class Change>
void Oracle::change(MessageNumber number, Change&& with) {
  Message& message = messages_.at(number);
  const bool was_open = message.is_open();
  with(message);
  open_ -= was_open ? 1 : 0;
  open_ += message.is_open() ? 1 : 0;
}

void Oracle::place(MessageNumber number, proto::Offset offset) {
  Message& message = messages_[number];
  if (message.offset >= 0 && message.offset != offset) {
    complain(tally_.doubled, number,
             "at offset " + std::to_string(message.offset) + " and at " + std::to_string(offset));
    return;
  }
  message.offset = offset;
  const auto index = static_cast<std::size_t>(std::max<proto::Offset>(offset, 0));
  if (index >= by_offset_.size()) {
    by_offset_.resize(index + 1, kNobody);
  }
  if (by_offset_[index] != kNobody && by_offset_[index] != number) {
    complain(tally_.overwritten, number,
             "at offset " + std::to_string(offset) + " where " + std::to_string(by_offset_[index]) +
                 " is");
  }
  by_offset_[index] = number;
}

void Oracle::acknowledged(MessageNumber number, proto::Offset offset) {
  const std::scoped_lock lock(mutex_);
  change(number, [this](Message& message) {
    tally_.acknowledged += message.acknowledged ? 0 : 1;
    message.acknowledged = true;
  });
  place(number, offset);
}

std::optional<MessageNumber> Oracle::delivered(std::string_view body, proto::Offset offset,
                                               std::uint32_t attempts, proto::GrantId grant) {
  const std::optional<MessageNumber> number = read_body(body);
  const std::scoped_lock lock(mutex_);
  ++tally_.deliveries;
  if (!number || *number >= messages_.size()) {
    complain(tally_.damaged, kNobody, "a body that nobody sent, at " + std::to_string(offset));
    return std::nullopt;
  }
  place(*number, offset);
  Message& message = messages_[*number];
  if (message.settled) {
    complain(tally_.came_back, *number, "delivered again although its ack was confirmed");
  }
  if (attempts < message.floor) {
    complain(tally_.attempts_fell, *number,
             std::to_string(attempts) + " attempts after " + std::to_string(message.floor));
  }
  if (options_.sees_every_start && attempts > message.ceiling) {
    complain(tally_.attempts_rose, *number,
             std::to_string(attempts) + " attempts where at most " +
                 std::to_string(message.ceiling) + " were begun");
  }
  tally_.redelivered += message.delivered ? 1 : 0;
  change(*number, [grant](Message& seen) {
    seen.delivered = true;
    seen.grant = grant;
    seen.ack_said = false;  // an ack of an earlier delivery was not heard, and never will be
  });
  message.floor = std::max(message.floor, static_cast<std::uint16_t>(attempts));
  message.ceiling = static_cast<std::uint16_t>(attempts);
  return number;
}

void Oracle::begun(MessageNumber number) {
  const std::scoped_lock lock(mutex_);
  ++messages_.at(number).ceiling;
}

void Oracle::begun_confirmed(MessageNumber number, std::uint32_t attempts_before) {
  const std::scoped_lock lock(mutex_);
  Message& message = messages_.at(number);
  message.floor = std::max(message.floor, static_cast<std::uint16_t>(attempts_before + 1));
}

void Oracle::ack_said(MessageNumber number, proto::GrantId grant) {
  const std::scoped_lock lock(mutex_);
  change(number, [grant](Message& message) { message.ack_said |= message.grant == grant; });
}

void Oracle::ack_refused(MessageNumber number, proto::GrantId grant) {
  const std::scoped_lock lock(mutex_);
  change(number, [grant](Message& message) { message.ack_said &= message.grant != grant; });
}

void Oracle::settled(MessageNumber number) {
  const std::scoped_lock lock(mutex_);
  change(number, [this](Message& message) {
    tally_.settled += message.settled ? 0 : 1;
    message.settled = true;
  });
}

std::uint64_t Oracle::open() const {
  const std::scoped_lock lock(mutex_);
  return open_;
}

void Oracle::check_done(bool is_topic) {
  const std::scoped_lock lock(mutex_);
  for (MessageNumber number = 0; number < messages_.size(); ++number) {
    const Message& message = messages_[number];
    tally_.unknown += message.acknowledged ? 0 : 1;
    if (message.acknowledged && !message.delivered) {
      complain(tally_.lost, number, "acknowledged and never delivered");
    } else if (message.acknowledged && !is_topic && !message.settled) {
      if (message.ack_said) {
        ++tally_.acks_unknown;
        continue;
      }
      complain(tally_.lost, number, "delivered and never settled, but no longer there");
    }
  }
}

Tally Oracle::tally() const {
  const std::scoped_lock lock(mutex_);
  return tally_;
}

std::vector<std::string> Oracle::complaints() const {
  const std::scoped_lock lock(mutex_);
  return complaints_;
}

}  // namespace weir::crash
