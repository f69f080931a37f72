#include "broker/core/record_codec.hpp"
#include "broker/shard/shard_impl.hpp"
#include "proto/assert.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <utility>

// One turn: inputs, timers, hand-outs, one unit for the log; and, when a unit is committed, the
// release of everything that was said in it.
namespace weir::shard {

void Shard::Impl::schedule() {
  if (scheduled_ || failed_) {
    return;
  }
  scheduled_ = true;
  ports_.post([this, life = life_] {
    if (life == life_) {
      turn();
    }
  });
}

void Shard::Impl::turn() {
  scheduled_ = false;
  if (failed_) {
    return;
  }
  ++metrics_.turns;
  now_ = ports_.now();
  settles_left_ = options_.settles_per_turn;
  drops_left_ = kMaxDropsPerTurn;
  hand_out_drops_left_ = kMaxDropsPerTurn;
  set_asides_left_ = kMaxSetAsidesPerTurn;
  dropping_.clear();
  if (WEIR_PLANTED(expire_before_inputs)) {
    expire();
  }
  handle_others();
  handle_sends();
  take_back_unsaid();
  expire();
  forget_producers();
  backups_.expire(now_);
  move_dead_letters();
  redrive();
  change_delays();
  move_due();
  retain();
  dispatch_all();
  answer_late_waiters();
  const TopicFeed::Hooks hooks{
      .wake = [this] { schedule(); },
      .failed = [this](const proto::Error& error) { stop_with(error); },
      .damaged = [this](const DamagedPlaces::Place& place,
                        const proto::Error& why) { note_damage(place, why); }};
  feed_->run(hooks, spoken_to_);
  seek_oldest();
  page_out();
  close_unit();
  finish_output();
  arm();
  check_idle();
}

void Shard::Impl::apply(const std::vector<core::Record>& records) {
  for (const core::Record& record : records) {
    apply(record);
  }
}

/// By a redrive, which may drop what it takes.
void Shard::Impl::count_moved(proto::QueueId queue, std::uint64_t messages) {
  const core::Redrive* by = state_->redrives().find(proto::home_of(queue));
  const bool is_dropped = by != nullptr && by->drop;
  count(queue, is_dropped ? &QueueCounters::purged_messages : &QueueCounters::redriven_messages,
        messages);
}

void Shard::Impl::note_appended(const core::BatchAppended& record) {
  cache(record);
  if (!record.topic) {
    wake(proto::QueueId{record.log.value});
    return;
  }
  const proto::PartitionId partition{record.log.value};
  metrics_.appended_records += record.count;
  metrics_.appended_bytes += record.stored.size();
  open_.high_watermarks[partition] = record.base_offset + record.count;
  if (WEIR_PLANTED(publish_before_commit)) {
    state_->publish(partition, record.base_offset + record.count);
    feed_->wake_partition(partition);
  }
}

void Shard::Impl::note_returned(const core::Returned& record, const core::Queue::Effects& effects) {
  if (!effects.ended.empty()) {
    attempts_.note_ended(record.range.queue, proto::CommitIndex{last_index_.value + 1});
  }
  if (!WEIR_PLANTED(lose_wake_up)) {
    wake(record.range.queue);
  }
}

void Shard::Impl::apply(const core::Record& record) {
  open_.has_records = true;
  if (log_->wants_records()) {
    open_.records.push_back(core::records::encode(record));
  }
  forget_groups(record);
  core::Queue::Effects effects;
  state_->apply(record, effects);
  for (const auto& [grant, count] : effects.freed) {
    if (const auto queue = consumers_.free(grant, count)) {
      dispatchable_.insert(*queue);
    }
  }
  if (const auto* appended = std::get_if<core::BatchAppended>(&record)) {
    note_appended(*appended);
  } else if (const auto* acked = std::get_if<core::Acked>(&record)) {
    count(acked->range.queue, &QueueCounters::acked_messages, effects.done);
    if (ports_.on_done && effects.done > 0) {
      ports_.on_done(now_ - effects.append_time, effects.done);
    }
    wake(acked->range.queue);
    forget_if_gone(acked->range, effects);
  } else if (const auto* returned = std::get_if<core::Returned>(&record)) {
    note_returned(*returned, effects);
  } else if (const auto* dead = std::get_if<core::DeadLettered>(&record)) {
    count(dead->range.queue, &QueueCounters::dead_lettered_messages, effects.done);
    wake(dead->range.queue);  // what was dying counted as in flight
    forget_if_gone(dead->range, effects);
  } else if (const auto* expired = std::get_if<core::Expired>(&record)) {
    count(expired->range.queue, &QueueCounters::expired_messages, effects.done);
    wake(expired->range.queue);
    forget_if_gone(expired->range, effects);
    if (expired->is_dead_lettered) {
      schedule();  // they are dying, and the next turn moves them
    }
  } else if (const auto* moved = std::get_if<core::Moved>(&record)) {
    count_moved(moved->range.queue, effects.done);
    wake(moved->range.queue);  // what was behind it in its group may go on
    forget_if_gone(moved->range, effects);
  } else if (const auto* passed = std::get_if<core::Passed>(&record)) {
    wake(passed->range.queue);
  } else if (const auto* unparked = std::get_if<core::Unparked>(&record)) {
    wake(unparked->range.queue);
  } else if (const auto* purged = std::get_if<core::QueuePurged>(&record)) {
    stuck_lanes_.erase(purged->queue);
  } else if (const auto* delayed = std::get_if<core::Delayed>(&record)) {
    lanes_.note_delayed(delayed->queue, proto::CommitIndex{last_index_.value + 1}, delayed->due);
  } else if (const auto* ended = std::get_if<core::DelayEnded>(&record)) {
    lanes_.note_ended(ended->queue, proto::CommitIndex{last_index_.value + 1});
  } else if (const auto* known = std::get_if<core::Deduplicated>(&record)) {
    recent_ids_.add(*known, state_->queue(known->queue)->counters().generation,
                    proto::CommitIndex{last_index_.value + 1});
  } else if (const auto* changed = std::get_if<core::QueueChanged>(&record)) {
    dispatchable_.insert(changed->definition.id);  // perhaps it was resumed
  } else if (const auto* out = std::get_if<core::PagedOut>(&record)) {
    ++metrics_.paged_out_batches;
    paging_[out->queue] = proto::CommitIndex{last_index_.value + 1};
  } else if (const auto* in = std::get_if<core::PagedIn>(&record)) {
    ++metrics_.paged_in_batches;
    paging_[in->queue] = proto::CommitIndex{last_index_.value + 1};
  }
}

/// What is about to leave a standard queue without being handed out does not wait any more.
void Shard::Impl::forget_groups(const core::Record& record) {
  const auto* over = std::get_if<core::Expired>(&record);
  const auto* aside = std::get_if<core::Passed>(&record);
  if (over == nullptr && aside == nullptr) {
    return;
  }
  const core::MessageRange& range = over != nullptr ? over->range : aside->range;
  const core::CachedBatch* batch =
      cache_.find(proto::LogId{range.queue.value}, range.base_offset + range.first);
  if (batch != nullptr && !batch->groups.empty() && state_->is_fresh(range)) {
    state_->note_handed_out(range, std::span(batch->groups).subspan(range.first, range.count));
  }
}

void Shard::Impl::forget_if_gone(const core::MessageRange& range,
                                 const core::Queue::Effects& effects) {
  if (effects.batch_is_gone) {
    cache_.forget(proto::LogId{range.queue.value}, range.last_offset);
  }
}

void Shard::Impl::cache(const core::BatchAppended& record) {
  core::CachedBatch batch;
  batch.base_offset = record.base_offset;
  batch.last_offset = record.base_offset + record.count - 1;
  batch.append_time = record.time;
  batch.stored_bytes = record.stored.size();
  batch.batch = record.stored.slice(proto::kStoredHeaderBytes,
                                    record.stored.size() - proto::kStoredHeaderBytes);
  if (!record.topic) {
    auto columns = proto::read_columns(batch.batch.view());
    if (!columns) {
      stop_with(columns.error());
      return;
    }
    batch.base_timestamp = columns->header.base_timestamp;
    batch.expiries = core::expiries_of(*columns, batch.append_time);
    batch.groups = std::move(columns->groups);
    const proto::QueueId lane{record.log.value};
    if (!batch.groups.empty() && !state_->queue(lane)->is_fifo()) {
      state_->note_sent(lane, batch.groups);
    }
    batch.records = std::move(columns->records);
  }
  cache_.insert(record.log, std::move(batch), proto::CommitIndex{last_index_.value + 1});
}

void Shard::Impl::close_unit() {
  if (failed_) {
    return;
  }
  storage::WriteBatch rows = state_->take_rows();
  Unit unit = std::exchange(open_, {});
  WEIR_ASSERT(unit.has_records != rows.empty(), "rows change by records, and every record does");
  if (!rows.empty()) {
    last_index_ = proto::CommitIndex{last_index_.value + 1};
    CommitUnit commit;
    commit.index = last_index_;
    commit.time = now_;
    commit.records = std::move(unit.records);
    commit.rows = std::move(rows);
    unit.index = last_index_;
    unit.next_grant = state_->next_grant();
    if (WEIR_PLANTED(answer_before_commit)) {
      release(unit);
      unit.effects.clear();
    }
    pending_.push_back(std::move(unit));
    log_->submit(std::move(commit));
    return;
  }
  if (unit.effects.empty()) {
    return;
  }
  // Nothing was changed, but what is said was decided on state that may not be durable yet.
  if (pending_.empty() || WEIR_PLANTED(answer_unchanged_at_once)) {
    release(unit);
    return;
  }
  Unit& last = pending_.back();
  std::move(unit.effects.begin(), unit.effects.end(), std::back_inserter(last.effects));
}

void Shard::Impl::release(Unit& unit) {
  for (const auto& [partition, high_watermark] : unit.high_watermarks) {
    if (state_->partition(partition) != nullptr) {  // it may have been deleted since
      state_->publish(partition, high_watermark);
      feed_->wake_partition(partition);
    }
  }
  const proto::TimeMs now = ports_.now();
  for (Effect& effect : unit.effects) {
    const auto session = sessions_.find(effect.session);
    if (const auto* pushed = std::get_if<DeliveryEffect>(&effect.what);
        pushed && bulk_.remove(effect.session, pushed->delivery)) {
      bulk_drained(effect.session);
    }
    if (!filter_hand_outs(effect, session != sessions_.end(), now)) {
      continue;
    }
    SessionPort& port = *session->second;
    spoken_to_.insert(effect.session);
    if (const auto* sent = std::get_if<proto::SentEntry>(&effect.what)) {
      port.on_sent(*sent);
    } else if (const auto* delivery = std::get_if<DeliveryEffect>(&effect.what)) {
      port.on_delivery(delivery->alias, delivery->delivery);
    } else if (const auto* settled = std::get_if<SettledEffect>(&effect.what)) {
      port.on_settled(settled->up_to, settled->failed);
    } else if (const auto* answered = std::get_if<ReplyEffect>(&effect.what)) {
      port.on_reply(answered->request_id, answered->reply);
      if (answered->feeds) {
        feed_->activate({effect.session, *answered->feeds});
        schedule();
      }
    } else if (const auto* ended = std::get_if<EndedEffect>(&effect.what)) {
      port.on_subscription_ended(ended->alias, ended->why);
    } else if (const auto* kicked = std::get_if<KickedEffect>(&effect.what)) {
      kick(effect.session, kicked->why);
    }
  }
}

/// By itself, since the session closes in it.
void Shard::Impl::kick(proto::SessionId session, const proto::Error& why) {
  ports_.post([this, life = life_, session, why] {
    const auto it = sessions_.find(session);
    if (life == life_ && it != sessions_.end()) {
      it->second->on_kicked(why);
    }
  });
}

/// A hand-out stays here when nobody is there to take it, or when a slow disk has used up so much
/// of its lease that the work would come too late.
bool Shard::Impl::leaves(const core::Delivery& delivery, bool is_heard, proto::TimeMs now) {
  if (is_heard && state_->is_worth_saying(delivery, now)) {
    count(delivery.queue, &QueueCounters::delivered_messages, delivery.count);
    count(delivery.queue, &QueueCounters::redelivered_messages,
          delivery.again ? delivery.count : 0);
    if (delivery.lease_ms == 0) {
      over_.push_back({delivery.queue, delivery.base_offset, delivery.grant});
    }
    return true;
  }
  unsaid_.push_back({delivery.queue, delivery.base_offset, delivery.grant});
  return false;
}

/// Whether anything of it is to be said.
bool Shard::Impl::filter_hand_outs(Effect& effect, bool is_heard, proto::TimeMs now) {
  if (const auto* pushed = std::get_if<DeliveryEffect>(&effect.what)) {
    return leaves(pushed->delivery, is_heard, now);
  }
  if (auto* answered = std::get_if<ReplyEffect>(&effect.what); answered && answered->reply) {
    if (auto* received = std::get_if<core::Received>(&*answered->reply)) {
      std::erase_if(received->deliveries, [&](const core::Delivery& delivery) {
        return !leaves(delivery, is_heard, now);
      });
    }
  }
  return is_heard;
}

void Shard::Impl::on_committed(proto::CommitIndex index) {
  if (failed_) {
    return;
  }
  committed_ = std::max(committed_, index);
  std::erase_if(paging_, [this](const auto& unit) { return unit.second <= committed_; });
  attempts_.on_committed(committed_);
  lanes_.on_committed(committed_);
  recent_ids_.on_committed(committed_);
  cache_.release(committed_);
  while (!pending_.empty() && pending_.front().index <= committed_) {
    ++metrics_.commits;
    Unit unit = std::move(pending_.front());
    pending_.pop_front();
    release(unit);
    unsaid_from_ = unit.next_grant;
  }
  finish_output();
  // Readers of what was just published, sends that waited for the disk, and whoever waits for rest.
  schedule();
}

void Shard::Impl::finish_output() {
  for (const proto::SessionId session : std::exchange(spoken_to_, {})) {
    const auto it = sessions_.find(session);
    if (it != sessions_.end()) {
      it->second->flush();
    }
  }
}

void Shard::Impl::arm() {
  // While an input waits for a load nothing expires, and the end of the load brings a turn.
  proto::TimeMs next = lines_.empty() ? state_->next_deadline() : core::TouchedBatch::kNever;
  if (const auto waiting = consumers_.next_deadline()) {
    next = std::min(next, *waiting);
  }
  if (const auto idle = backups_.next_deadline()) {
    next = std::min(next, *idle);
  }
  for (const auto& [queue, due] : due_) {
    next = std::min(next, due);
  }
  // What is due already is being read, or waits for a commit, which brings a turn.
  if (const auto put_off = state_->by_delay_due().lower_bound({now_ + 1, proto::QueueId{}});
      put_off != state_->by_delay_due().end()) {
    next = std::min(next, put_off->first);
  }
  const auto& retained = state_->by_retention();
  if (!retained.empty() && retained.begin()->first <= now_) {
    next = std::min(next, std::max(next_retention_, now_ + 1));
  } else if (!retained.empty()) {
    next = std::min(next, retained.begin()->first);
  }
  for (const proto::QueueId source : state_->redrives().running()) {
    if (const proto::TimeMs when = state_->redrives().find(source)->next_time(); when > now_) {
      next = std::min(next, when);
    }
  }
  if (next != core::TouchedBatch::kNever) {
    ports_.arm_timer(next);
  }
}

void Shard::Impl::when_idle(std::function<void()> done) {
  idle_waiters_.push_back(std::move(done));
  schedule();
}

void Shard::Impl::check_idle() {
  if (pending_.empty() && sends_.empty() && others_.empty() && lines_.empty() &&
      send_lines_.empty() && !attempts_.is_loading()) {
    for (const auto& done : std::exchange(idle_waiters_, {})) {
      done();
    }
  }
}

}  // namespace weir::shard
