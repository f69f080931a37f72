#include "broker/shard/shard_impl.hpp"
#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

// Settlements, credit and the end of sessions; sends are in shard_sends.cpp.
namespace weir::shard {

using proto::Errc;

void Shard::Impl::take_input(proto::SessionId session, std::uint32_t deadline_ms, Body body) {
  if (failed_) {
    return;
  }
  std::deque<Input>& inbox = std::holds_alternative<SendInput>(body) ? sends_ : others_;
  inbox.push_back({session, ports_.now(), deadline_ms, std::move(body)});
  schedule();
}

void Shard::Impl::send(proto::SessionId session, core::SendBatch batch, std::uint32_t deadline_ms) {
  take_input(session, deadline_ms, SendInput{std::move(batch)});
}

void Shard::Impl::settle(proto::SessionId session, proto::QueueId queue, proto::Settle settle) {
  take_input(session, 0, SettleInput{queue, std::move(settle)});
}

void Shard::Impl::set_credit(proto::SessionId session, const proto::Credit& credit) {
  take_input(session, 0, CreditInput{credit});
}

void Shard::Impl::request(proto::SessionId session, std::uint64_t request_id, core::Request request,
                          std::uint32_t deadline_ms) {
  take_input(session, deadline_ms, RequestInput{request_id, std::move(request)});
}

void Shard::Impl::close_session(proto::SessionId session) {
  sessions_.erase(session);
  clients_.erase(session);
  if (const auto holder = holders_.extract(session)) {
    present_.erase(holder.mapped().get());
  }
  feed_->remove_session(session);
  bulk_.remove_session(session);
  backups_.remove_session(session);
  forget_delay_changes(session);
  take_input(session, 0, CloseInput{});
}

Shard::Impl::Waits Shard::Impl::handle(Input& input) {
  if (auto* settled = std::get_if<SettleInput>(&input.body)) {
    return handle(input, *settled);
  } else if (const auto* credit = std::get_if<CreditInput>(&input.body)) {
    handle(input, *credit);
  } else if (auto* asked = std::get_if<RequestInput>(&input.body)) {
    return handle(input, *asked);
  } else if (const auto* closed = std::get_if<CloseInput>(&input.body)) {
    handle(input, *closed);
  }
  return std::nullopt;
}

bool Shard::Impl::is_late(const Input& input) const {
  return input.deadline_ms != 0 && input.arrived + input.deadline_ms <= now_;
}

std::size_t Shard::Impl::share_of_turn() const {
  constexpr std::size_t kShares = 64;
  return std::max({settles_left_, options_.settles_per_turn / kShares, std::size_t{1}});
}

Shard::Impl::Waits Shard::Impl::handle(const Input& input, SettleInput& settled) {
  const std::uint64_t number = settled.settle.settle_number;
  const std::vector<proto::SettleRange>& ranges = settled.settle.ranges;
  std::size_t share = share_of_turn();
  while (settled.done < ranges.size()) {
    if (share == 0) {
      return NextTurn{};
    }
    const std::size_t first = settled.done;
    const std::uint64_t random = random_for(ranges[first]);
    // What is said of every second message is one record, and not one of each.
    core::ShardState::Records records;
    Waits waits;
    do {
      waits = settle_range(input, settled, random, records);
      --share;
    } while (!waits && share > 0 && says_the_same_again(settled));
    if (settled.done > first + 1) {
      state_->join_settled(records);
    }
    apply(records);
    if (waits) {
      return waits;
    }
  }
  open_.effects.push_back({input.session, SettledEffect{number, std::move(settled.failed)}});
  return std::nullopt;
}

/// Whether the next range says what the one before it says.
bool Shard::Impl::says_the_same_again(const SettleInput& settled) const {
  const std::vector<proto::SettleRange>& ranges = settled.settle.ranges;
  return settled.done < ranges.size() &&
         state_->says_the_same(settled.queue, ranges[settled.done - 1], ranges[settled.done]);
}

/// Decides about the next range, which is done then unless it waits.
Shard::Impl::Waits Shard::Impl::settle_range(const Input& input, SettleInput& settled,
                                             std::uint64_t random,
                                             core::ShardState::Records& records) {
  const proto::SettleRange& range = settled.settle.ranges[settled.done];
  // Judged by the time when it came in: a message of ours that waited must not expire for it.
  const proto::TimeMs judged_by = WEIR_PLANTED(judge_by_time_of_turn) ? now_ : input.arrived;
  auto decided = state_->decide(settled.queue, range, settled.settle.reason_of(range), random,
                                judged_by, input.known_done);
  if (const auto* need = std::get_if<core::NeedRows>(&decided)) {
    return *need;
  }
  settles_left_ -= settles_left_ > 0 ? 1 : 0;
  auto& decision = std::get<core::ShardState::SettleDecision>(decided);
  count(settled.queue, &QueueCounters::nacked_messages, decision.nacked);
  std::ranges::move(decision.records, std::back_inserter(records));
  std::vector<core::ShardState::SettleDecision::Failure>& failed = decision.failed;
  if (failed.size() > 1 && settled.failed.size() + failed.size() > kMaxSeparateFailures) {
    failed.front().count = failed.back().first + failed.back().count - failed.front().first;
    failed.resize(1);
  }
  for (const auto& failure : failed) {
    metrics_.refused_settlements.add(failure.code, failure.count);
    settled.failed.push_back({settled.settle.settle_number, range.grant, failure.first,
                              failure.count, static_cast<std::uint16_t>(failure.code)});
  }
  ++settled.done;
  return std::nullopt;
}

/// Drawn where a policy decides alone: most of what is said is that messages are done.
std::uint64_t Shard::Impl::random_for(const proto::SettleRange& range) {
  return range.value == proto::kDelayByPolicy ? ports_.random() : 0;
}

void Shard::Impl::handle(const Input& input, const CreditInput& input_credit) {
  const proto::Credit& credit = input_credit.credit;
  if (Consumer* consumer = consumers_.find({input.session, credit.alias})) {
    consumer->window_messages = credit.window_messages;
    consumer->window_bytes = credit.window_bytes;
    dispatchable_.insert(consumer->queue);
    return;
  }
  feed_->set_credit(credit, {input.session, credit.alias});
}

void Shard::Impl::handle(const Input& input, const CloseInput&) {
  for (const Consumer& consumer : consumers_.remove_session(input.session)) {
    release_grants(consumer);
  }
}

/// What was pushed and not begun is nobody's any more: back, uncounted.
void Shard::Impl::release_grants(const Consumer& consumer) {
  for (const auto& [grant, held] : consumer.grants) {
    apply(state_->decide_release(consumer.queue, held.last_offset, grant, now_));
  }
}

void Shard::Impl::bulk_drained(proto::SessionId session) {
  feed_->wake_session(session);
  for (const proto::QueueId queue : consumers_.queues_of(session)) {
    dispatchable_.insert(queue);
  }
  schedule();
}

void Shard::Impl::on_timer() {
  schedule();
}

}  // namespace weir::shard
