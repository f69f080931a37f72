#include "client/session/settle_channel.hpp"

#include "client/core/settle_ledger.hpp"
#include "client/session/session.hpp"
#include "proto/names.hpp"

#include <iterator>
#include <utility>

namespace weir::sdk {
namespace {

void fail_waiters(SettleBatch& batch, const Error& why) {
  const Result<> result(why);
  for (SettleWaiter& waiter : batch.waiters) {
    waiter.callback(result);
  }
  batch.waiters.clear();
}

}  // namespace

SettleChannel::SettleChannel(std::shared_ptr<Engine> engine, std::string queue, Duration max_hold)
    : Participant(engine->next_participant_id()),
      engine_(std::move(engine)),
      machine_(max_hold, proto::is_fifo_name(queue)),
      queue_(std::move(queue)) {}

// ---- any thread

void SettleChannel::settle(Grant& grant, std::uint32_t index, SettleWord word,
                           SettleCallback callback) {
  bool notifies = false;
  bool refuses = false;
  {
    const std::lock_guard lock(mutex_);
    refuses = is_closed_;
    if (!refuses) {
      notifies = !std::exchange(is_notified_, true);
      machine_.settle(grant, index, word, std::exchange(callback, nullptr));
    }
  }
  if (notifies) {
    engine_->notify(id());
  } else if (refuses && callback) {
    callback(Error(ErrorCode::kCancelled, "the client is closed"));
  }
}

std::int64_t SettleChannel::wall_ms() const {
  return engine_->clock().wall_ms();
}

Result<> SettleChannel::ack_and_wait(Grant& grant, std::uint32_t index,
                                     std::chrono::milliseconds timeout) {
  if (Result<> may = engine_->may_wait(); !may) {
    return may;
  }
  Promise<> answer;
  Future<> awaited = answer.future();
  settle(grant, index, {.kind = proto::SettleKind::kAck},
         [answer = std::move(answer)](const Result<>& result) mutable { answer.set(result); });
  if (awaited.wait_until(engine_->clock().now() + timeout)) {
    return awaited.get();
  }
  return Error(ErrorCode::kDeadlineExceeded, "the ack is still under way");
}

void SettleChannel::on_grant_made() {
  ++live_grants_;
}

// Without the lock: a grant may go while the machine, which is behind it, drops it.
void SettleChannel::on_grant_gone() noexcept {
  if (--live_grants_ == 0 && is_ended_) {
    engine_->notify(id());
  }
}

void SettleChannel::notify_engine() {
  engine_->notify(id());
}

// ---- I/O thread

void SettleChannel::on_session_up() {}

void SettleChannel::on_session_lost() {
  subscription_alias_.reset();
  own_alias_.reset();
  is_asking_ = false;
  const std::lock_guard lock(mutex_);
  machine_.drop_waiting();
}

void SettleChannel::take_back(std::vector<SettleBatch> batches) {
  frames_out_ = 0;
  batches.insert(batches.end(), std::make_move_iterator(again_.begin()),
                 std::make_move_iterator(again_.end()));
  again_ = std::move(batches);
}

void SettleChannel::begin_turn() {
  const std::lock_guard lock(mutex_);
  is_notified_ = false;
}

void SettleChannel::on_turn(TimePoint now) {
  {
    const std::lock_guard lock(mutex_);
    is_notified_ = false;
    machine_.tick(now);
  }
  flush_settlements();
}

void SettleChannel::flush_settlements() {
  if (!session().can_settle()) {
    return;
  }
  SettleBatch fresh;
  const std::optional<std::uint32_t> alias = subscription_alias_ ? subscription_alias_ : own_alias_;
  {
    const std::lock_guard lock(mutex_);
    if (again_.empty() && !machine_.has_settlements()) {
      return;
    }
    if (alias) {
      fresh = machine_.take_settlements();
    }
  }
  if (!alias) {
    ask_for_alias();
    return;
  }
  for (SettleBatch& batch : std::exchange(again_, {})) {
    session().settle(id(), *alias, std::move(batch));
    ++frames_out_;
  }
  if (!fresh.empty()) {
    session().settle(id(), *alias, std::move(fresh));
    ++frames_out_;
  }
}

void SettleChannel::ask_for_alias() {
  if (std::exchange(is_asking_, true)) {
    return;
  }
  v1::Request request;
  request.mutable_attach()->set_queue(queue_);
  RequestPolicy policy;
  policy.is_for_session = true;
  session().request(std::move(request), policy,
                    [self = shared_from_this()](proto::Result<v1::Response> response) {
                      if (response && response->has_attached()) {
                        self->own_alias_ = response->attached().alias();
                        self->session().mark_ready(self->id());
                        return;
                      }
                      // The queue is gone, and its messages with it.
                      const Error why(ErrorCode::kQueueNotFound);
                      for (SettleBatch& batch : std::exchange(self->again_, {})) {
                        fail_waiters(batch, why);
                      }
                      SettleBatch unsaid;
                      {
                        const std::lock_guard lock(self->mutex_);
                        unsaid = self->machine_.take_settlements();
                      }
                      fail_waiters(unsaid, why);
                      self->is_asking_ = false;
                    });
}

void SettleChannel::on_settled(SettleBatch batch,
                               const std::vector<proto::SettleFailure>& failures) {
  --frames_out_;
  answer_waiters(batch, failures);
  const std::lock_guard lock(mutex_);
  machine_.on_answered(batch.ranges);
  if (!failures.empty()) {
    machine_.on_failed(failures);
  }
}

std::optional<TimePoint> SettleChannel::next_deadline() {
  const std::lock_guard lock(mutex_);
  return machine_.next_deadline();
}

bool SettleChannel::is_settled() {
  const std::lock_guard lock(mutex_);
  return again_.empty() && !machine_.has_settlements();
}

bool SettleChannel::is_finished() {
  const std::lock_guard lock(mutex_);
  return is_ended_ && live_grants_ == 0 && frames_out_ == 0 && again_.empty() &&
         !machine_.has_settlements();
}

void SettleChannel::on_closing() {}

void SettleChannel::on_closed(const Error& why) {
  SettleBatch unsaid;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    unsaid = machine_.take_settlements();
    machine_.drop_waiting();
  }
  for (SettleBatch& batch : std::exchange(again_, {})) {
    fail_waiters(batch, Error(ErrorCode::kUnknownOutcome, why.message));
  }
  fail_waiters(unsaid, why);
}

}  // namespace weir::sdk
