#include "broker/cli/top_page.hpp"

#include "broker/cli/describe.hpp"
#include "broker/cli/table.hpp"
#include "broker/terminal/counted.hpp"
#include "broker/terminal/facts.hpp"

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

std::vector<TopPage::Row> TopPage::rows_of(const std::vector<QueueDescription>& queues,
                                           double seconds) {
  std::vector<Row> rows;
  std::map<std::string, Totals> totals;
  for (const QueueDescription& queue : queues) {
    Row row{.queue = &queue, .in = {}, .out = {}};
    const Totals at = totals_of(queue);
    if (const auto found = before_.find(queue.uuid); found != before_.end() && seconds > 0) {
      const Totals& was = found->second;
      row.in = static_cast<double>(at.sent - std::min(at.sent, was.sent)) / seconds;
      row.out = static_cast<double>(at.done - std::min(at.done, was.done)) / seconds;
    }
    totals[queue.uuid] = at;
    rows.push_back(row);
  }
  before_ = std::move(totals);
  std::ranges::sort(rows, [](const Row& one, const Row& other) {
    const std::uint64_t waits_in_one = messages_in(*one.queue);
    const std::uint64_t waits_in_other = messages_in(*other.queue);
    return waits_in_one != waits_in_other ? waits_in_one > waits_in_other
                                          : one.queue->name < other.queue->name;
  });
  return rows;
}

std::string TopPage::table_of(const std::vector<Row>& rows, Timestamp wall) {
  using Align = Table::Align;
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
  for (const Row& row : rows) {
    const QueueDescription& queue = *row.queue;
    table.add({queue.name, std::to_string(queue.ready), std::to_string(queue.in_flight),
               std::to_string(queue.delayed), std::to_string(queue.dying),
               std::to_string(queue.parked), oldest_age(queue, wall),
               std::to_string(queue.subscribers), row.in ? rate_text(*row.in) : "-",
               row.out ? rate_text(*row.out) : "-", paused_text(queue), missing_in(queue)});
  }
  return table.text();
}

std::string TopPage::json_of(const std::vector<Row>& rows) {
  return terminal::array_of(rows, [](const Row& row) {
    std::vector<std::string> members = queue_members(*row.queue);
    members.push_back("\"in_per_second\": " + (row.in ? rate_text(*row.in) : "null"));
    members.push_back("\"out_per_second\": " + (row.out ? rate_text(*row.out) : "null"));
    return terminal::json_object(members);
  });
}

Look TopPage::next(const std::vector<QueueDescription>& queues, TimePoint now, Timestamp wall) {
  const bool is_first = before_.empty();
  const std::vector<Row> rows =
      rows_of(queues, std::chrono::duration<double>(now - before_at_).count());
  before_at_ = now;
  std::uint64_t waiting = 0;
  double in = 0;
  double out = 0;
  for (const Row& row : rows) {
    waiting += messages_in(*row.queue);
    in += row.in.value_or(0);
    out += row.out.value_or(0);
  }
  std::string page =
      terminal::counted(queues.size(), "queue") + ", " + terminal::counted(waiting, "message");
  if (!is_first) {
    page += ", " + rate_text(in) + " in and " + rate_text(out) + " out a second";
  }
  return {.table = page + "\n\n" + table_of(rows, wall), .json = json_of(rows)};
}

}  // namespace weir::cli
