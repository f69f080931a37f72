#include "tests/sim/story.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iomanip>
#include <sstream>

namespace weir::sim {
namespace {

constexpr std::size_t kMostLines = 120;
constexpr std::size_t kFirstLines = 30;
constexpr std::size_t kLastEvents = 60;  // of a violation that is about nothing in particular

bool concerns(const Subject& event, const Subject& wanted) {
  if (wanted.messages.empty()) {
    return event.log == wanted.log && wanted.log.value != 0;
  }
  return std::any_of(wanted.messages.begin(), wanted.messages.end(), [&](MessageNumber number) {
    return std::find(event.messages.begin(), event.messages.end(), number) != event.messages.end();
  });
}

std::string line_of(const StoryEvent& event) {
  std::ostringstream out;
  out << std::setw(12) << std::fixed << std::setprecision(3)
      << static_cast<double>(event.time_us) / 1000 << " ms  " << (event.is_fault ? "! " : "")
      << event.text;
  return out.str();
}

}  // namespace

std::vector<std::string> tell(const Violation& violation, const std::vector<StoryEvent>& events) {
  std::vector<std::string> lines;
  const Subject& wanted = violation.subject;
  if (wanted.log.value == 0 && wanted.messages.empty()) {
    const std::size_t from = events.size() - std::min(events.size(), kLastEvents);
    for (std::size_t i = from; i < events.size(); ++i) {
      lines.push_back(line_of(events[i]));
    }
    return lines;
  }
  bool has_begun = false;
  for (const StoryEvent& event : events) {
    const bool is_wanted = concerns(event.subject, wanted);
    has_begun = has_begun || is_wanted;
    if (is_wanted || (has_begun && event.is_fault)) {
      lines.push_back(line_of(event));
    }
  }
  if (lines.size() > kMostLines) {
    const auto left_out = static_cast<std::ptrdiff_t>(lines.size() - kMostLines);
    const auto from = lines.begin() + kFirstLines;
    *from = "             ... " + std::to_string(left_out + 1) + " more ...";
    lines.erase(from + 1, from + 1 + left_out);
  }
  return lines;
}

std::string kind_of(const Violation& violation) {
  std::string kind = violation.what.substr(0, violation.what.find(';'));
  std::erase_if(kind, [](unsigned char letter) { return std::isdigit(letter) != 0; });
  return kind;
}

}  // namespace weir::sim
