#include "broker/core/queue/attempt_spans.hpp"

namespace weir::core {
namespace {

bool precedes(const AttemptSpan& one, const AttemptSpan& other) {
  return std::tie(one.first, one.number) < std::tie(other.first, other.number);
}

}  // namespace

bool AttemptSpans::restore(std::vector<AttemptSpan> spans, std::uint32_t size) {
  const bool is_whole = std::ranges::all_of(spans, [size](const AttemptSpan& span) {
    return span.number > 0 && span.count > 0 && span.first < size &&
           span.count <= size - span.first &&
           span.first / kMaxMessages == (span.end() - 1) / kMaxMessages;
  });
  const auto is_out_of_order = [](const AttemptSpan& one, const AttemptSpan& next) {
    return !precedes(one, next);
  };
  if (!is_whole || std::ranges::adjacent_find(spans, is_out_of_order) != spans.end()) {
    return false;
  }
  spans_ = std::move(spans);
  return true;
}

void AttemptSpans::add(const AttemptSpan& span) {
  const auto at = std::ranges::lower_bound(spans_, span, precedes);
  if (at == spans_.end() || precedes(span, *at)) {
    spans_.insert(at, span);
  }
}

std::pair<AttemptSpans::Spans::iterator, AttemptSpans::Spans::iterator> AttemptSpans::meeting(
    std::uint32_t first, std::uint32_t end) {
  const auto low = std::ranges::lower_bound(spans_, first / kMaxMessages * kMaxMessages, {},
                                            &AttemptSpan::first);
  return {low, std::ranges::lower_bound(low, spans_.end(), end, {}, &AttemptSpan::first)};
}

}  // namespace weir::core
