#pragma once

#include "proto/ids.hpp"

#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::crash {

/// Number of a message, in the order in which it was made for its destination.
using MessageNumber = std::uint64_t;

/// What was seen, and what must never be seen (from `doubled` on).
struct Tally {
  std::uint64_t made = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t unknown = 0;  // made and never answered, by check_done()
  std::uint64_t deliveries = 0;
  std::uint64_t redelivered = 0;   // deliveries of a message that had been delivered before
  std::uint64_t settled = 0;       // acks that the broker confirmed
  std::uint64_t acks_unknown = 0;  // of consumers that never came back, and it is gone

  std::uint64_t doubled = 0;        // one send at two offsets
  std::uint64_t overwritten = 0;    // two sends at one offset
  std::uint64_t lost = 0;           // acknowledged, and neither delivered nor there
  std::uint64_t came_back = 0;      // delivered after its ack was confirmed
  std::uint64_t attempts_fell = 0;  // fewer attempts than were known to be counted
  std::uint64_t attempts_rose = 0;  // more attempts than anybody began
  std::uint64_t damaged = 0;        // a body that nobody sent

  [[nodiscard]] std::uint64_t violations() const {
    return doubled + overwritten + lost + came_back + attempts_fell + attempts_rose + damaged;
  }
  Tally& operator+=(const Tally& other);
};

/// Knows of each message of one queue, or of one partition of a topic, what its clients were told,
/// and compares that with what they see. It stands outside the broker and is asked nothing by it.
/// Thread-safe.
class Oracle {
 public:
  struct Options {
    /// Whoever begins an attempt tells begun() first, so that one more attempt than that is an
    /// error, too.
    bool sees_every_start = true;
    /// What a body may have beside its name.
    std::uint32_t max_filler_bytes = 120;
  };
  explicit Oracle(std::string destination) : Oracle(std::move(destination), Options{}) {}
  Oracle(std::string destination, Options options);

  [[nodiscard]] const std::string& destination() const { return destination_; }

  /// The text of message `number`: recognisable, and any change of it is seen.
  [[nodiscard]] std::string make_body(MessageNumber number) const;
  /// The number in a body that is exactly what make_body() gives; nullopt for any other.
  [[nodiscard]] std::optional<MessageNumber> read_body(std::string_view body) const;

  /// A new message; it is unknown until it is acknowledged.
  MessageNumber make();
  /// The broker said that it is stored at `offset`.
  void acknowledged(MessageNumber number, proto::Offset offset);
  /// A consumer got `body`; `attempts` were counted before. Tells which message it is.
  std::optional<MessageNumber> delivered(std::string_view body, proto::Offset offset,
                                         std::uint32_t attempts, proto::GrantId grant = {});
  /// A consumer is about to say that it begins with the message, or that it failed.
  void begun(MessageNumber number);
  /// The broker confirmed that.
  void begun_confirmed(MessageNumber number, std::uint32_t attempts_before);
  /// A consumer is about to ack what it got with `grant`. Where that is the last that anybody got,
  /// the message may be gone from then on.
  void ack_said(MessageNumber number, proto::GrantId grant = {});
  /// The broker refused that ack.
  void ack_refused(MessageNumber number, proto::GrantId grant = {});
  /// The broker confirmed the ack.
  void settled(MessageNumber number);

  /// Messages that were acknowledged and must still be there.
  [[nodiscard]] std::uint64_t open() const;
  /// The queue is empty (or the topic read to its end): what was acknowledged must have been
  /// settled (or delivered, when `is_topic`), or the last that was said of it is an ack whose
  /// outcome nobody waited for. Call once.
  void check_done(bool is_topic);

  [[nodiscard]] Tally tally() const;
  /// The first violations in words.
  [[nodiscard]] std::vector<std::string> complaints() const;

 private:
  struct Message {
    proto::Offset offset = -1;
    proto::GrantId grant;       // of the last delivery
    std::uint16_t floor = 0;    // attempts that are known to be counted
    std::uint16_t ceiling = 0;  // attempts that anybody may have begun
    bool acknowledged = false;
    bool delivered = false;
    bool ack_said = false;  // and neither confirmed nor refused
    bool settled = false;

    [[nodiscard]] bool is_open() const { return acknowledged && !settled && !ack_said; }
  };

  /// Changes a message and keeps the count of open ones.
  template <class Change>
  void change(MessageNumber number, Change&& with);

  void place(MessageNumber number, proto::Offset offset);
  void complain(std::uint64_t& counter, MessageNumber number, const std::string& what);

  const std::string destination_;
  const Options options_;
  mutable std::mutex mutex_;  // guards everything below
  std::vector<Message> messages_;
  std::vector<MessageNumber> by_offset_;  // kNobody where nothing is known to be
  std::uint64_t open_ = 0;
  Tally tally_;
  std::vector<std::string> complaints_;
};

}  // namespace weir::crash
