#include "broker/core/row_messages.hpp"

#include "broker/core/attempt.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"
#include "proto/planted_bugs.hpp"
#include "proto/setting_fields.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::core::messages {

namespace pb = weir::storage::v1;

namespace {

std::string to_bytes(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.data()), uuid.size()};
}

bool from_bytes(const std::string& bytes, Uuid& uuid) {
  if (bytes.size() != uuid.size()) {
    return false;
  }
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(uuid.data()));
  return true;
}

bool is_dead_letter_queue(const pb::QueueRow& row) {
  const std::uint64_t target = row.dead_letter_queue_id();
  if (target == 0) {
    return row.dead_letter_queue().empty();
  }
  return target != row.id() && messages::is_id(target) &&
         proto::check_queue_name(row.dead_letter_queue());
}

std::optional<Run> read(const pb::RunRow& row) {
  if (row.state() < pb::RUN_STATE_LEASED || row.state() > pb::RUN_STATE_PARKED ||
      row.attempts() > UINT16_MAX || (row.started() && row.attempts() == 0) || row.since() < 0 ||
      row.holder().size() > kMaxHolderBytes) {
    return std::nullopt;
  }
  // An attempt that was begun and is not over counts as one already, but not as a failure.
  const std::uint32_t ended = row.attempts() - (row.started() ? 1 : 0);
  const std::uint32_t failures = row.has_failures() ? row.failures() : ended;
  if (failures > row.attempts() || row.losses() > failures) {
    return std::nullopt;
  }
  Run run;
  run.first = row.first();
  run.count = row.count();
  run.state = static_cast<RunState>(row.state());
  run.started = row.started();
  run.attempts = static_cast<std::uint16_t>(row.attempts());
  run.failures = static_cast<std::uint16_t>(failures);
  run.losses = static_cast<std::uint16_t>(row.losses());
  run.is_poison = row.is_poison();
  run.is_expired = row.is_expired();
  run.is_unparked = row.is_unparked();
  run.grant = proto::GrantId{row.grant()};
  run.nonce = row.nonce();
  run.when = row.when();
  run.since = row.since();
  if (!row.holder().empty()) {
    run.holder = std::make_shared<const std::string>(row.holder());
  }
  return run;
}

}  // namespace

void write(const NamespaceCreated& from, pb::NamespaceRow& to) {
  to.set_id(from.id.value);
  to.set_name(from.name);
}

void write(const QueueCreated& from, pb::QueueRow& to) {
  to.set_id(from.id.value);
  to.set_namespace_id(from.name_space.value);
  to.set_name(from.name);
  to.set_uuid(to_bytes(from.uuid));
  for (const NumericSetting& setting : kNumericSettings) {
    proto::set_number(to, setting.name, from.settings.*setting.value);
  }
  for (const TextSetting& setting : kTextSettings) {
    proto::set_text(to, setting.name, from.settings.*setting.value);
  }
  to.set_dead_letter_queue_id(from.dead_letter_queue.value);
  to.set_receives_paused(from.pause.receives);
  to.set_sends_paused(from.pause.sends);
}

void write(const TopicCreated& from, pb::TopicRow& to) {
  to.set_id(from.id.value);
  to.set_namespace_id(from.name_space.value);
  to.set_name(from.name);
  to.set_uuid(to_bytes(from.uuid));
  for (const proto::PartitionId partition : from.partitions) {
    to.add_partition_ids(partition.value);
  }
  to.set_leader_epoch(from.leader_epoch);
}

void write(const Attempt& from, pb::AttemptRow& to) {
  to.set_time(from.time);
  to.set_outcome(static_cast<pb::ReturnCause>(from.outcome));
  to.set_consumer(from.consumer);
  to.set_reason(from.reason);
}

std::optional<ReturnCause> read(pb::ReturnCause cause) {
  return cause >= pb::RETURN_CAUSE_RELEASED && cause <= pb::RETURN_CAUSE_UNSAID
             ? std::optional(static_cast<ReturnCause>(cause))
             : std::nullopt;
}

std::optional<Attempt> read(const pb::AttemptRow& from, std::uint16_t number) {
  const auto outcome = read(from.outcome());
  if (!outcome || outcome == ReturnCause::kUnsaid || from.time() < 0 ||
      from.consumer().size() > kMaxHolderBytes || from.reason().size() > proto::kMaxReasonBytes) {
    return std::nullopt;
  }
  return Attempt{number, from.time(), *outcome, from.consumer(), from.reason()};
}

