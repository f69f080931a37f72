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

void World::befall(Fault fault, std::string_view what, std::int64_t lasts_us) {
  faults_.last(fault, now_us_ + lasts_us);
  tell_fault(fault, what);
}

void World::begin_fault(Fault fault, std::string_view what) {
  faults_.begin(fault);
  tell_fault(fault, what);
}

void World::tell_fault(Fault fault, std::string_view what) {
  report_.count("fault: " + std::string(name(fault)));
  // The replica is another machine: what befalls it explains nothing that a client saw.
  tell(std::string(name(fault)) + (what.empty() ? "" : ": ") + std::string(what), {},
       fault != Fault::kReplicaRestart);
}

void World::violate(std::string what, Subject subject) {
  if (!violation_) {
    tell("VIOLATION " + what, subject, true);
    violation_ = Violation{std::move(what), std::move(subject)};
  }
}

void World::tell(std::string_view line, Subject subject, bool is_fault) {
  if (telling_ == Telling::kNothing || violation_) {
    return;
  }
  told_.push_back({now_us_, std::string(line), std::move(subject), is_fault});
  if (telling_ == Telling::kEverything) {
    std::cerr << now_us_ << " " << line << "\n";
  }
}

}  // namespace weir::sim
