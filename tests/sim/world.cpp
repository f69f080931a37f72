#include "tests/sim/world.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

namespace weir::sim {

bool World::later(const Event& a, const Event& b) {
  return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
}

void World::after(std::int64_t delay_us, std::function<void()> event) {
  events_.push_back({now_us_ + std::max<std::int64_t>(delay_us, 0), ++sequence_, std::move(event)});
  std::push_heap(events_.begin(), events_.end(), later);
}

bool World::run_one() {
  if (events_.empty() || violation_) {
    return false;
  }
  std::pop_heap(events_.begin(), events_.end(), later);
  const Event event = std::move(events_.back());
  events_.pop_back();
  now_us_ = event.time;
  event.run();
  return !violation_.has_value();
}

void World::violate(std::string what) {
  if (!violation_) {
    trace("VIOLATION " + what);
    violation_ = std::move(what);
  }
}

void World::trace(std::string_view line) const {
  if (trace_) {
    std::cerr << now_us_ << " " << line << "\n";
  }
}

}  // namespace weir::sim
