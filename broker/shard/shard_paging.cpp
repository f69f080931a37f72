#include "broker/shard/row_loader.hpp"
#include "broker/shard/shard_impl.hpp"

#include <algorithm>
#include <memory>
#include <utility>

// What is known of messages that nobody holds lies partly in the store alone: who needs it waits
// for a load, and what takes too much memory goes.
namespace weir::shard {
namespace {

constexpr int kMaxPageOutsPerTurn = 1000;

}  // namespace

/// Inputs of one session are handled in their order: what follows one that waits, waits behind it.
void Shard::Impl::handle_others() {
  kept_ = loading_rows_;
  go_on_in_lines();
  while (!others_.empty()) {
    Input input = std::move(others_.front());
    others_.pop_front();
    const auto line = lines_.find(input.session);
    // Credit is set, not counted, so its place does not matter; and only the newest counts.
    const bool may_pass = line == lines_.end() || std::holds_alternative<CreditInput>(input.body);
    if (!may_pass || !handle_or_wait(input)) {
      lines_[input.session].push_back(std::move(input));
    }
  }
}

/// False when it waits for rows, or has had its share of this turn.
bool Shard::Impl::handle_or_wait(Input& input) {
  const Waits waits = handle(input);
  if (!waits) {
    return true;
  }
  if (const auto* need = std::get_if<core::NeedRows>(&*waits)) {
    metrics_.waited_inputs += input.waits ? 0 : 1;
    input.waits = *need;
    input.known_done.reset();  // of what it waited for before: gone out again, perhaps
    load_rows(*need);
  } else {
    input.waits.reset();
    // What is not in memory by then may be paged out instead of done.
    input.known_done.reset();
    schedule();
  }
  return false;
}

void Shard::Impl::go_on_in_lines() {
  for (auto line = lines_.begin(); line != lines_.end();) {
    std::deque<Input>& inputs = line->second;
    while (!inputs.empty() && handle_or_wait(inputs.front())) {
      inputs.pop_front();
    }
    line = inputs.empty() ? lines_.erase(line) : std::next(line);
  }
}

/// When the oldest input came that is not handled: what it names must not expire before.
proto::TimeMs Shard::Impl::oldest_waiting() const {
  proto::TimeMs oldest = INT64_MAX;
  for (const auto& [session, inputs] : lines_) {
    oldest = std::min(oldest, inputs.front().arrived);
  }
  return oldest;
}

/// One load of a queue at a time, and only when the store knows what was paged out and in: then a
/// row that says it is cold is, and does not change before it is taken. Who was passed over asks
/// again in a later turn, and until then nothing more of the queue goes: that would put it off for
/// as long as there is something to page out.
void Shard::Impl::load_rows(const core::NeedRows& need) {
  kept_.insert(need.queue);
  if (paging_.contains(need.queue) || !loading_rows_.insert(need.queue).second) {
    wake(need.queue);
    return;
  }
  ports_.loader->load([this, life = life_, need](const storage::Reader& reader) {
    auto rows = std::make_shared<proto::Result<LoadedRows>>(shard::load_rows(reader, need));
    return Loader::Continuation([this, life, need, rows] {
      if (life != life_ || failed_) {
        return;
      }
      loading_rows_.erase(need.queue);
      if (*rows) {
        take_rows(need, **rows);
      } else {
        stop_with(rows->error());
      }
    });
  });
}

/// The queue may have been purged since the rows were read.
bool Shard::Impl::is_of_this_life(const core::NeedRows& need) const {
  const core::Queue* queue = state_->queue(need.queue);
  return queue != nullptr && queue->counters().generation == need.generation;
}

void Shard::Impl::take_rows(const core::NeedRows& need, const LoadedRows& rows) {
  if (!is_of_this_life(need)) {
    schedule();  // who waits is told what became of it
    return;
  }
  for (const core::TouchedBatch& batch : rows.batches) {
    apply(core::Record{core::PagedIn{need.queue, batch}});
  }
  switch (need.what) {
    case core::NeedRows::What::kBatch:
      for (auto& [session, inputs] : lines_) {
        Input& first = inputs.front();
        if (first.waits && first.waits->queue == need.queue && first.waits->offset == need.offset) {
          first.known_done = need.offset;
        }
      }
      wake(need.queue);  // perhaps it is with this one that a group goes on
      break;
    case core::NeedRows::What::kDue:
      state_->learn_next_due(need.queue, rows.next_due);
      wake(need.queue);
      break;
    case core::NeedRows::What::kNext:
      note_known(need, rows.known_until);
      break;
    case core::NeedRows::What::kOldest:
      if (rows.oldest) {
        state_->learn_oldest(need.queue, *rows.oldest, rows.is_oldest_cold);
      }
      break;
  }
  schedule();
}

/// Unless the redrive that it was read for has ended, and another one has begun.
void Shard::Impl::note_known(const core::NeedRows& need, proto::Offset until) {
  const proto::QueueId queue = proto::home_of(need.queue);
  const core::Redrive* redrive = state_->redrives().find(queue);
  if (redrive != nullptr && redrive->is_running() && redrive->position == need.offset) {
    known_until_[queue] = until;
    kept_.insert(need.queue);
  }
}

/// Whether what is known of the queue's messages is being read.
bool Shard::Impl::loads_rows_of(proto::QueueId queue) const {
  return std::ranges::any_of(
      loading_rows_, [queue](proto::QueueId lane) { return proto::home_of(lane) == queue; });
}

/// Where somebody takes messages and the next one that is due lies in the store.
void Shard::Impl::page_in(proto::QueueId queue) {
  if (state_->queue(queue) == nullptr) {
    return;
  }
  // In this order: the consumers of a queue are looked at only when something is due.
  state_->for_each_lane(queue, [&](const core::Queue& lane) {
    const auto need = state_->decide_page_in(lane.id(), now_);
    if (need && consumers_.wants(queue)) {
      load_rows(*need);
    }
  });
}

/// So that memory follows what is under way, not what waits.
void Shard::Impl::page_out() {
  for (int i = 0; i < kMaxPageOutsPerTurn; ++i) {
    const auto record = state_->decide_page_out(options_.idle_batch_bytes, kept_, now_);
    if (!record) {
      return;
    }
    apply(core::Record{*record});
  }
  schedule();
}

void Shard::Impl::seek_oldest() {
  for (const core::NeedRows& need : state_->decide_seek_oldest()) {
    load_rows(need);
  }
}

}  // namespace weir::shard
