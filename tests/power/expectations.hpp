#pragma once

#include "tests/power/journal.hpp"
#include "tests/power/word.hpp"

#include <cstdint>
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
    bool is_stored = false;
    bool may_be_gone = false;
    std::uint64_t gone_from = 0;  // the log that it was acked in, confirmed; 0: none
    std::uint32_t attempts = 0;   // at least
    bool may_be_poison = false;   // a handler said so, perhaps in vain
    std::optional<Lease> lease = std::nullopt;
  };
  struct Log {
    std::string name;
    bool is_topic = false;
    std::uint32_t partition = 0;
    std::string dead_letters;
    std::int64_t max_receive_count = 0;
    std::map<proto::Offset, MessageNumber> at;
    [[nodiscard]] proto::Offset next_offset() const {
      return at.empty() ? 0 : at.rbegin()->first + 1;
    }
  };

  /// Takes the next entry of a journal. Text of the first contradiction in what was said.
  std::optional<std::string> take(const Entry& entry);

  /// Message `number` lies at `offset` of `log`. Text when that cannot be.
  std::optional<std::string> learn(std::uint64_t log, proto::Offset offset, MessageNumber number);

  /// May nobody get the message from this log any more? An ack that came late is confirmed where
  /// the message had died before, too: then the dead-letter queue has it.
  [[nodiscard]] bool is_gone(const Message& message, std::uint64_t log) const;

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
