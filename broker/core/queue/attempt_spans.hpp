#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::core {

/// Neighbouring messages of one batch that share a row of history: what it tells of an attempt
/// holds for all of them that were not done when it ended.
struct AttemptSpan {
  std::uint32_t first = 0;   // was not done
  std::uint16_t number = 0;  // of the attempt
  std::uint8_t count = 0;    // of messages

  [[nodiscard]] std::uint32_t end() const { return first + count; }
  friend bool operator==(const AttemptSpan&, const AttemptSpan&) = default;
};

/// Which rows of history the messages of a batch have, so that each goes with the last message that
/// it tells of, and nothing is read for that. Two spans of the same number share no message that is
/// not done.
class AttemptSpans {
 public:
  /// None reaches over a multiple of it: what has to do with a message is found among few.
  static constexpr std::uint32_t kMaxMessages = 64;

  /// By their first messages, then by number.
  [[nodiscard]] const std::vector<AttemptSpan>& all() const { return spans_; }
  /// From a row. False when they cannot be those of a batch of `size` messages.
  bool restore(std::vector<AttemptSpan> spans, std::uint32_t size);
  /// One that is there already stays as it is.
  void add(const AttemptSpan& span);
  /// Takes out those that have messages in [first, end) and that `is_over`.
  template <class IsOver>
  std::vector<AttemptSpan> take(std::uint32_t first, std::uint32_t end, IsOver is_over) {
    std::vector<AttemptSpan> taken;
    const auto [low, high] = meeting(first, end);
    const auto gone = std::remove_if(low, high, [&](const AttemptSpan& span) {
      const bool goes = span.end() > first && is_over(span);
      if (goes) {
        taken.push_back(span);
      }
      return goes;
    });
    spans_.erase(gone, high);
    return taken;
  }

 private:
  using Spans = std::vector<AttemptSpan>;
  /// Those with messages in [first, end), and perhaps some that end before.
  std::pair<Spans::iterator, Spans::iterator> meeting(std::uint32_t first, std::uint32_t end);

  Spans spans_;
};

}  // namespace weir::core