void write(const Redrive& from, pb::RedriveRow& to) {
  to.set_source(from.source.value);
  to.set_generation(from.generation);
  to.set_target(from.target.value);
  to.set_parked(from.parked);
  to.set_dry_run(from.dry_run);
  to.set_max_messages(from.max_messages);
  to.set_rate(from.rate);
  to.set_drop(from.drop);
  to.set_keep_attempts(from.keep_attempts);
  for (const auto& [name, value] : from.headers.set) {
    pb::HeaderRow& header = *to.add_set_headers();
    header.set_name(name);
    header.set_value(value);
  }
  to.mutable_remove_headers()->Add(from.headers.remove.begin(), from.headers.remove.end());
  if (!from.filter.takes_all()) {
    pb::MessageFilterRow& filter = *to.mutable_filter();
    filter.set_reason(from.filter.reason);
    filter.set_header(from.filter.header);
    filter.set_header_value(from.filter.header_value);
    filter.set_key(from.filter.key);
    filter.set_died_after(from.filter.died_after);
    filter.set_died_before(from.filter.died_before);
    filter.set_message_id(from.filter.message_id);
  }
  to.set_position(from.position);
  to.set_end(from.end);
  to.mutable_further_ends()->Add(from.further_ends.begin(), from.further_ends.end());
  to.set_moved(from.moved);
  to.set_skipped(from.skipped);
  to.set_begun_time(from.begun_time);
  to.set_ended_time(from.ended_time);
  to.set_second_time(from.second_time);
  to.set_moved_in_second(from.moved_in_second);
  to.set_state(static_cast<pb::RedriveState>(from.state));
  to.set_why(from.why);
}

std::optional<Redrive> read(const pb::RedriveRow& from) {
  constexpr std::int64_t kSecondMs = 1000;
  const pb::MessageFilterRow& filter = from.filter();
  // Lane by lane, each one behind the one before.
  proto::Offset before = from.end();
  for (const proto::Offset end : from.further_ends()) {
    if (!proto::is_in_lane(proto::lane_of(proto::QueueId{from.source()}, end), end) ||
        proto::lane_tag(end) <= proto::lane_tag(before)) {
      return std::nullopt;
    }
    before = end;
  }
  const std::array times = {from.begun_time(), from.ended_time(), from.second_time(),
                            filter.died_after(), filter.died_before()};
  if (!is_id(from.source()) || from.target() == from.source() || from.generation() == 0 ||
      (from.target() != 0 && (!is_id(from.target()) || from.parked() || from.drop())) ||
      from.position() < 0 || from.position() > from.end() ||
      from.state() < pb::REDRIVE_STATE_RUNNING || from.state() > pb::REDRIVE_STATE_FAILED ||
      from.second_time() > INT64_MAX - kSecondMs ||  // it goes on a second later
      std::any_of(times.begin(), times.end(), [](proto::TimeMs time) { return time < 0; })) {
    return std::nullopt;
  }
  Redrive redrive;
  redrive.source = proto::QueueId{from.source()};
  redrive.generation = from.generation();
  redrive.target = proto::QueueId{from.target()};
  redrive.parked = from.parked();
  redrive.dry_run = from.dry_run();
  redrive.max_messages = from.max_messages();
  redrive.rate = from.rate();
  redrive.filter = {filter.reason(),     filter.header(),      filter.header_value(), filter.key(),
                    filter.died_after(), filter.died_before(), filter.message_id()};
  redrive.drop = from.drop();
  redrive.keep_attempts = from.keep_attempts();
  for (const pb::HeaderRow& header : from.set_headers()) {
    redrive.headers.set.emplace_back(header.name(), header.value());
  }
  redrive.headers.remove.assign(from.remove_headers().begin(), from.remove_headers().end());
  redrive.position = from.position();
  redrive.end = from.end();
  redrive.further_ends.assign(from.further_ends().begin(), from.further_ends().end());
  redrive.moved = from.moved();
  redrive.skipped = from.skipped();
  redrive.begun_time = from.begun_time();
  redrive.ended_time = from.ended_time();
  redrive.second_time = from.second_time();
  redrive.moved_in_second = from.moved_in_second();
  redrive.state = static_cast<RedriveState>(from.state());
  redrive.why = from.why();
  return redrive;
}

