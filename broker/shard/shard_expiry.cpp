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
    while (drops_left_ > 0 && log_->backlog_bytes() < options_.max_backlog_bytes &&
           step_retention(queue)) {
      --drops_left_;
    }
  }
  if (drops_left_ <= 0) {
    schedule();
  } else if (!queues.empty() && !is_retention_loading_) {
    next_retention_ = now_ + kLookAgainMs;
  }
  is_retention_loading_ = false;
}

/// False when there is nothing to do, or a load has to come first.
bool Shard::Impl::step_retention(proto::QueueId queue) {
  const auto step = state_->decide_retention(queue, cache_, now_);
  if (const auto* over = std::get_if<core::Expired>(&step)) {
    apply(core::Record{*over});
    return true;
  }
  if (const auto* rows = std::get_if<core::NeedRows>(&step)) {
    is_retention_loading_ = true;
    load_rows(*rows);
  } else if (const auto* need = std::get_if<core::Need>(&step)) {
    is_retention_loading_ = damaged_.find({need->log, need->generation, need->offset}) == nullptr;
    load(*need);
  }
  return false;
}

}  // namespace weir::shard
