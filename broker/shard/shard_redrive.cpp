#include "broker/shard/shard_impl.hpp"

#include <string>
#include <utility>
#include <vector>

// The way back of messages that nobody could handle: a few steps a turn, and requests about it.
namespace weir::shard {
namespace {

// Of all queues together, so that none of this holds up the inputs behind it.
constexpr int kMaxRedriveStepsPerTurn = 16;
/// A batch more than that may be looked at, which is then the last one.
constexpr proto::Offset kMaxRedriveOffsetsPerTurn = 4096;

}  // namespace

/// A step moves up to a batch; what the disk has not taken yet bounds them as it bounds sends.
void Shard::Impl::redrive() {
  const std::set<proto::QueueId>& running = state_->redrives().running();
  std::vector<proto::QueueId> queues(running.upper_bound(last_redriven_), running.end());
  queues.insert(queues.end(), running.begin(), running.upper_bound(last_redriven_));
  int steps = 0;
  proto::Offset looked_at = 0;
  const auto may_go_on = [&] {
    return steps < kMaxRedriveStepsPerTurn && looked_at < kMaxRedriveOffsetsPerTurn;
  };
  for (const proto::QueueId queue : queues) {
    const proto::Offset before = state_->redrives().find(queue)->position;
    const proto::Offset looked_at_before = looked_at;
    while (may_go_on() && log_->backlog_bytes() < options_.max_backlog_bytes &&
           step_redrive(queue)) {
      last_redriven_ = queue;
      ++steps;
      looked_at = looked_at_before + state_->redrives().find(queue)->position - before;
    }
  }
  // What was read for a step stays until it is made, and no longer.
  std::erase_if(known_until_, [this](const auto& known) {
    const core::Redrive* redrive = state_->redrives().find(known.first);
    return redrive == nullptr || !redrive->is_running() || redrive->next_time() > now_ ||
           redrive->position >= known.second;
  });
  for (const auto& [queue, until] : known_until_) {
    kept_.insert(proto::lane_of(queue, state_->redrives().find(queue)->position));
  }
  if (!may_go_on()) {
    schedule();
  }
}

/// False when it waits: for a load, for its rate, or because there is none.
bool Shard::Impl::step_redrive(proto::QueueId queue) {
  const auto known = known_until_.find(queue);
  const auto step =
      state_->decide_redrive(queue, known != known_until_.end() ? known->second : 0, cache_, now_);
  if (const auto* records = std::get_if<core::ShardState::Records>(&step)) {
    apply(*records);
    return true;
  }
  if (const auto* rows = std::get_if<core::NeedRows>(&step)) {
    load_rows(*rows);
  } else if (const auto* need = std::get_if<core::Need>(&step)) {
    const proto::Error* why = damaged_.find({need->log, need->generation, need->offset});
    if (why != nullptr) {
      apply(core::Record{state_->decide_redrive_failure(queue, why->message, now_)});
      return true;
    }
    load(*need);
  }
  return false;
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::StartRedrive& command) {
  const auto record = state_->decide(command, now_);
  if (!record) {
    return record.error();
  }
  known_until_.erase(record->redrive.source);  // of the one before
  apply(core::Record{*record});
  return core::Reply{state_->info(record->redrive)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::CancelRedrive& command) {
  const auto record = state_->decide(command, now_);
  if (!record) {
    return record.error();
  }
  apply(core::Record{*record});
  return core::Reply{state_->info(record->redrive)};
}

}  // namespace weir::shard
