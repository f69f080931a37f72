#pragma once

#include "broker/core/queue/queue.hpp"
#include "tests/power/journal.hpp"
#include "tests/power/word.hpp"

#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::power {

/// What everything said up to a moment obliges the broker to: nothing that was asked and not
/// answered counts in either direction.
class Expectations {
 public:
  static constexpr proto::TimeMs kNotKnown = std::numeric_limits<proto::TimeMs>::max();
  struct Lease {
    Word word;
    proto::TimeMs not_before = 0;  // broker time before which nobody else may get the message
    std::uint32_t unanswered = 0;  // settlements that were asked for and not confirmed
    bool was_nacked = false;       // it is over, and not_before is a delay
    /// What is not begun goes back when its session ends, and that can be at any time.
    [[nodiscard]] bool may_end() const { return unanswered > 0 || !word.is_started; }
  };
  struct Message {
    std::uint64_t home = 0;
    std::uint64_t at = 0;  // the log that it was seen in last
    Extras extras = {};
    proto::TimeMs asked_at = 0;  // first
    // The last moment at which it can have come, once an answer has said that it is stored.
    proto::TimeMs came_by = kNotKnown;
    bool is_stored = false;
    bool may_be_gone = false;
    std::uint64_t gone_from = 0;  // the log that it was acked in, confirmed; 0: none
    std::uint32_t attempts = 0;   // at least
    bool may_be_poison = false;   // a handler said so, perhaps in vain
    std::optional<Lease> lease = std::nullopt;

    /// Nobody gets it before.
    [[nodiscard]] proto::TimeMs due() const { return asked_at + extras.delay_ms; }
    /// From then on it may be gone, and from the other time on it surely is of no use.
    [[nodiscard]] proto::TimeMs may_expire_at() const {
      return extras.ttl_ms > 0 ? due() + extras.ttl_ms : kNotKnown;
    }
    [[nodiscard]] proto::TimeMs expires_by() const {
      // The life of what is put off begins when it is moved, and a broker that is down does not.
      const bool is_known = extras.ttl_ms > 0 && extras.delay_ms == 0 && came_by != kNotKnown;
      return is_known ? came_by + extras.ttl_ms : kNotKnown;
    }
  };
  struct Log {
    std::string name;
    bool is_topic = false;
    std::uint32_t partition = 0;
    std::string dead_letters;
    std::int64_t max_receive_count = 0;
    bool keeps_expired = false;  // in its dead-letter queue
    std::map<proto::Offset, MessageNumber> at;
    /// Of its own log, beside which a queue has lanes, and messages that are put off.
    [[nodiscard]] proto::Offset next_offset() const {
      const auto behind = at.lower_bound(core::Queue::DelayLane::kFirstOffset);
      return behind == at.begin() ? 0 : std::prev(behind)->first + 1;
    }
  };

  /// Takes the next entry of a journal. Text of the first contradiction in what was said.
  std::optional<std::string> take(const Entry& entry);

  /// Message `number` lies at `offset` of `log`. Text when that cannot be.
  std::optional<std::string> learn(std::uint64_t log, proto::Offset offset, MessageNumber number);

  /// Text when the message must not be handed out from there at that time, by its own words.
  [[nodiscard]] std::optional<std::string> check_times(std::uint64_t log, proto::Offset offset,
                                                       MessageNumber number,
                                                       proto::TimeMs now) const;

  /// May nobody get the message from this log any more? An ack that came late is confirmed where
  /// the message had died before, too: then the dead-letter queue has it.
  [[nodiscard]] bool is_gone(const Message& message, std::uint64_t log) const;

  /// May the message have gone by then because it had come to the end of its life? What its queue
  /// keeps in a dead-letter queue is there instead.
  [[nodiscard]] bool may_have_expired(const Message& message, proto::TimeMs now) const;

  /// May the lease that it has have ended before its time, by itself or with that of one before it
  /// in its group? What goes back in a FIFO queue takes those behind it along.
  [[nodiscard]] bool may_have_ended(MessageNumber number, proto::TimeMs now) const;

  [[nodiscard]] const std::map<std::uint64_t, Log>& logs() const { return logs_; }
  [[nodiscard]] const std::map<MessageNumber, Message>& messages() const { return messages_; }
  [[nodiscard]] const std::optional<Word>& producer() const { return producer_; }
  /// The newest batch for a log, whether it was answered or not.
  [[nodiscard]] const std::map<std::uint64_t, Word>& last_sends() const { return last_sends_; }
  [[nodiscard]] proto::TimeMs now() const { return now_; }

  /// Commits that the store has promised, and the digests of the rows behind each commit that may
  /// have become durable.
  [[nodiscard]] std::uint64_t promised() const { return promised_; }
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& digests() const { return digests_; }

 private:
  std::optional<std::string> hear(const Word& word);
  void hear_send_asked(const Word& word);
  std::optional<std::string> hear_hand_out(const Word& word);
  void hear_settled(const Word& word);

  std::map<std::uint64_t, Log> logs_;
  std::map<MessageNumber, Message> messages_;
  std::map<std::uint64_t, Word> last_sends_;
  std::optional<Word> producer_;
  proto::TimeMs now_ = 0;
  std::uint64_t promised_ = 0;
  std::map<std::uint64_t, std::uint64_t> digests_;
};

}  // namespace weir::power
