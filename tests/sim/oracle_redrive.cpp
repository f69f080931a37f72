#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <variant>

// What an operator asked of redrives, and what the broker says of them: each goes on from where it
// was, whatever becomes of the broker, and never back. What they do to messages is in
// oracle_ways.cpp.
namespace weir::sim {

using proto::Errc;

namespace {

constexpr std::int64_t kSecondMs = 1000;

bool is_same(const core::StartRedrive& asked, proto::LogId target, const core::Redrive& redrive) {
  return redrive.target.value == target.value && redrive.parked == asked.parked &&
         redrive.dry_run == asked.dry_run && redrive.max_messages == asked.max_messages &&
         redrive.rate == (asked.dry_run ? 0 : asked.rate) && redrive.filter == asked.filter &&
         redrive.drop == asked.drop && redrive.keep_attempts == asked.keep_attempts &&
         redrive.headers == asked.headers;
}

}  // namespace

void Oracle::heard_redrive(proto::SessionId session, std::uint64_t request, proto::LogId source,
                           proto::LogId target, const core::StartRedrive& command) {
  Log& log = logs_.at(source);
  Redriven redrive;
  redrive.number = ++last_redrive_;
  redrive.target = target;
  redrive.asked = command;
  redrive.heard = word_;
  redrive.purges = log.purges;
  for (auto& [id, other] : logs_) {
    const bool may_come =
        redrive.moves() && (target.value != 0 ? id == target : other.dead_letters == source);
    other.takes_redriven = other.takes_redriven || may_come;
  }
  if (world_.traces()) {
    world_.trace("begin redrive " + std::to_string(redrive.number) + " of log " +
                     std::to_string(source.value) + " to " + std::to_string(target.value) +
                     (command.parked ? " of what is parked" : "") +
                     (command.dry_run ? " dry" : "") + (command.drop ? " drops" : "") + " most " +
                     std::to_string(command.max_messages) + " rate " +
                     std::to_string(command.rate) +
                     (command.filter.takes_all() ? "" : " with a filter"),
                 {source, {}});
  }
  log.redrives.push_back(std::move(redrive));
  redrive_requests_[{session, request}] = {source, last_redrive_};
}

void Oracle::heard_cancel_redrive(proto::SessionId session, std::uint64_t request,
                                  proto::LogId source) {
  redrive_requests_[{session, request}] = {source};
}

void Oracle::heard_list_redrives(proto::SessionId session, std::uint64_t request) {
  redrive_requests_[{session, request}] = {};
}

void Oracle::said_of_redrives(proto::SessionId session, std::uint64_t request,
                              const proto::Result<core::Reply>& reply) {
  const auto it = redrive_requests_.find({session, request});
  if (it == redrive_requests_.end()) {
    return;
  }
  const AskedOfRedrive asked = it->second;
  redrive_requests_.erase(it);
  if (asked.number != 0) {
    said_begun(asked.source, asked.number, reply);
  } else if (asked.source.value == 0) {
    said_all(std::get<core::RedriveList>(reply.value()));
  } else if (reply) {
    const core::Redrive& redrive = std::get<core::RedriveInfo>(*reply).redrive;
    said_redrive(asked.source, redrive);
    if (redrive.is_running()) {
      wrong_redrive("was cancelled, and runs", asked.source, redrive);
    }
  } else if (std::ranges::any_of(logs_.at(asked.source).redrives, &Redriven::is_known)) {
    wrong("a redrive is forgotten", asked.source, 0, 0);
  }
}

void Oracle::said_begun(proto::LogId source, std::uint64_t number,
                        const proto::Result<core::Reply>& reply) {
  std::vector<Redriven>& redrives = logs_.at(source).redrives;
  const auto at = std::ranges::find(redrives, number, &Redriven::number);
  if (!reply) {
    redrives.erase(at);
    const bool is_busy = std::ranges::any_of(
        redrives, [](const Redriven& other) { return other.over == Redriven::kAlways; });
    if (reply.error().code != Errc::kInUse || !is_busy) {
      wrong("a redrive was refused: " + reply.error().to_string(), source, 0, 0);
    }
    return;
  }
  const core::Redrive& redrive = std::get<core::RedriveInfo>(*reply).redrive;
  if (!redrive.is_running() || redrive.position != 0 || redrive.moved != 0 ||
      (!redrive.parked && redrive.end < next_offset(source))) {
    wrong_redrive("does not begin with all that is there", source, redrive);
  }
  said_redrive(source, redrive, number);
}

void Oracle::said_all(const core::RedriveList& list) {
  std::set<std::string> told;
  for (const core::RedriveInfo& info : list.redrives) {
    said_redrive(proto::LogId{info.redrive.source.value}, info.redrive);
    told.insert(info.name);
  }
  for (const auto& [id, log] : logs_) {
    const bool has_one = std::ranges::any_of(log.redrives, &Redriven::is_known);
    if (has_one && list.next.empty() && !told.contains(log.name)) {
      wrong("a redrive is forgotten", id, 0, 0);
    }
  }
}

/// Which of those that were asked for this is; an answer tells its number. Where answers were lost
/// the first that it may be: those behind it may be as well.
Oracle::Redriven* Oracle::find_redrive(proto::LogId source, const core::Redrive& redrive,
                                       std::uint64_t number) {
  Redriven* is_it = nullptr;
  Redriven* may_be = nullptr;
  for (Redriven& known : logs_.at(source).redrives) {
    if (!is_same(known.asked, known.target, redrive)) {
      continue;
    }
    if (number != 0 ? known.number == number
                    : known.said && known.said->begun_time == redrive.begun_time) {
      is_it = &known;  // the last one, of two in the same millisecond
    } else if (number == 0 && may_be == nullptr && !known.said && known.over == Redriven::kAlways) {
      may_be = &known;
    }
  }
  return is_it != nullptr ? is_it : may_be;
}

/// The newest one of the queue, as it is now.
void Oracle::said_redrive(proto::LogId source, const core::Redrive& redrive, std::uint64_t number) {
  Redriven* const found = find_redrive(source, redrive, number);
  const std::span<Redriven> redrives(logs_.at(source).redrives);
  const auto place = found != nullptr ? static_cast<std::size_t>(found - redrives.data()) : 0;
  if (found == nullptr || std::ranges::any_of(redrives.subspan(place + 1), &Redriven::is_known)) {
    wrong_redrive("is none that was asked for last", source, redrive);
    return;
  }
  Redriven& known = *found;
  if (world_.traces()) {
    world_.trace("redrive " + std::to_string(known.number) + " of log " +
                     std::to_string(source.value) + " is at " + std::to_string(redrive.position) +
                     " of " + std::to_string(redrive.end) + ", moved " +
                     std::to_string(redrive.moved) + ", skipped " +
                     std::to_string(redrive.skipped) + (redrive.is_running() ? "" : ", has ended"),
                 {source, {}});
  }
  check_redrive(source, known, redrive);
  world_.report().count("redrive: goes on after its broker ended",
                        known.said && known.said_crashes < crashes_ && known.said->is_running() &&
                                redrive.position > known.said->position
                            ? 1
                            : 0);
  if (!redrive.is_running() && (!known.said || known.said->is_running())) {
    world_.report().count(redrive.state == core::RedriveState::kDone        ? "redrive: done"
                          : redrive.state == core::RedriveState::kCancelled ? "redrive: cancelled"
                                                                            : "redrive: failed");
  }
  if (known.ends.empty() && proto::lane_tag(redrive.position) == 0) {
    known.ends[0] = redrive.end;
    for (const proto::Offset end : redrive.further_ends) {
      known.ends[proto::lane_tag(end)] = end;
    }
  }
  known.said = redrive;
  known.said_in = word_;
  known.said_crashes = crashes_;
  end_redrives(redrives.first(place), word_);
  if (!redrive.is_running()) {
    known.over = std::min(known.over, word_);
  }
}

void Oracle::end_redrives(std::span<Redriven> redrives, std::uint64_t word) {
  for (Redriven& redrive : redrives) {
    redrive.over = std::min(redrive.over, word);
  }
}

void Oracle::check_redrive(proto::LogId source, const Redriven& known,
                           const core::Redrive& redrive) {
  if (known.said) {
    const core::Redrive& before = *known.said;
    if (!before.is_running() && redrive != before) {
      wrong_redrive("had ended", source, redrive);
    }
    if (redrive.position < before.position || redrive.moved < before.moved ||
        redrive.skipped < before.skipped ||
        (redrive.end != before.end &&
         std::ranges::find(before.further_ends, redrive.end) == before.further_ends.end()) ||
        redrive.generation != before.generation) {
      wrong_redrive("was further, at " + std::to_string(before.position) + " with " +
                        std::to_string(before.moved) + " moved",
                    source, redrive);
    }
  }
  const bool has_nothing_to_do = redrive.end == 0 && redrive.further_ends.empty();
  if (redrive.is_running() ? redrive.is_complete() && !has_nothing_to_do
                           : redrive.state == core::RedriveState::kDone && !redrive.is_complete()) {
    wrong_redrive("ends at another place than its end", source, redrive);
  }
  if (redrive.state == core::RedriveState::kFailed && logs_.at(source).purges == known.purges) {
    wrong_redrive("failed: " + redrive.why, source, redrive);
  }
  const bool is_too_much = (redrive.max_messages != 0 && redrive.moved > redrive.max_messages) ||
                           std::cmp_greater(redrive.moved + redrive.skipped, redrive.position);
  if (is_too_much) {
    wrong_redrive("took more than it may", source, redrive);
  }
  const std::int64_t seconds = (host_.moment().time - redrive.begun_time) / kSecondMs + 1;
  if (redrive.rate != 0 && redrive.moved > redrive.rate * static_cast<std::uint64_t>(seconds)) {
    wrong_redrive("took more in " + std::to_string(seconds) + " seconds than it may", source,
                  redrive);
  }
}

void Oracle::wrong_redrive(const std::string& what, proto::LogId source,
                           const core::Redrive& redrive) {
  world_.violate("the redrive of log " + std::to_string(source.value) + " at " +
                     std::to_string(redrive.position) + " of " + std::to_string(redrive.end) +
                     " with " + std::to_string(redrive.moved) + " moved " + what,
                 {source, {}});
}

}  // namespace weir::sim
