#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <utility>

// The bounds of queues, both ways: what is over one must not be, and what is refused for one must
// have had a reason.
namespace weir::sim {

/// Dead letters and what is redriven come in whatever the bound of senders. The bound of what is in
/// flight holds always, and where nothing dies of its age also with what is dying.
void Oracle::check_bounds(const core::QueueInfo& info) {
  const proto::LogId id{info.id.value};
  const auto known = logs_.find(id);
  if (known == logs_.end()) {
    return;
  }
  const auto holds = [&](std::uint64_t value, std::int64_t bound, const char* what) {
    if (bound != 0 && std::cmp_greater(value, bound)) {
      world_.violate("queue " + std::to_string(id.value) + " has " + std::to_string(value) + " " +
                         what + ", and may have " + std::to_string(bound),
                     {id, {}});
    }
  };
  const core::QueueSettings& settings = known->second.settings;
  holds(info.in_flight, settings.max_in_flight, "messages in flight");
  if (settings.dead_letter_expired == 0) {
    holds(info.in_flight + info.dying, settings.max_in_flight, "messages in flight or dying");
  }
  if (!known->second.takes_dead_letters && !known->second.takes_redriven) {
    holds(info.messages(), settings.max_messages, "messages");
    // What was put off carries its id from when it is due.
    holds(info.bytes, known->second.lane.empty() ? settings.max_bytes : 0, "bytes");
  }
}

/// Whether the queue may have been too full for the batch when that was refused: all that it may
/// have held counts, known or not.
void Oracle::said_full(const Batch& batch) {
  const Log& log = logs_.at(batch.log);
  world_.report().count("send: refused by a full queue");
  if (log.topic || (log.settings.max_messages == 0 && log.settings.max_bytes == 0)) {
    wrong("refused as full, and without a bound", batch.log, -1, batch.messages.front());
    return;
  }
  if (log.settings.max_bytes != 0 || log.takes_dead_letters || log.takes_redriven) {
    return;
  }
  const auto may_be_there = [&](const Message& message) {
    return message.home == batch.log &&
           (message.places.empty() ||
            (message.places.back().log == batch.log && !message.places.back().acked));
  };
  const auto holds = std::ranges::count_if(messages_, may_be_there);
  if (std::cmp_less_equal(holds, log.settings.max_messages)) {
    wrong("refused as full by a queue of at most " + std::to_string(holds) + " messages", batch.log,
          -1, batch.messages.front());
  }
}

}  // namespace weir::sim
