#include "broker/shard/shard_impl.hpp"

#include <vector>

// What is older than its queue's retention, whether anybody takes messages or not.
namespace weir::shard {
namespace {

/// Where all that is too old is in somebody's hands, or cannot be read.
constexpr std::int64_t kLookAgainMs = 1'000;

}  // namespace

void Shard::Impl::retain() {
  if (now_ < next_retention_) {
    return;
  }
  std::vector<proto::QueueId> queues;
  for (const auto& [when, queue] : state_->by_retention()) {
    if (when > now_) {
      break;
    }
    queues.push_back(queue);
  }
  for (const proto::QueueId queue : queues) {
    proto::Offset from = 0;
    while (drops_left_ > 0 && log_->backlog_bytes() < options_.max_backlog_bytes &&
           step_retention(queue, from)) {
      --drops_left_;
    }
  }
  if (drops_left_ <= 0) {
    schedule();
  } else if (!queues.empty() && !is_retention_waiting_) {
    next_retention_ = now_ + kLookAgainMs;
  }
  is_retention_waiting_ = false;
}

/// False when there is nothing to do, or something else has to come first.
bool Shard::Impl::step_retention(proto::QueueId queue, proto::Offset& from) {
  if (state_->must_wait_to_expire(*state_->queue(queue))) {
    is_retention_waiting_ = true;  // for the moves, which go on by themselves
    return false;
  }
  const auto step = state_->decide_retention(queue, from, cache_, now_);
  if (const auto* over = std::get_if<core::Expired>(&step)) {
    apply(core::Record{*over});
    return true;
  }
  if (const auto* further = std::get_if<core::ShardState::LookOn>(&step)) {
    from = further->from;
    return true;
  }
  if (const auto* rows = std::get_if<core::NeedRows>(&step)) {
    is_retention_waiting_ = true;
    load_rows(*rows);
  } else if (const auto* need = std::get_if<core::Need>(&step)) {
    is_retention_waiting_ = damaged_.find({need->log, need->generation, need->offset}) == nullptr;
    load(*need);
  }
  return false;
}

}  // namespace weir::shard