void write(const std::vector<SentPart>& from, PartRows& to) {
  for (const SentPart& part : from) {
    pb::SentPart& row = *to.Add();
    row.set_base_offset(part.base_offset);
    row.set_count(part.count);
    row.set_group(part.group);
  }
}

std::optional<std::vector<SentPart>> read(const PartRows& from, std::uint32_t count) {
  std::vector<SentPart> parts;
  std::uint64_t messages = 0;
  for (const pb::SentPart& part : from) {
    constexpr std::uint64_t kSomeQueue = 1;
    const proto::QueueId lane = proto::lane_of(proto::QueueId{kSomeQueue}, part.base_offset());
    if (part.count() == 0 || !proto::is_in_lane(lane, part.base_offset())) {
      return std::nullopt;
    }
    messages += part.count();
    parts.push_back({part.base_offset(), part.count(), part.group()});
  }
  return parts.empty() || messages == count ? std::optional(std::move(parts)) : std::nullopt;
}

void write(const TouchedBatch& from, pb::TouchedBatchRow& to) {
  to.set_base_offset(from.base_offset());
  to.set_bytes(from.bytes());
  to.set_append_time(from.append_time());
  std::string acked;
  for (const std::uint64_t word : from.acked_words()) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      acked.push_back(static_cast<char>((word >> shift) & 0xff));
    }
  }
  acked.resize(acked.find_last_not_of('\0') + 1);
  to.set_acked(std::move(acked));
  for (const Run& run : from.runs()) {
    pb::RunRow& row = *to.add_runs();
    row.set_first(run.first);
    row.set_count(run.count);
    row.set_state(static_cast<pb::RunState>(run.state));
    row.set_started(run.started);
    row.set_attempts(WEIR_PLANTED(forget_attempts_at_restart) ? 0U : run.attempts);
    row.set_grant(run.grant.value);
    row.set_nonce(run.nonce);
    row.set_when(run.when);
    row.set_failures(WEIR_PLANTED(forget_attempts_at_restart) ? 0U : run.failures);
    row.set_losses(run.losses);
    row.set_is_poison(run.is_poison);
    row.set_is_expired(run.is_expired);
    row.set_is_unparked(run.is_unparked);
    row.set_since(run.since);
    if (run.holder) {
      row.set_holder(*run.holder);
    }
  }
  if (!from.groups().empty() && !WEIR_PLANTED(forget_groups_at_restart)) {
    from.for_each_live(0, from.size(), [&](std::uint32_t i) { to.add_groups(from.group_of(i)); });
  }
  for (const AttemptSpan& span : from.attempts().all()) {
    to.add_attempt_rows(span.first);
    to.add_attempt_rows(span.count);
    to.add_attempt_rows(span.from);
    to.add_attempt_rows(span.to);
  }
}

std::optional<NamespaceCreated> read(const pb::NamespaceRow& from) {
  if (!is_id(from.id()) || !proto::check_namespace_name(from.name())) {
    return std::nullopt;
  }
  return NamespaceCreated{proto::NamespaceId{from.id()}, from.name()};
}

std::optional<QueueCreated> read(const pb::QueueRow& from) {
  QueueCreated queue;
  queue.id = proto::QueueId{from.id()};
  queue.name_space = proto::NamespaceId{from.namespace_id()};
  queue.name = from.name();
  for (const NumericSetting& setting : kNumericSettings) {
    queue.settings.*setting.value = proto::number(from, setting.name);
  }
  for (const TextSetting& setting : kTextSettings) {
    queue.settings.*setting.value = proto::text(from, setting.name);
  }
  queue.dead_letter_queue = proto::QueueId{from.dead_letter_queue_id()};
  queue.pause = {from.receives_paused(), from.sends_paused()};
  // These two are in every row; what came later is not in older ones.
  const bool is_sound = is_id(from.id()) && is_id(from.namespace_id()) &&
                        proto::check_queue_name(from.name()) && from.lease_ms() != 0 &&
                        from.max_receive_count() != 0 && check(queue.settings, from.name()) &&
                        is_dead_letter_queue(from) && from_bytes(from.uuid(), queue.uuid);
  fill_defaults(queue.settings);
  return is_sound ? std::optional(std::move(queue)) : std::nullopt;
}

