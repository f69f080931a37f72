#include "broker/cli/top_page.hpp"

#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/cli/wall_clock.hpp"
#include "broker/terminal/time_text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace weir::cli {
namespace {

std::string rate_text(double a_second) {
  std::array<char, 32> text{};
  const bool is_small = a_second < 9.95;
  static_cast<void>(std::snprintf(text.data(), text.size(), is_small ? "%.1f" : "%.0f", a_second));
  return text.data();
}

// Nobody can work on what is paused.
std::string missing_in(const QueueDescription& queue) {
  const bool is_missed = queue.ready > 0 && queue.subscribers == 0 && !queue.receives_paused;
  return is_missed ? "no consumer" : "";
}

}  // namespace

TopPage::Totals TopPage::totals_of(const QueueDescription& queue) {
  const auto sent = static_cast<std::uint64_t>(std::max<std::int64_t>(queue.next_offset, 0));
  return {.sent = sent, .done = sent - std::min(sent, messages_in(queue))};
}

std::string TopPage::next(const std::vector<QueueDescription>& queues, TimePoint now,
                          Timestamp wall) {
  using Align = Table::Align;
  std::vector<const QueueDescription*> longest;
  longest.reserve(queues.size());
  for (const QueueDescription& queue : queues) {
    longest.push_back(&queue);
  }
  std::ranges::sort(longest, [](const QueueDescription* one, const QueueDescription* other) {
    const std::uint64_t waits_in_one = messages_in(*one);
    const std::uint64_t waits_in_other = messages_in(*other);
    return waits_in_one != waits_in_other ? waits_in_one > waits_in_other : one->name < other->name;
  });
  Table table({{"QUEUE", Align::kLeft},
               {"READY"},
               {"IN_FLIGHT"},
               {"DELAYED"},
               {"DYING"},
               {"PARKED"},
               {"OLDEST"},
               {"SUBSCRIBERS"},
               {"IN/s"},
               {"OUT/s"},
               {"PAUSED", Align::kLeft},
               {"", Align::kLeft}});
  const double seconds = std::chrono::duration<double>(now - before_at_).count();
  std::map<std::string, Totals> totals;
  std::uint64_t waiting = 0;
  double in = 0;
  double out = 0;
  for (const QueueDescription* queue : longest) {
    const Totals at = totals_of(*queue);
    std::string in_text = "-";
    std::string out_text = "-";
    if (const auto found = before_.find(queue->uuid); found != before_.end() && seconds > 0) {
      const Totals& was = found->second;
      const double in_rate = static_cast<double>(at.sent - std::min(at.sent, was.sent)) / seconds;
      const double out_rate = static_cast<double>(at.done - std::min(at.done, was.done)) / seconds;
      in_text = rate_text(in_rate);
      out_text = rate_text(out_rate);
      in += in_rate;
      out += out_rate;
    }
    table.add({queue->name, std::to_string(queue->ready), std::to_string(queue->in_flight),
               std::to_string(queue->delayed), std::to_string(queue->dying),
               std::to_string(queue->parked), oldest_age(*queue, wall),
               std::to_string(queue->subscribers), in_text, out_text, paused_text(*queue),
               missing_in(*queue)});
    totals[queue->uuid] = at;
    waiting += messages_in(*queue);
  }
  std::string page =
      std::to_string(queues.size()) + " queues, " + std::to_string(waiting) + " messages";
  if (!before_.empty()) {
    page += ", " + rate_text(in) + " in and " + rate_text(out) + " out a second";
  }
  before_ = std::move(totals);
  before_at_ = now;
  return page + "\n\n" + table.text();
}

}  // namespace weir::cli
