#include "broker/shard/batch_loader.hpp"
#include "broker/shard/shard_impl.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <memory>
#include <utility>

// Handing out, and what time does: expiry, dead letters, forgotten producers.
namespace weir::shard {
namespace {

// Bounds of one turn, so that none of these holds up the inputs behind it.
constexpr int kMaxExpiriesPerTurn = 1000;
constexpr int kMaxDeadLetterMovesPerTurn = 16;
/// So many queues with a redelivery budget are not looked through for those that need none.
constexpr std::size_t kSweepBudgetsAt = 1024;
/// Where several consumers wait, one gets at most so many messages before the next has its turn: by
/// so many they differ in what they got, at most.
constexpr std::uint32_t kFairShareMessages = 128;
/// In a FIFO queue fewer: who has them has their groups, and others can do nothing for those.
constexpr std::uint32_t kFairShareOfGroups = 16;
/// What has not got on for so long keeps its group for longer than others wait for; a queue that is
/// crowded with such is looked at so often.
constexpr std::int64_t kStuckMs = 1000;
constexpr std::int64_t kLookForStuckMs = 250;

}  // namespace

void Shard::Impl::expire() {
  for (int i = 0; i < kMaxExpiriesPerTurn; ++i) {
    const proto::TimeMs until =
        WEIR_PLANTED(expire_past_waiting_inputs) ? now_ : std::min(now_, oldest_waiting());
    if (state_->next_deadline() > until) {
      break;
    }
    const auto records = state_->decide_expire(
        until, unsaid_from_, [this](const std::string* holder) { return is_there(holder); },
        ports_.random());
    if (!records) {
      break;
    }
    for (const core::Record& record : *records) {
      count(std::get<core::Returned>(record).range.queue, &QueueCounters::expired_leases, 1);
    }
    apply(*records);
  }
}

/// Hand-outs that could not leave any more when their unit was committed.
void Shard::Impl::take_back_unsaid() {
  for (const Unsaid& unsaid : std::exchange(unsaid_, {})) {
    apply(state_->decide_unsaid(unsaid.queue, unsaid.base_offset, unsaid.grant, now_));
  }
  for (const Unsaid& said : std::exchange(over_, {})) {
    apply(state_->decide_over(said.queue, said.base_offset, said.grant, now_, ports_.random()));
  }
}

/// After the hand-out, so that a receive that does not wait still takes what is there.
void Shard::Impl::answer_late_waiters() {
  const auto may_get_more = [this](proto::QueueId queue) {
    return reading_.contains(queue) || dropping_.contains(queue) || loads_rows_of(queue);
  };
  for (const Waiter& waiter : consumers_.take_expired(now_, may_get_more)) {
    const core::Queue* queue = state_->queue(waiter.queue);
    core::Received nothing;
    nothing.id = waiter.queue;
    nothing.generation = queue != nullptr ? queue->counters().generation : 0;
    nothing.lease_ms = waiter.lease_ms;
    reply(waiter.session, waiter.request_id, core::Reply{std::move(nothing)});
  }
}

void Shard::Impl::forget_producers() {
  if (const auto record = state_->decide_forget(now_)) {
    apply(core::Record{*record});
  }
}

std::uint32_t Shard::Impl::redeliveries_left(const core::Queue& queue) const {
  const auto budget = budgets_.find(queue.id());
  return (budget != budgets_.end() ? budget->second : RedeliveryBudget())
      .left(now_, queue.definition().settings.redelivery_budget_percent);
}

void Shard::Impl::note_hand_out(const core::Delivery& delivery) {
  if (budgets_.size() >= sweep_budgets_at_ && !budgets_.contains(delivery.queue)) {
    std::erase_if(budgets_, [this](const auto& budget) { return budget.second.is_idle(now_); });
    sweep_budgets_at_ = std::max(kSweepBudgetsAt, 2 * budgets_.size());
  }
  RedeliveryBudget& budget = budgets_[delivery.queue];
  if (delivery.attempts > 0) {
    budget.note_again(now_, delivery.count);
  } else if (!delivery.again) {
    budget.note_first(now_, delivery.count);
  }
}

Shard::Impl::Step Shard::Impl::take(core::ShardState::DispatchWish wish) {
  if (const core::Queue* queue = state_->queue(wish.queue); queue != nullptr) {
    wish.max_redeliveries =
        WEIR_PLANTED(redeliver_without_budget) ? UINT32_MAX : redeliveries_left(*queue);
  }
  Step step = decide_readable(wish);
  for (;;) {
    const auto* over = std::get_if<core::Expired>(&step);
    const auto* aside = std::get_if<core::Passed>(&step);
    if (over == nullptr && aside == nullptr) {
      break;
    }
    if ((over != nullptr ? hand_out_drops_left_ : set_asides_left_)-- <= 0) {
      dispatchable_.insert(wish.queue);
      dropping_.insert(wish.queue);
      schedule();
      return {};
    }
    apply(over != nullptr ? core::Record{*over} : core::Record{*aside});
    step = decide_readable(wish);
  }
  if (auto* given = std::get_if<core::ShardState::DispatchStep>(&step)) {
    note_hand_out(given->delivery);
    if (!given->delivery.again && ports_.on_first_hand_out) {
      ports_.on_first_hand_out(now_ - given->record.append_time, given->delivery.count);
    }
    if (!given->groups.empty()) {
      state_->note_handed_out(given->record.range, given->groups);
    }
    apply(core::Record{given->record});
  } else if (const auto* need = std::get_if<core::Need>(&step)) {
    if (damage_of(step) == nullptr) {
      reading_.insert(wish.queue);
    }
    load(*need);
  }
  return step;
}

/// Of a queue, what comes next, though a lane cannot be read; that where nothing else is there.
Shard::Impl::Step Shard::Impl::decide_readable(core::ShardState::DispatchWish& wish) {
  std::optional<core::Need> damaged;
  for (;;) {
    Step step = state_->decide(wish, cache_, now_);
    const auto* need = std::get_if<core::Need>(&step);
    if (need != nullptr && damage_of(step) != nullptr) {
      damaged = damaged.value_or(*need);
      wish.unreadable.push_back(proto::lane_tag(proto::QueueId{need->log.value}));
      if (wish.unreadable.size() <= state_->lanes(wish.queue).size()) {
        continue;
      }
    }
    return std::holds_alternative<std::monostate>(step) && damaged ? Step{*damaged} : step;
  }
}

/// Why the queue hands out nothing, where that is a batch which cannot be read; else nullptr.
const proto::Error* Shard::Impl::damage_of(const Step& step) const {
  const auto* need = std::get_if<core::Need>(&step);
  return need != nullptr ? damaged_.find({need->log, need->generation, need->offset}) : nullptr;
}

void Shard::Impl::dispatch_all() {
  for (auto it = due_.begin(); it != due_.end();) {
    if (it->second <= now_) {
      dispatchable_.insert(it->first);
      it = due_.erase(it);
    } else {
      ++it;
    }
  }
  for (const proto::QueueId queue : std::exchange(dispatchable_, {})) {
    dispatch(queue);
  }
}

void Shard::Impl::dispatch(proto::QueueId queue) {
  page_in(queue);
  bool empty = false;
  std::uint32_t busy = 0;
  while (!empty && !reading_.contains(queue)) {
    Consumer* consumer = consumers_.next_ready(queue, busy);
    if (consumers_.is_turn_of_waiters(queue, consumer)) {
      empty = !serve_waiter(queue);
      continue;
    }
    if (consumer == nullptr) {
      break;  // whoever has room again says so
    }
    const Served served = serve_consumer(queue, *consumer);
    busy = served == Served::kBusy ? busy + 1 : 0;
    empty = served == Served::kNothingThere;
  }
  page_in(queue);  // what is in memory may have gone out, or room has come
  const core::Queue* target = state_->queue(queue);
  if ((empty || busy > 0) && target != nullptr) {
    proto::TimeMs due = state_->next_due_after(queue, now_);
    if (state_->next_due(queue) <= now_ && redeliveries_left(*target) == 0) {
      due = std::min(due, RedeliveryBudget::next_change(now_));
    }
    if (due != core::TouchedBatch::kNever) {
      due_[queue] = due;
    }
    if (target->is_fifo() && target->fresh() > 0 && target->is_crowded()) {
      pass_stuck(*target);
    }
  }
}

/// Groups that do not get on are not to hold up those behind them.
void Shard::Impl::pass_stuck(const core::Queue& queue) {
  const proto::TimeMs next = next_stuck_.contains(queue.id()) ? next_stuck_.at(queue.id()) : 0;
  if (next <= now_) {
    state_->note_stuck(queue.id(), now_ - kStuckMs);
    next_stuck_[queue.id()] = now_ + kLookForStuckMs;
    if (!queue.is_crowded()) {
      dispatchable_.insert(queue.id());
      schedule();
      return;
    }
  }
  proto::TimeMs& due = due_.try_emplace(queue.id(), INT64_MAX).first->second;
  due = std::min(due, next_stuck_.at(queue.id()));
}

bool Shard::Impl::serve_waiter(proto::QueueId queue) {
  const Waiter waiter = *consumers_.first_waiter(queue);
  if (!sessions_.contains(waiter.session)) {
    consumers_.pop_waiter(queue);
    return true;
  }
  if (!try_now(waiter)) {
    return false;
  }
  consumers_.pop_waiter(queue);
  return true;
}

bool Shard::Impl::try_now(const Waiter& waiter) {
  core::Received received;
  received.id = waiter.queue;
  received.lease_ms = waiter.lease_ms;
  std::uint32_t messages = 0;
  std::uint64_t bytes = 0;
  std::optional<proto::GrantId> since;  // several of a group go in one answer, in their order
  std::uint64_t group = 0;
  while (messages < waiter.max_messages && bytes < waiter.max_bytes) {
    core::ShardState::DispatchWish wish;
    wish.queue = waiter.queue;
    wish.max_messages = waiter.max_messages - messages;
    wish.max_bytes = waiter.max_bytes - bytes;
    wish.first_fits = messages > 0;
    // A lease of nothing ends when the hand-out has been said; until then it is the queue's.
    wish.lease_ms = waiter.lease_ms != 0
                        ? waiter.lease_ms
                        : state_->queue(waiter.queue)->definition().settings.lease_ms;
    wish.started = true;
    wish.nonce = ports_.random();
    wish.holder = holders_.at(waiter.session);
    wish.is_alone = messages == 0;
    wish.since = since;
    wish.group = group;
    Step step = take(wish);
    auto* given = std::get_if<core::ShardState::DispatchStep>(&step);
    if (given == nullptr) {
      if (const proto::Error* why = damage_of(step); why != nullptr && messages == 0) {
        reply(waiter.session, waiter.request_id, *why);
        return true;
      }
      break;
    }
    since = since.value_or(given->record.grant);
    group = given->group;
    messages += given->delivery.count;
    bytes += given->delivery.records.size();
    received.generation = given->delivery.generation;
    given->delivery.lease_ms = waiter.lease_ms;
    received.deliveries.push_back(std::move(given->delivery));
    if (given->must_be_alone) {
      break;
    }
  }
  if (received.deliveries.empty()) {
    return false;
  }
  consumers_.note_received(waiter.queue, messages);
  reply(waiter.session, waiter.request_id, core::Reply{std::move(received)});
  return true;
}

Shard::Impl::Served Shard::Impl::serve_consumer(proto::QueueId queue, Consumer& consumer) {
  const auto session = sessions_.find(consumer.session);
  if (session == sessions_.end() || !bulk_.has_room(consumer.session, *session->second)) {
    return Served::kBusy;
  }
  core::ShardState::DispatchWish wish;
  wish.queue = queue;
  wish.max_messages = consumer.window_messages - static_cast<std::uint32_t>(consumer.held_messages);
  if (consumers_.count(queue) > 1) {
    const core::Queue* target = state_->queue(queue);
    const bool is_fifo = target != nullptr && target->is_fifo();
    wish.max_messages =
        std::min(wish.max_messages, is_fifo ? kFairShareOfGroups : kFairShareMessages);
  }
  wish.max_bytes = consumer.window_bytes - consumer.held_bytes;
  // One message larger than the window must get through, but only to a consumer that holds nothing.
  wish.first_fits = consumer.held_messages > 0;
  wish.lease_ms = consumer.lease_ms;
  wish.nonce = ports_.random();
  wish.holder = holders_.at(consumer.session);
  wish.is_alone = consumer.held_messages == 0;
  Step step = take(wish);
  auto* given = std::get_if<core::ShardState::DispatchStep>(&step);
  if (const proto::Error* why = damage_of(step); why != nullptr) {
    // Whoever still works on messages of other batches keeps them until it is done.
    if (consumer.held_messages > 0) {
      return Served::kBusy;
    }
    end_subscription(consumer, *why);
    return Served::kYes;
  }
  if (given == nullptr) {
    // Perhaps it is only too large for what this one has left: the next one may take it.
    return wish.first_fits ? Served::kBusy : Served::kNothingThere;
  }
  consumers_.hold(
      consumer, given->delivery.grant,
      {given->record.range.last_offset, given->delivery.count, given->delivery.records.size()});
  if (given->must_be_alone) {
    consumer.is_closed_off = true;
  } else if (given->passed_lone) {
    consumers_.make_room_for_lone(consumer);
  }
  bulk_.add(consumer.session, given->delivery);
  if (WEIR_PLANTED(deliver_before_commit)) {
    session->second->on_delivery(consumer.alias, given->delivery);
    session->second->flush();
    return Served::kYes;
  }
  open_.effects.push_back(
      {consumer.session, DeliveryEffect{consumer.alias, std::move(given->delivery)}});
  return Served::kYes;
}

void Shard::Impl::end_subscription(const Consumer& consumer, const proto::Error& why) {
  open_.effects.push_back({consumer.session, EndedEffect{consumer.alias, why}});
  consumers_.remove({consumer.session, consumer.alias});
}

void Shard::Impl::move_dead_letters() {
  int moves = 0;
  const std::set<proto::QueueId> queues = state_->dying_queues();
  for (const proto::QueueId queue : queues) {
    while (moves < kMaxDeadLetterMovesPerTurn) {
      const auto step = state_->decide_dead_letter(queue, cache_, attempts_, now_);
      if (const auto* records = std::get_if<core::ShardState::Records>(&step)) {
        apply(*records);
        ++moves;
        continue;
      }
      if (const auto* need = std::get_if<core::Need>(&step)) {
        load(*need);
      } else if (const auto* history = std::get_if<core::NeedAttempts>(&step)) {
        load(*history);
      } else {
        attempts_.forget(queue);
      }
      break;
    }
  }
  if (moves == kMaxDeadLetterMovesPerTurn) {
    schedule();
  }
}

void Shard::Impl::load(const core::NeedAttempts& need) {
  if (!attempts_.begin(need, committed_)) {
    return;
  }
  ++metrics_.storage_reads;
  ports_.loader->load([this, life = life_, need](const storage::Reader& reader) {
    auto rows = std::make_shared<proto::Result<AttemptRows>>(load_attempts(reader, need));
    return Loader::Continuation([this, life, need, rows] {
      if (life != life_ || failed_) {
        return;
      }
      if (!*rows) {
        stop_with(rows->error());
        return;
      }
      attempts_.finish(need, std::move(**rows));
      schedule();
    });
  });
}

/// A late ack may finish a batch, and so delete it, while it is being loaded: that is no damage.
bool Shard::Impl::is_stored(const core::Need& need) const {
  const core::Queue* queue = state_->queue(proto::QueueId{need.log.value});
  if (queue == nullptr || queue->counters().generation != need.generation) {
    return false;
  }
  const auto it = queue->touched_batches().lower_bound(need.offset);
  return need.offset >= queue->counters().cursor ||
         (it != queue->touched_batches().end() && it->second.base_offset() <= need.offset);
}

/// For a person: which messages, what is wrong, and what follows.
proto::Error Shard::Impl::unreadable(const core::Need& need, const proto::Error& why) const {
  const core::Queue* queue = state_->queue(proto::QueueId{need.log.value});
  return proto::fail(proto::Errc::kCorruptBatch,
                     "the batch of queue '" + queue->definition().name + "' at offset " +
                         std::to_string(need.offset) + " cannot be read: " + why.message +
                         "; what waits behind it is kept, and is handed out once it can be read");
}

void Shard::Impl::note_damage(const DamagedPlaces::Place& place, const proto::Error& why) {
  if (damaged_.add(place, why)) {
    ++metrics_.corrupt_batches;
    if (ports_.on_damage) {
      ports_.on_damage(why);
    }
  }
}

/// Nothing where the batch is known to be damaged, or is being loaded.
void Shard::Impl::load(const core::Need& need) {
  const DamagedPlaces::Place place{need.log, need.generation, need.offset};
  if (damaged_.find(place) != nullptr || !loading_.insert(need.log).second) {
    return;
  }
  ++metrics_.storage_reads;
  ports_.loader->load([this, life = life_, need, place](const storage::Reader& reader) {
    auto batches =
        std::make_shared<proto::Result<std::vector<core::CachedBatch>>>(load_batches(reader, need));
    return Loader::Continuation([this, life, need, place, batches] {
      if (life != life_ || failed_) {
        return;
      }
      loading_.erase(need.log);
      reading_.erase(proto::home_of(proto::QueueId{need.log.value}));
      if (*batches) {
        // A batch never changes while its row exists, so a load can not be out of date. The wanted
        // one comes last: a small cache drops the read-ahead first.
        for (auto it = (*batches)->rbegin(); it != (*batches)->rend(); ++it) {
          cache_.insert(need.log, std::move(*it), proto::CommitIndex{});
        }
      } else if (batches->error().code != proto::Errc::kCorruptBatch) {
        stop_with(batches->error());
        return;
      } else if (is_stored(need)) {
        note_damage(place, unreadable(need, batches->error()));
      }
      wake(proto::QueueId{need.log.value});
      schedule();
    });
  });
}

}  // namespace weir::shard
