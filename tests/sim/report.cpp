#include "tests/sim/report.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <sstream>

namespace weir::sim {
namespace {

constexpr std::array<std::string_view, 61> kMustOccur = {
    "check: ledger",
    "check: replica",
    "client: began anew after a lie of the disk",
    "client: credit",
    "client: fenced, begins anew",
    "client: gives up and takes the next epoch",
    "client: keeps a subscription to the end",
    "client: lets a lease expire",
    "client: one of many handles refused",
    "client: one of many handles settled",
    "client: sends something damaged",
    "client: settles a part",
    "client: settles by a handle of an old incarnation",
    "client: settles in the millisecond of a deadline",
    "client: topic credit",
    "delivery: again",
    "delivery: first",
    "disk: commit",
    "disk: load",
    "disk: lost all unsynced",
    "disk: kept all unsynced",
    "disk: kept some unsynced",
    "disk: nothing was unsynced",
    "disk: lost what it called durable",
    "disk: lost what it called durable, noticed",
    "disk: kept what it called durable",
    "message: dead-lettered",
    "message: became ready",
    "message: dropped",
    "message: expired",
    "message: handed out that was put off",
    "message: put off",
    "message: redriven",
    "message: unparked",
    "messages parked at the end",
    "network: connected",
    "operator: begins a redrive",
    "operator: cancelled what was put off",
    "operator: deleted a queue",
    "operator: pauses",
    "operator: purged",
    "operator: put something off anew",
    "operator: resumes",
    "network: no room for more",
    "receive: messages",
    "receive: nothing",
    "redrive: cancelled",
    "redrive: done",
    "redrive: failed",
    "redrive: goes on after its broker ended",
    "send: duplicate",
    "send: stored",
    "shard: batch paged in",
    "shard: batch paged out",
    "shard: input waited for rows",
    "start: could not read",
    "start: ended before its first commit",
    "stop: in order",
    "look: what must be shown",
    "look: the one of an id",
    "look: an id of nobody",
};

}  // namespace

std::uint64_t& Report::entry(Numbers& numbers, std::string_view name) {
  const auto it = numbers.find(name);
  return it != numbers.end() ? it->second : numbers.emplace(name, 0).first->second;
}

void Report::count(std::string_view mark, std::uint64_t times) {
  entry(marks_, mark) += times;
}

void Report::highest(std::string_view name, std::uint64_t value) {
  std::uint64_t& known = entry(highest_, name);
  known = std::max(known, value);
}

void Report::merge(const Report& other) {
  for (const auto& [name, times] : other.marks_) {
    count(name, times);
  }
  for (const auto& [name, value] : other.highest_) {
    highest(name, value);
  }
  coverage_.merge(other.coverage_);
}

void Report::print(std::ostream& out) const {
  for (const auto& [name, times] : marks_) {
    out << std::setw(12) << times << "  " << name << "\n";
  }
  for (const auto& [name, value] : highest_) {
    out << std::setw(12) << value << "  at most: " << name << "\n";
  }
}

std::vector<std::string> Report::missing() const {
  std::vector<std::string> zero;
  for (const std::string_view name : kMustOccur) {
    const auto it = marks_.find(name);
    if (it == marks_.end() || it->second == 0) {
      zero.emplace_back(name);
    }
  }
  return zero;
}

void Report::save(std::ostream& out) const {
  for (const auto& [name, times] : marks_) {
    out << "mark " << times << " " << name << "\n";
  }
  for (const auto& [name, value] : highest_) {
    out << "highest " << value << " " << name << "\n";
  }
  std::ostringstream cells;
  coverage_.save(cells);
  std::istringstream lines(cells.str());
  for (std::string line; std::getline(lines, line);) {
    out << "cell " << line << "\n";
  }
}

bool Report::load(const std::string& line) {
  std::istringstream words(line);
  std::string kind;
  words >> kind >> std::ws;
  if (kind == "cell") {
    return coverage_.load(std::string_view(line).substr(kind.size() + 1));
  }
  std::uint64_t number = 0;
  std::string name;
  if (!(words >> number >> std::ws) || !std::getline(words, name)) {
    return false;
  }
  if (kind == "mark") {
    count(name, number);
  } else if (kind == "highest") {
    highest(name, number);
  }
  return kind == "mark" || kind == "highest";
}

}  // namespace weir::sim
