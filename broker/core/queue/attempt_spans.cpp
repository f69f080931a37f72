#include "broker/core/queue/attempt_spans.hpp"

namespace weir::core {
namespace {

bool precedes(const AttemptSpan& one, const AttemptSpan& other) {
  return std::tie(one.first, one.from) < std::tie(other.first, other.from);
}

bool tell_of_the_same(const AttemptSpan& one, const AttemptSpan& other) {
  return one.first < other.end() && other.first < one.end() && one.from <= other.to &&
         other.from <= one.to;
}

}  // namespace

bool AttemptSpans::restore(const std::vector<AttemptSpan>& spans, std::uint32_t size) {
  std::vector<Spans> words;
  for (const AttemptSpan& span : spans) {
    const std::uint32_t word = span.first / kMaxMessages;
    const bool is_whole = span.from > 0 && span.from <= span.to && span.count > 0 &&
                          span.first < size && span.count <= size - span.first &&
                          word == (span.end() - 1) / kMaxMessages;
    if (!is_whole || word + 1 < words.size()) {
      return false;
    }
    words.resize(word + 1);
    Spans& known = words.back();
    if ((!known.empty() && !precedes(known.back(), span)) ||
        std::ranges::any_of(
            known, [&span](const AttemptSpan& other) { return tell_of_the_same(span, other); })) {
      return false;
    }
    known.push_back(span);
  }
  words_ = std::move(words);
  return true;
}

std::vector<AttemptSpan> AttemptSpans::all() const {
  std::vector<AttemptSpan> all;
  for (const Spans& spans : words_) {
    all.insert(all.end(), spans.begin(), spans.end());
  }
  return all;
}

std::size_t AttemptSpans::memory_bytes() const {
  std::size_t bytes = words_.capacity() * sizeof(Spans);
  for (const Spans& spans : words_) {
    bytes += spans.capacity() * sizeof(AttemptSpan);
  }
  return bytes;
}

void AttemptSpans::add(std::uint32_t first, std::uint8_t count, std::uint16_t number) {
  const std::uint32_t word = first / kMaxMessages;
  if (word >= words_.size()) {
    words_.resize(word + 1);
  }
  Spans& spans = words_[word];
  const AttemptSpan span{first, number, number, count};
  const auto at = std::ranges::upper_bound(spans, span, precedes);
  if (at != spans.begin() && (at - 1)->first == first) {
    AttemptSpan& before = *(at - 1);
    if (number <= before.to) {
      return;
    }
    if (before.to + 1 == number && before.count == count) {
      before.to = number;
      return;
    }
  }
  spans.insert(at, span);
}

std::optional<int> AttemptSpans::first_to_go(const AttemptSpan& span, int last) {
  const int from = last == kAll ? span.from : std::max<int>(span.from, 2);
  return from <= std::min<int>(span.to, last) ? std::optional(from) : std::nullopt;
}

void AttemptSpans::cut(const AttemptSpan& span, int last, Spans& kept, Spans& taken) {
  const auto part = [&span](int first_number, int last_number) {
    return AttemptSpan{span.first, static_cast<std::uint16_t>(first_number),
                       static_cast<std::uint16_t>(last_number), span.count};
  };
  const std::optional<int> from = first_to_go(span, last);
  if (!from) {
    kept.push_back(span);
    return;
  }
  const int to = std::min<int>(span.to, last);
  if (span.from < *from) {
    kept.push_back(part(span.from, *from - 1));
  }
  taken.push_back(part(*from, to));
  if (to < span.to) {
    kept.push_back(part(to + 1, span.to));
  }
}

}  // namespace weir::core
