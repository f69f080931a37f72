#include "broker/core/row_codec.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "storage/key_codec.hpp"
#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

// The ledger: every row in the store against every word that was said, and the counters against the
// rows. Holds while nothing is under way, when memory and store say the same.
namespace weir::sim {

using storage::Family;
using storage::KeyKind;

struct Oracle::Scan {
  std::unique_ptr<storage::Reader> reader;
  std::map<proto::LogId, core::QueueInfo> described;
  std::map<proto::LogId, std::set<proto::QueueId>> lanes;  // that have rows, by queue
  std::map<MessageNumber, proto::LogId> present;
  Standing standing;
};

/// A record in the store; `live` when it still counts for its queue. Its place then.
Oracle::Place* Oracle::found(Scan& scan, proto::LogId log, proto::Offset offset,
                             const proto::RecordView& record, bool live) {
  const MessageNumber number = number_of(record.value.value_or(""));
  Place* const where =
      learn(log, offset, number, origin_of(record), live ? Sight::kLive : Sight::kGone);
  if (where == nullptr || world_.violation() || !live) {
    return nullptr;
  }
  if (!scan.present.emplace(number, log).second) {
    wrong("a message lies in two places", log, offset, number);
  }
  if (logs_.at(log).purged.is_behind(offset)) {
    wrong("a purged message is still there", log, offset, number);
  }
  if (where != &messages_[number].places.back()) {
    wrong("a message lies where it was taken from", log, offset, number);
  }
  where->seen = word_;
  return where;
}

/// A redrive that is done has left nothing that it was to take: neither what nobody ever held, nor
/// what had been parked before.
void Oracle::expect_taken(Place& place, const core::Run* run) {
  const bool is_parked = run != nullptr && run->state == core::RunState::kParked;
  const bool is_untouched = run == nullptr || run->grant.value == 0;
  // A hand-out that nobody was told of has left another grant.
  const bool was_parked =
      is_parked && place.handed_out < place.parked && place.parked_grant == run->grant;
  for (const Redriven& redrive : logs_.at(place.log).redrives) {
    const bool is_done = redrive.said && redrive.said->state == core::RedriveState::kDone &&
                         place.offset < redrive.said->position &&
                         redrive.is_part(place.offset).value_or(false);
    const bool was_free = is_parked
                              ? was_parked && place.parked <= redrive.heard
                              : is_untouched && !redrive.asked.parked && !redrive.asked.dry_run;
    const proto::LogId target = redrive.target.value != 0 ? redrive.target : place.origin.died_from;
    const bool has_way = redrive.unparks() || redrive.drops() ||
                         (redrive.moves() && target.value != 0 && target != place.log);
    // The id of what is in its first place is not told by it.
    const bool is_known = redrive.asked.filter.message_id.empty() || !place.origin.id.empty();
    if (is_done && was_free && has_way && is_known && is_meant(redrive, place)) {
      wrong("redrive " + std::to_string(redrive.number) + " is done, and has left this", place.log,
            place.offset, logs_.at(place.log).at.at(place.offset));
    }
  }
  place.parked = is_parked ? word_ : 0;
  place.parked_grant = is_parked ? run->grant : proto::GrantId();
}

/// Each attempt that ended is told, as far as they are kept, and tells of the same failures.
void Oracle::expect_history(const Scan& scan, proto::QueueId lane, std::uint32_t generation,
                            const core::TouchedBatch& batch, std::uint32_t index) {
  const proto::LogId log{proto::home_of(lane).value};
  const proto::Offset offset = batch.base_offset() + index;
  const core::Run& run = *batch.run_at(index);
  const auto ended = static_cast<std::uint16_t>(run.attempts - (run.started ? 1 : 0));
  int failures = 0;
  const std::vector<core::AttemptSpan> spans = batch.attempts().all();
  core::for_each_kept_attempt(ended, [&](std::uint16_t number) {
    const auto span =
        std::ranges::find_if(spans, [&](const auto& told) { return told.tells_of(index, number); });
    const auto row = span == spans.end()
                         ? std::nullopt
                         : scan.reader
                               ->get(Family::kState, storage::attempt_key(
                                                         lane, generation,
                                                         batch.base_offset() + span->first, number))
                               .value();
    if (!row) {
      wrong("attempt " + std::to_string(number) + " is not told", log, offset, 0);
      return;
    }
    using core::ReturnCause;
    const ReturnCause outcome = core::rows::decode_attempt(*row, number).value().attempt.outcome;
    failures += outcome == ReturnCause::kFailed || outcome == ReturnCause::kPoison ||
                        outcome == ReturnCause::kExpired || outcome == ReturnCause::kLost
                    ? 1
                    : 0;
  });
  // What was unparked has its history yet, and no failures.
  const bool may_be_unparked =
      std::ranges::any_of(logs_.at(log).redrives, &Redriven::unparks) && failures > run.failures;
  if (ended <= core::kLastAttemptsKept && failures != run.failures && !may_be_unparked) {
    wrong("history tells of " + std::to_string(failures) + " failures, the message has " +
              std::to_string(run.failures),
          log, offset, 0);
  }
}

/// What the store says of a purge whose answer was lost; and no row is left of a life before.
void Oracle::learn_purge(proto::QueueId lane, const core::Queue::Counters& counters,
                         const Scan& scan) {
  const proto::LogId id{proto::home_of(lane).value};
  const proto::LaneTag tag = proto::lane_tag(lane);
  Log& log = logs_.at(id);
  const proto::Offset known = log.purged.of(tag);
  if (counters.purged_before < known || (counters.purged_before > known && !log.may_be_purged)) {
    wrong("the store says that all before this was purged, and the last purge was said to end at " +
              std::to_string(known),
          id, counters.purged_before, 0);
    return;
  }
  if (counters.purged_before > known) {
    log.purge_seen = word_;
  }
  log.purged.set(tag, counters.purged_before);
  const auto expect_none = [&](Family family, KeyKind kind) {
    const std::string begin = storage::object_prefix(kind, lane.value);
    const std::string end = storage::generation_prefix(kind, lane.value, counters.generation);
    if (scan.reader->scan(family, begin, end, {})->valid()) {
      wrong("a row of a life that was purged is left", id, counters.purged_before, 0);
    }
  };
  expect_none(Family::kLog, KeyKind::kBatch);
  expect_none(Family::kLog, KeyKind::kDelayed);
  expect_none(Family::kState, KeyKind::kDelayIndex);
  expect_none(Family::kState, KeyKind::kTouchedBatch);
  expect_none(Family::kState, KeyKind::kReturnedIndex);
  expect_none(Family::kState, KeyKind::kAttempt);
}

void Oracle::scan_queue(proto::LogId id, const Log& log, Scan& scan) {
  const proto::QueueId home{id.value};
  Sums sums;
  // A queue to which nothing was ever sent has no row.
  scan.lanes[id].insert(home);
  for (const proto::QueueId lane : scan.lanes[id]) {
    if (!world_.violation()) {
      scan_log(lane, log, scan, sums);
    }
  }
  // All lanes have said by now what was purged of them.
  logs_.at(id).may_be_purged = false;
  const core::QueueInfo& info = scan.described[id];
  const std::uint64_t described =
      info.ready + info.in_flight + info.delayed + info.dying + info.parked;
  if (!sums.are_counted || described != sums.live_messages || info.in_flight != sums.runs.leased ||
      info.dying != sums.runs.dying || info.parked != sums.runs.parked ||
      info.next_offset != sums.messages || info.bytes != sums.lanes_bytes) {
    world_.violate("the counters of queue " + std::to_string(id.value) + " say " +
                       std::to_string(described) + " messages in " + std::to_string(info.bytes) +
                       " bytes, its rows " + std::to_string(sums.live_messages) + " in " +
                       std::to_string(sums.bytes),
                   {id, {}});
  }
  check_bounds(info);
  if ((info.oldest_append_time == 0) != (sums.oldest == 0) ||
      info.oldest_append_time > sums.oldest) {
    world_.violate("the oldest message of queue " + std::to_string(id.value) + " came at " +
                       std::to_string(sums.oldest) + ", not at " +
                       std::to_string(info.oldest_append_time),
                   {id, {}});
  }
  scan.standing.parked += sums.runs.parked;
  scan.standing.drained = scan.standing.drained && sums.live_messages == sums.runs.parked;
}

/// One lane of a queue.
void Oracle::scan_log(proto::QueueId lane, const Log& log, Scan& scan, Sums& sums) {
  const proto::LogId id{proto::home_of(lane).value};
  const proto::Offset first = proto::first_offset(proto::lane_tag(lane));
  const auto row =
      scan.reader->get(Family::kState, storage::object_key(KeyKind::kQueueState, lane.value))
          .value();
  const core::Queue::Counters counters =
      row ? core::rows::decode_counters(*row).value() : core::Queue::Counters{};
  learn_purge(lane, counters, scan);
  core::RunCounts runs;
  std::uint64_t bytes = 0;
  proto::Offset last_seen = -1;
  proto::TimeMs oldest = 0;
  std::set<std::pair<proto::TimeMs, proto::Offset>> cold_due;
  HistoryRows history;
  const std::string prefix =
      storage::generation_prefix(KeyKind::kBatch, lane.value, counters.generation);
  const auto rows = scan.reader->scan(Family::kLog, prefix, storage::prefix_end(prefix), {});
  for (; rows->valid() && !world_.violation(); rows->next()) {
    const auto stored = proto::parse_stored_batch(rows->value(), true);
    const auto columns = stored ? proto::read_columns(stored->batch)
                                : proto::Result<proto::BatchColumns>(stored.error());
    if (!columns) {
      wrong("a stored batch cannot be read", id, last_seen, 0);
      return;
    }
    bytes += rows->value().size();
    oldest = oldest == 0 ? stored->header.append_time : oldest;
    const proto::Offset base = columns->header.base_offset;
    const proto::Offset last = columns->header.last_offset();
    const auto touched_row =
        scan.reader
            ->get(Family::kState,
                  storage::batch_key(KeyKind::kTouchedBatch, lane.value, counters.generation, last))
            .value();
    std::optional<core::TouchedBatch> touched;
    if (touched_row) {
      auto decoded = core::rows::decode_touched(*touched_row, last).value();
      touched = std::move(decoded.batch);
      if (decoded.is_cold && touched->counts().returned > 0) {
        cold_due.emplace(touched->next_due(), last);
      }
      add_history(*touched, history);
      runs.leased += touched->counts().leased;
      runs.returned += touched->counts().returned;
      runs.dying += touched->counts().dying;
      runs.parked += touched->counts().parked;
    }
    if (base <= last_seen || (base < counters.cursor && !touched) || last >= counters.next_offset ||
        (touched && touched->done())) {
      wrong("a batch lies where none can be", id, base, 0);
    }
    last_seen = last;
    for (std::uint32_t i = 0; i < columns->count(); ++i) {
      const auto record =
          proto::decode_record(stored->batch.substr(columns->records[i].position)).value();
      const bool live = !touched || !touched->acked(i);
      sums.live_messages += live ? 1 : 0;
      Place* const where = found(scan, id, base + i, record.record, live);
      const core::Run* run = touched ? touched->run_at(i) : nullptr;
      if (where != nullptr) {
        expect_taken(*where, run);
      }
      if (live && run == nullptr && base + static_cast<proto::Offset>(i) < counters.cursor) {
        wrong("a message that was given out has no fate", id, base + i, 0);
      }
      if (live && run != nullptr) {
        const bool over =
            run->is_poison || run->is_expired || run->failures >= log.settings.max_receive_count;
        const bool ended =
            run->state == core::RunState::kDying || run->state == core::RunState::kParked;
        if ((over && run->state == core::RunState::kReturned) || (ended && !over)) {
          wrong("state and failures do not fit", id, base + i, 0);
        }
        expect_history(scan, lane, counters.generation, *touched, i);
      }
    }
  }
  scan_due_index(lane, counters.generation, cold_due, scan);
  scan_history(lane, counters.generation, history, scan);
  if (proto::lane_tag(lane) == 0) {
    scan_lane(id, counters, scan);
  }
  sums.live_messages += counters.lane.messages;
  sums.are_counted = sums.are_counted && runs == counters.runs && bytes == counters.bytes;
  sums.runs.leased += runs.leased;
  sums.runs.returned += runs.returned;
  sums.runs.dying += runs.dying;
  sums.runs.parked += runs.parked;
  sums.bytes += bytes;
  sums.lanes_bytes += counters.bytes + counters.lane.bytes;
  sums.messages += counters.next_offset - first;
  sums.oldest = sums.oldest == 0 || (oldest != 0 && oldest < sums.oldest) ? oldest : sums.oldest;
  if (log.at.end(proto::lane_tag(lane)) > counters.next_offset) {
    wrong("the log ends before what was said", id, counters.next_offset, 0);
  }
}

/// What is stored of the newest redrive of the queue is what was said, or further.
void Oracle::scan_redrive(proto::LogId id, Scan& scan) {
  const auto row =
      scan.reader->get(Family::kState, storage::object_key(KeyKind::kRedrive, id.value)).value();
  std::vector<Redriven>& redrives = logs_.at(id).redrives;
  if (row) {
    const core::Redrive redrive = core::rows::decode_redrive(*row).value();
    said_redrive(id, redrive);
    scan.standing.redrives += redrive.is_running() ? 1 : 0;
    scan.standing.drained = scan.standing.drained && !redrive.is_running();
  } else if (std::ranges::any_of(redrives, &Redriven::is_known)) {
    wrong("a redrive is forgotten", id, 0, 0);
  }
  // All that was heard has been decided by now.
  for (Redriven& known : redrives) {
    if (!known.said) {
      known.over = std::min(known.over, word_);
    }
  }
}

/// Which rows of history there are to be for messages of the batch: of those that it names, those
/// that one of their messages needs.
void Oracle::add_history(const core::TouchedBatch& batch, HistoryRows& rows) {
  for (const core::AttemptSpan& span : batch.attempts().all()) {
    batch.for_each_live(span.first, span.end(), [&](std::uint32_t index) {
      core::for_each_kept_attempt(batch.run_at(index)->ended_attempts(), [&](std::uint16_t number) {
        if (span.tells_of(index, number)) {
          rows.emplace(batch.base_offset() + span.first, number);
        }
      });
    });
  }
}

/// There are those, and no others.
void Oracle::scan_history(proto::QueueId lane, std::uint32_t generation,
                          const HistoryRows& expected, const Scan& scan) {
  HistoryRows found;
  const std::string prefix = storage::generation_prefix(KeyKind::kAttempt, lane.value, generation);
  const auto rows = scan.reader->scan(Family::kState, prefix, storage::prefix_end(prefix), {});
  for (; rows->valid(); rows->next()) {
    const auto at = storage::parse_attempt_key(rows->key()).value();
    found.emplace(at.offset, at.attempt);
  }
  if (found != expected) {
    const proto::LogId id{proto::home_of(lane).value};
    world_.violate("queue " + std::to_string(id.value) + " has " + std::to_string(found.size()) +
                       " rows of history, its messages need " + std::to_string(expected.size()),
                   {id, {}});
  }
}

/// Every cold batch with something due has one row in the index, and nothing else has.
void Oracle::scan_due_index(proto::QueueId lane, std::uint32_t generation,
                            const std::set<std::pair<proto::TimeMs, proto::Offset>>& expected,
                            const Scan& scan) {
  std::set<std::pair<proto::TimeMs, proto::Offset>> found;
  const std::string prefix =
      storage::generation_prefix(KeyKind::kReturnedIndex, lane.value, generation);
  const auto rows = scan.reader->scan(Family::kState, prefix, storage::prefix_end(prefix), {});
  for (; rows->valid(); rows->next()) {
    const auto at = storage::parse_timed_batch_key(KeyKind::kReturnedIndex, rows->key()).value();
    found.emplace(at.when, at.last_offset);
  }
  if (found != expected) {
    const proto::LogId id{proto::home_of(lane).value};
    world_.violate("the index of due times of queue " + std::to_string(id.value) + " has " +
                       std::to_string(found.size()) + " rows, its cold batches want " +
                       std::to_string(expected.size()),
                   {id, {}});
  }
}

/// What is put off, against the lane's numbers and its index.
void Oracle::scan_lane(proto::LogId id, const core::Queue::Counters& counters, Scan& scan) {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::map<proto::Offset, std::pair<proto::TimeMs, std::uint32_t>> rows_by_last;
  const std::string lane =
      storage::generation_prefix(KeyKind::kDelayed, id.value, counters.generation);
  const auto rows = scan.reader->scan(Family::kLog, lane, storage::prefix_end(lane), {});
  for (; rows->valid() && !world_.violation(); rows->next()) {
    const auto at = storage::parse_timed_batch_key(KeyKind::kDelayed, rows->key()).value();
    const auto stored = proto::parse_stored_batch(rows->value(), true);
    const auto columns = stored ? proto::read_columns(stored->batch)
                                : proto::Result<proto::BatchColumns>(stored.error());
    if (!columns || columns->header.last_offset() != at.last_offset) {
      wrong("what is put off cannot be read", id, at.last_offset, 0);
      return;
    }
    rows_by_last.emplace(at.last_offset, std::pair(at.when, columns->count()));
    messages += columns->count();
    bytes += rows->value().size();
    for (std::uint32_t i = 0; i < columns->count() && !world_.violation(); ++i) {
      const auto record =
          proto::decode_record(stored->batch.substr(columns->records[i].position)).value();
      const MessageNumber number = number_of(record.record.value.value_or(""));
      const proto::Offset offset = columns->header.base_offset + i;
      learn_delayed(id, offset, number);
      if (world_.violation()) {
        return;
      }
      const Message& message = messages_[number];
      if (!scan.present.emplace(number, id).second || !message.places.empty()) {
        wrong("a message is put off and somewhere else, too", id, offset, number);
      } else if (message.delay->is_cancelled) {
        wrong("a message that was cancelled is still put off", id, offset, number);
      } else if (at.when < message.delay->earliest) {
        wrong("a message is put off until " + std::to_string(at.when) + ", and that is not what " +
                  "anybody asked for",
              id, offset, number);
      }
    }
  }
  std::map<proto::Offset, std::pair<proto::TimeMs, std::uint32_t>> index_by_last;
  const std::string index =
      storage::generation_prefix(KeyKind::kDelayIndex, id.value, counters.generation);
  const auto places = scan.reader->scan(Family::kState, index, storage::prefix_end(index), {});
  for (; places->valid(); places->next()) {
    const auto at = storage::parse_batch_key(KeyKind::kDelayIndex, places->key()).value();
    const auto row = core::rows::decode_delay_index(places->value()).value();
    index_by_last.emplace(at.last_offset, std::pair(row.due, row.count));
  }
  if (rows_by_last != index_by_last || messages != counters.lane.messages ||
      bytes != counters.lane.bytes) {
    world_.violate("the delay lane of queue " + std::to_string(id.value) + " has " +
                       std::to_string(messages) + " messages in " + std::to_string(bytes) +
                       " bytes, its numbers say " + std::to_string(counters.lane.messages) +
                       " in " + std::to_string(counters.lane.bytes) + ", its index has " +
                       std::to_string(index_by_last.size()) + " rows",
                   {id, {}});
  }
}

void Oracle::scan_topic(proto::LogId id, const Log&, Scan& scan) {
  proto::Offset next = 0;
  const std::string prefix = storage::generation_prefix(KeyKind::kBatch, id.value, 0);
  const auto rows = scan.reader->scan(Family::kLog, prefix, storage::prefix_end(prefix), {});
  for (; rows->valid() && !world_.violation(); rows->next()) {
    const auto stored = proto::parse_stored_batch(rows->value(), true);
    if (!stored || stored->header.prev_last_offset != next - 1) {
      wrong("a partition has a gap", id, next, 0);
      return;
    }
    const auto header = proto::parse_batch_header(stored->batch);
    if (!header || header->base_offset != next) {
      wrong("a partition has a gap", id, next, 0);
      return;
    }
    std::string scratch;
    const auto records =
        proto::batch_records(stored->batch, *header, std::size_t{16} << 20, scratch);
    const auto read = records ? proto::for_each_record(*records, header->record_count,
                                                       [&](const proto::RecordView& record) {
                                                         found(scan, id, next++, record, true);
                                                       })
                              : proto::Result<>(records.error());
    if (!read) {
      wrong("a stored batch cannot be read", id, next, 0);
      return;
    }
  }
  if (next_offset(id) > next) {
    wrong("the log ends before what was said", id, next, 0);
  }
}

/// Every message that was acknowledged is in one place, or somebody who held it may have acked it.
void Oracle::compare(const Scan& scan) {
  for (MessageNumber number = 1; number < messages_.size() && !world_.violation(); ++number) {
    const Message& message = messages_[number];
    const bool is_present = scan.present.contains(number);
    bool must_be_gone = false;
    for (const Place& where : message.places) {
      must_be_gone = must_be_gone || where.acked;
    }
    if (message.stored && !is_present && message.places.empty()) {
      // It was put off, and nobody has seen what became of it when it was due.
      const Place due{.log = message.home,
                      .may_be_poison = 1,
                      .expires = expires_in(message, logs_.at(message.home))};
      const bool may_have_gone =
          message.delay && (message.delay->may_have_gone() || may_be_expired(message, due) ||
                            may_be_dropped(due) || may_be_purged(due));
      if (!may_have_gone) {
        wrong("an acknowledged message is lost", message.home, -1, number);
      }
    } else if (message.stored && !is_present) {
      // Whatever was said of the places before, it has come on from there.
      const Place& last = message.places.back();
      const bool is_expired = !last.ack_heard && may_be_expired(message, last);
      world_.report().count("message: expired", is_expired ? 1 : 0);
      const bool is_dropped = !last.ack_heard && may_be_dropped(last);
      world_.report().count("message: dropped", is_dropped ? 1 : 0);
      if (!last.ack_heard && !is_expired && !is_dropped && !may_be_purged(last)) {
        wrong("an acknowledged message is lost", last.log, last.offset, number);
      }
    }
    if (is_present && must_be_gone) {
      wrong("an acked message is still there", message.home, message.places.front().offset, number);
    }
  }
}

Oracle::Standing Oracle::check_ledger(const shard::Shard& shard) {
  ++word_;
  Scan scan;
  scan.reader = host_.store().snapshot();
  shard.visit_queues([&scan](const std::string&, const core::QueueInfo& info) {
    scan.described[proto::LogId{info.id.value}] = info;
  });
  const std::string states = storage::kind_prefix(KeyKind::kQueueState);
  const auto rows = scan.reader->scan(Family::kState, states, storage::prefix_end(states), {});
  for (; rows->valid(); rows->next()) {
    const proto::QueueId lane{storage::parse_object_key(KeyKind::kQueueState, rows->key()).value()};
    scan.lanes[proto::LogId{proto::home_of(lane).value}].insert(lane);
  }
  for (const auto& [id, log] : logs_) {
    if (world_.violation()) {
      break;
    }
    if (log.topic) {
      scan_topic(id, log, scan);
    } else {
      scan_redrive(id, scan);
      scan_queue(id, log, scan);
    }
  }
  compare(scan);
  scan.standing.present = scan.present.size();
  world_.report().count("check: ledger");
  return scan.standing;
}

}  // namespace weir::sim
