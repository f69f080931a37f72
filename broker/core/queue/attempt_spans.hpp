#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::core {

/// Neighbouring messages of one batch, and rows of history that they share: one for each of the
/// attempts `from` to `to`. What a row tells holds for all of the messages that were not done when
/// the attempt ended.
struct AttemptSpan {
  std::uint32_t first = 0;  // was not done
  std::uint16_t from = 0;
  std::uint16_t to = 0;
  std::uint8_t count = 0;  // of messages

  [[nodiscard]] std::uint32_t end() const { return first + count; }
  [[nodiscard]] bool tells_of(std::uint32_t index, std::uint16_t number) const {
    return first <= index && index < end() && from <= number && number <= to;
  }
  friend bool operator==(const AttemptSpan&, const AttemptSpan&) = default;
};

/// Which rows of history the messages of a batch have, so that each goes with the last message that
/// it tells of, and nothing is read for that. No two tell of the same attempt at the same message.
/// A message has two or three, however often it is attempted; what a change costs follows those of
/// kMaxMessages messages, not of the batch.
class AttemptSpans {
 public:
  /// None reaches over a multiple of it: what has to do with a message is found among few.
  static constexpr std::uint32_t kMaxMessages = 64;
  /// Of no attempt any more, the first one neither.
  static constexpr int kAll = UINT16_MAX + 1;

  /// From a row, by their first messages, then by number. False when they cannot be those of a
  /// batch of `size` messages.
  bool restore(const std::vector<AttemptSpan>& spans, std::uint32_t size);
  /// In that order.
  [[nodiscard]] std::vector<AttemptSpan> all() const;
  [[nodiscard]] std::size_t memory_bytes() const;
  /// Another row. One that is there already stays as it is.
  void add(std::uint32_t first, std::uint8_t count, std::uint16_t number);
  /// Takes out rows of messages in [first, end): `too_old(span)` is the number of the last attempt
  /// that nobody wants to know of any more, besides the first one, or kAll.
  template <class TooOld>
  std::vector<AttemptSpan> take(std::uint32_t first, std::uint32_t end, TooOld too_old) {
    std::vector<AttemptSpan> taken;
    const std::size_t words = std::min<std::size_t>(words_.size(), (end - 1) / kMaxMessages + 1);
    const auto last_to_go = [&](const AttemptSpan& span) {
      return span.first < end && span.end() > first ? too_old(span) : 0;
    };
    for (std::size_t word = first / kMaxMessages; word < words; ++word) {
      if (std::ranges::none_of(words_[word], [&](const AttemptSpan& span) {
            return first_to_go(span, last_to_go(span)).has_value();
          })) {
        continue;
      }
      Spans kept;
      for (const AttemptSpan& span : words_[word]) {
        cut(span, last_to_go(span), kept, taken);
      }
      words_[word] = std::move(kept);
    }
    return taken;
  }

 private:
  using Spans = std::vector<AttemptSpan>;
  /// The first of the span's attempts that goes, where those up to `last` do; nullopt: none.
  static std::optional<int> first_to_go(const AttemptSpan& span, int last);
  /// Shares a span out among what stays and what goes, up to the attempt `last`.
  static void cut(const AttemptSpan& span, int last, Spans& kept, Spans& taken);

  std::vector<Spans> words_;  // of kMaxMessages messages each, as far as there are any
};

}  // namespace weir::core