std::optional<TopicCreated> read(const pb::TopicRow& from) {
  TopicCreated topic;
  topic.id = proto::TopicId{from.id()};
  topic.name_space = proto::NamespaceId{from.namespace_id()};
  topic.name = from.name();
  topic.leader_epoch = from.leader_epoch();
  std::uint64_t before = from.id();
  bool ascends = true;
  for (const std::uint64_t partition : from.partition_ids()) {
    ascends = ascends && partition > before && is_id(partition);
    before = partition;
    topic.partitions.emplace_back(partition);
  }
  const bool is_sound = is_id(from.id()) && is_id(from.namespace_id()) &&
                        proto::check_topic_name(from.name()) && ascends &&
                        !topic.partitions.empty() &&
                        topic.partitions.size() <= proto::kMaxPartitionsPerTopic &&
                        from_bytes(from.uuid(), topic.uuid);
  return is_sound ? std::optional(std::move(topic)) : std::nullopt;
}

namespace {

/// As it was before neighbours shared rows: each message has a row for each of its attempts.
std::vector<AttemptSpan> unshared_attempts(const TouchedBatch& batch) {
  AttemptSpans spans;
  for (const Run& run : batch.runs()) {
    batch.for_each_live(run.first, run.end(), [&](std::uint32_t i) {
      for_each_kept_attempt(run.ended_attempts(),
                            [&](std::uint16_t number) { spans.add(i, 1, number); });
    });
  }
  return spans.all();
}

std::optional<std::vector<AttemptSpan>> read_attempt_rows(const pb::TouchedBatchRow& from,
                                                          const TouchedBatch& batch) {
  if (from.attempt_rows().empty()) {
    return unshared_attempts(batch);
  }
  constexpr int kNumbers = 4;
  if (from.attempt_rows_size() % kNumbers != 0) {
    return std::nullopt;
  }
  std::vector<AttemptSpan> spans;
  for (int i = 0; i < from.attempt_rows_size(); i += kNumbers) {
    const std::uint32_t messages = from.attempt_rows(i + 1);
    const std::uint32_t first = from.attempt_rows(i + 2);
    const std::uint32_t last = from.attempt_rows(i + 3);
    if (messages > AttemptSpans::kMaxMessages || first > UINT16_MAX || last > UINT16_MAX) {
      return std::nullopt;
    }
    spans.push_back({from.attempt_rows(i), static_cast<std::uint16_t>(first),
                     static_cast<std::uint16_t>(last), static_cast<std::uint8_t>(messages)});
  }
  return spans;
}

}  // namespace

std::optional<TouchedBatch> read(const pb::TouchedBatchRow& from, proto::Offset last_offset) {
  if (from.base_offset() < 0 || from.base_offset() > last_offset ||
      last_offset - from.base_offset() >= std::int64_t{proto::kMaxBatchRecords}) {
    return std::nullopt;
  }
  TouchedBatch batch(from.base_offset(), last_offset, from.bytes(), from.append_time());
  std::vector<std::uint64_t> acked((from.acked().size() + 7) / 8);
  for (std::size_t i = 0; i < from.acked().size(); ++i) {
    acked[i / 8] |= static_cast<std::uint64_t>(static_cast<unsigned char>(from.acked()[i]))
                    << (8 * (i % 8));
  }
  std::vector<Run> runs;
  for (const pb::RunRow& row : from.runs()) {
    auto run = read(row);
    if (!run) {
      return std::nullopt;
    }
    runs.push_back(*std::move(run));
  }
  if (!batch.restore(std::move(acked), std::move(runs)) ||
      (from.cold() && batch.counts().leased + batch.counts().dying > 0)) {
    return std::nullopt;
  }
  if (!from.groups().empty()) {
    if (static_cast<std::uint32_t>(from.groups_size()) != batch.live_in(0, batch.size())) {
      return std::nullopt;
    }
    std::vector<std::uint64_t> groups(batch.size());
    int next = 0;
    batch.for_each_live(0, batch.size(), [&](std::uint32_t i) { groups[i] = from.groups(next++); });
    batch.set_groups(std::move(groups));
  }
  const auto attempts = read_attempt_rows(from, batch);
  if (!attempts || !batch.attempts().restore(*attempts, batch.size())) {
    return std::nullopt;
  }
  return batch;
}

}  // namespace weir::core::messages
