#include "broker/core/shard_state.hpp"
#include "proto/names.hpp"

#include <string>
#include <utility>

// Decisions about the way back of messages that nobody could handle, but for its steps
// (redrive_step.cpp).
namespace weir::core {

using proto::Errc;
using proto::fail;

proto::Result<RedriveChanged> ShardState::decide(const StartRedrive& command,
                                                 proto::TimeMs now) const {
  const auto source = catalog_.queue(command.name_space, command.name);
  if (!source) {
    return source.error();
  }
  Redrive redrive;
  if (!command.target.empty()) {
    const auto target = catalog_.queue(command.name_space, command.target);
    if (!target) {
      return target.error();
    }
    if (proto::is_fifo_name(command.name) != proto::is_fifo_name(command.target)) {
      return fail(Errc::kInvalidArgument,
                  "the messages of queue '" + command.name + "' cannot be moved to '" +
                      command.target +
                      "': one is a FIFO queue, whose name ends in .fifo, and one is not");
    }
    redrive.target = *target;
  }
  if (redrive.target == *source) {
    return fail(Errc::kInvalidArgument,
                "the messages of queue '" + command.name + "' cannot be moved to itself");
  }
  if (command.parked && !command.target.empty()) {
    return fail(Errc::kInvalidArgument, "parked messages become ready where they are: no target");
  }
  if (command.drop && !command.target.empty()) {
    return fail(Errc::kInvalidArgument, "what is dropped goes nowhere: no target");
  }
  if ((command.drop || command.parked) && (command.keep_attempts || !command.headers.empty())) {
    return fail(Errc::kInvalidArgument,
                "keep_attempts and changes of headers are for messages that go to another queue");
  }
  if (auto valid = check(command.filter); !valid) {
    return valid.error();
  }
  if (auto valid = check(command.headers); !valid) {
    return valid.error();
  }
  if (const Redrive* other = redrives_.find(*source); other != nullptr && other->is_running()) {
    return fail(Errc::kInUse, "a redrive of queue '" + command.name +
                                  "' is running: wait for its end, or cancel it");
  }
  redrive.source = *source;
  redrive.generation = queues_.at(*source).counters().generation;
  redrive.parked = command.parked;
  redrive.dry_run = command.dry_run;
  redrive.max_messages = command.max_messages;
  redrive.rate = command.dry_run ? 0 : command.rate;  // what only counts need not wait
  redrive.drop = command.drop;
  redrive.keep_attempts = command.keep_attempts;
  redrive.filter = command.filter;
  redrive.headers = command.headers;
  // What was never handed out cannot be parked.
  const auto end_of = [&](const Queue& lane) {
    return command.parked ? lane.counters().cursor : lane.counters().next_offset;
  };
  redrive.end = end_of(queues_.at(*source));
  for (const proto::LaneTag tag : lanes(*source)) {
    redrive.further_ends.push_back(end_of(queues_.at(proto::lane_id(*source, tag))));
  }
  redrive.begun_time = now;
  return RedriveChanged{std::move(redrive)};
}

proto::Result<RedriveChanged> ShardState::decide(const CancelRedrive& command,
                                                 proto::TimeMs now) const {
  const auto source = catalog_.queue(command.name_space, command.name);
  if (!source) {
    return source.error();
  }
  const Redrive* redrive = redrives_.find(*source);
  if (redrive == nullptr) {
    return fail(Errc::kInvalidArgument, "queue '" + command.name + "' has no redrive");
  }
  RedriveChanged record{*redrive};
  if (redrive->is_running()) {
    record.redrive.finish(RedriveState::kCancelled, "an operator has cancelled it", now);
  }
  return record;
}

RedriveChanged ShardState::decide_redrive_failure(proto::QueueId queue, std::string why,
                                                  proto::TimeMs now) const {
  RedriveChanged record{*redrives_.find(queue)};
  record.redrive.finish(RedriveState::kFailed, std::move(why), now);
  return record;
}

RedriveInfo ShardState::info(const Redrive& redrive) const {
  const Queue* target = queue(redrive.target);
  return {redrive, queues_.at(redrive.source).definition().name,
          target != nullptr ? target->definition().name : std::string()};
}

}  // namespace weir::core
