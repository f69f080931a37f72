#pragma once

#include "broker/core/command.hpp"
#include "broker/core/queue/queue.hpp"
#include "broker/core/reply.hpp"
#include "broker/shard/session_port.hpp"
#include "broker/shard/shard.hpp"
#include "proto/batch/record_batch.hpp"
#include "storage/kv.hpp"
#include "tests/sim/broker_host.hpp"
#include "tests/sim/offsets.hpp"
#include "tests/sim/world.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::sim {

/// Knows what clients asked, in the order in which the broker took it, and what the broker said;
/// judges every word. Where an outcome is unknown both worlds are allowed until one is seen.
class Oracle {
 public:
  Oracle(World& world, BrokerHost& host) : world_(world), host_(host) {}

  // ---- what exists
  void queue_exists(const core::QueueInfo& info);
  void topic_exists(const std::string& name, const std::vector<proto::LogId>& partitions);

  // ---- what the broker is about to hear
  MessageNumber new_message(proto::LogId log);
  struct Batch {
    proto::LogId log;
    std::vector<MessageNumber> messages;
    bool idempotent = false;
    std::vector<std::int64_t> delays_ms = {};   // as proto::BatchColumns has them
    std::vector<proto::RecordLife> lives = {};  // likewise
    std::vector<std::uint8_t> priorities = {};  // likewise
    bool has_groups = false;
    bool has_ids = false;  // by which the queue knows its messages
  };
  void heard_send(proto::SessionId session, std::uint64_t send_number, const Batch& batch);
  void heard_settle(proto::SessionId session, proto::QueueId queue, const proto::Settle& settle);
  void heard_handle(proto::SessionId session, std::uint64_t request, proto::QueueId queue,
                    const proto::SettleRange& range);
  void heard_unsubscribe(proto::SessionId session, std::uint32_t alias);
  void heard_subscribe_topic(proto::SessionId session, std::uint64_t request, std::uint32_t alias,
                             const std::vector<proto::LogId>& partitions);
  /// `receives`: paused or resumed by it; nullopt: left as it is.
  void heard_pause(proto::SessionId session, std::uint64_t request, proto::LogId log,
                   std::optional<bool> receives);
  void heard_purge(proto::SessionId session, std::uint64_t request, proto::LogId log);
  /// `delay_ms`: until when; nullopt: they are cancelled.
  void heard_change_delayed(proto::SessionId session, std::uint64_t request, proto::LogId log,
                            const std::vector<std::string>& ids,
                            std::optional<std::int64_t> delay_ms);
  /// `target`: none where each message goes to where it died.
  void heard_redrive(proto::SessionId session, std::uint64_t request, proto::LogId source,
                     proto::LogId target, const core::StartRedrive& command);
  /// The id of some message, of one that lies `in` that log where there is one, or of none.
  [[nodiscard]] std::string some_id(Rng& rng, std::optional<proto::LogId> in = std::nullopt) const;
  /// An id that its queue has given to no message so far.
  [[nodiscard]] std::string id_of_nobody(proto::LogId log) const;
  void heard_look(proto::SessionId session, std::uint64_t request, proto::LogId log,
                  const core::PeekQueue& command);
  void heard_cancel_redrive(proto::SessionId session, std::uint64_t request, proto::LogId source);
  void heard_list_redrives(proto::SessionId session, std::uint64_t request);
  void session_closed(proto::SessionId session);
  /// All sessions are gone, and all that was not durable may be.
  void broker_lost();
  /// The same, and the disk has lost what it had called durable: what was known then is what must
  /// hold. A message that was sent since then may be stored or not.
  void disk_lost(const Oracle& then);
  /// The broker closes in order: it has nothing left to say.
  void expect_all_answered();

  // ---- what it said
  void said_sent(proto::SessionId session, const proto::SentEntry& entry);
  void said_settled(proto::SessionId session, std::uint64_t up_to,
                    std::span<const proto::SettleFailure> failed);
  /// `since` is the first grant of those that are given with it in one piece.
  void said_delivery(proto::SessionId session, std::uint32_t alias, const core::Delivery& delivery,
                     bool received, proto::GrantId since);
  void said_topic_batch(proto::SessionId session, const shard::TopicBatch& batch);
  void said_reply(proto::SessionId session, std::uint64_t request,
                  const proto::Result<core::Reply>& reply);

  // ---- what clients of the library were told, which must be no other (oracle_client.cpp)
  void client_stored(MessageNumber message, proto::LogId log, proto::Offset offset);
  /// Not stored, and never will be.
  void client_refused(MessageNumber message);
  /// Its ack is durable: it does not come from this queue any more.
  void client_acked(MessageNumber message, proto::LogId log, proto::Offset offset);
  /// Somebody got it from there.
  void client_got(std::string_view value, std::size_t bytes, proto::LogId log,
                  proto::Offset offset);
  /// Somebody asked for a delay of it, or of one that was sent along with it.
  [[nodiscard]] bool was_put_off(MessageNumber message) const {
    return messages_[message].delay.has_value();
  }
  /// Where its sender has stored it, if it is known and in that log.
  [[nodiscard]] std::optional<proto::Offset> offset_in(MessageNumber message,
                                                       proto::LogId log) const;

  // ---- what lies in the store while nothing is under way (ledger.cpp)
  struct Standing {
    bool drained = true;  // nothing is left but parked messages, and no redrive runs
    std::uint64_t parked = 0;
    std::uint64_t redrives = 0;  // that run
    std::uint64_t present = 0;
  };
  Standing check_ledger(const shard::Shard& shard);
  /// Highest offset that readers have seen in each partition must be what a full replay gives.
  [[nodiscard]] proto::Offset next_offset(proto::LogId log) const;

 private:
  /// A lease that survives a start is longer afterwards, nobody says by how much.
  static constexpr proto::TimeMs kNever = INT64_MAX;
  struct Lease {
    proto::GrantId grant;
    std::uint64_t nonce = 0;
    proto::Offset base_offset = 0;  // of its batch
    proto::SessionId session;
    std::uint32_t alias = 0;
    proto::TimeMs deadline = 0;  // at least; by BrokerHost::Moment::present
    proto::TimeMs latest = 0;    // at most; by the same
    /// The same by the time that the process was awake, as long as it lives: whatever its clock
    /// says, it may not count time in which it, or its disk, stood still.
    std::int64_t awake_until_us = 0;
    std::uint64_t life = 0;
    bool started_heard = false;
    bool started_said = false;
    bool may_have_ended = false;
    bool is_follower = false;  // goes back with another, whatever is said of it
    bool ended_well = false;   // given back in a way that is no failure, and the broker said so
    std::uint32_t extensions = 0;
    proto::SessionId settler;  // that was the last to say anything of it
  };
  /// How a message came to where it lies, as its record tells.
  struct Origin {
    enum class How : std::uint8_t { kUntold, kSent, kDied, kRedriven };
    How how = How::kUntold;
    std::string id = {};          // that it had first; of a copy
    proto::LogId died_from = {};  // none: it did not die
    std::string reason = {};      // why it did
    proto::TimeMs died_time = 0;  // when
    std::string key = {};
    std::string colour = {};  // a header of some producers
    std::string edited = {};  // a header of some redrives; empty: none
  };
  /// A message at one offset of one queue or partition of its way.
  struct Place {
    proto::LogId log;
    proto::Offset offset = -1;
    Origin origin = {};
    std::uint64_t seen = 0;            // the last word that says that it was there
    std::uint64_t handed_out = 0;      // the same with what it had failed
    std::uint64_t parked = 0;          // the last look at the store that has found it so
    proto::GrantId parked_grant = {};  // and under which it was held last, by then
    std::uint16_t attempts = 0;        // at least; as said
    int unsure_attempts = 0;     // perhaps begun: behind an ack that may have held, in a crash
    std::uint16_t failures = 0;  // among the attempts that had ended when it was handed out last
    int may_be_poison = 0;       // words that say so, and were not refused
    bool is_poison = false;      // and the broker said so
    std::optional<Lease> lease = std::nullopt;
    bool ack_heard = false;     // of its newest lease
    bool acked = false;         // and the broker said so
    bool client_acked = false;  // and a client of the library heard it
    /// Not before this it may expire here, by BrokerHost::Moment::time.
    proto::TimeMs expires = INT64_MAX;
  };
  /// That a message was put off when it was sent (oracle_delay.cpp).
  struct Delay {
    proto::LogId log;
    proto::Offset offset = -1;   // in the delay lane; -1: not known
    proto::TimeMs earliest = 0;  // nobody gets it before, by BrokerHost::Moment::time
    int open_changes = 0;        // heard, and not answered
    int open_cancels = 0;        // among those
    bool may_be_gone = false;    // purged, or cancelled by a word whose answer was lost
    bool is_cancelled = false;   // and the broker said so

    [[nodiscard]] bool may_have_gone() const {
      return may_be_gone || is_cancelled || open_cancels > 0;
    }
  };
  struct Message {
    proto::LogId home;
    bool stored = false;             // the broker said so
    std::vector<Place> places = {};  // in the order of its way, as far as that is known
    std::optional<std::pair<proto::LogId, proto::Offset>> first = std::nullopt;  // of these
    std::string id = {};                                                         // of its copies
    std::optional<std::pair<std::string, std::string>> text = std::nullopt;      // key and colour
    bool refused = false;   // a client of the library heard that it is not stored
    int early_crashes = 0;  // of the broker, before it said where the message lies
    std::optional<Delay> delay = std::nullopt;
    // When it was heard first; what it says of its life; when it was appended, if that was said.
    proto::TimeMs heard_time = INT64_MAX;
    proto::RecordLife life = {};
    proto::TimeMs append_time = INT64_MAX;
    int priority = proto::kDefaultPriority;
  };
  /// Something that may move messages of a queue, from when it was heard.
  struct Redriven {
    static constexpr std::uint64_t kAlways = UINT64_MAX;
    std::uint64_t number = 0;
    proto::LogId target;  // none: to where each died
    core::StartRedrive asked;
    std::uint64_t heard = 0;   // after this word
    std::uint64_t purges = 0;  // heard of the source by then
    // What the broker said of it last; nothing where its answer was lost.
    std::optional<core::Redrive> said = std::nullopt;
    std::uint64_t said_in = 0;       // which word that was
    std::uint64_t said_crashes = 0;  // and how often the broker had ended before
    std::uint64_t over = kAlways;    // the word that says that it has ended, or never was
    /// Of each lane that it goes through, as far as that was said while it was in the first one.
    std::map<proto::LaneTag, proto::Offset> ends = {};
    /// Where copies lie, by target, its lane, and the offset that each was taken from.
    using Target = std::pair<proto::LogId, proto::LaneTag>;
    std::map<Target, std::map<proto::Offset, proto::Offset>> copies;
    [[nodiscard]] bool is_known() const { return said.has_value(); }
    [[nodiscard]] bool moves() const { return !asked.dry_run && !asked.parked && !asked.drop; }
    [[nodiscard]] bool unparks() const { return !asked.dry_run && asked.parked && !asked.drop; }
    [[nodiscard]] bool drops() const { return !asked.dry_run && asked.drop; }
    /// Whether what lies there is part of it; nullopt: nobody has said.
    [[nodiscard]] std::optional<bool> is_part(proto::Offset offset) const {
      const auto end = ends.find(proto::lane_tag(offset));
      return ends.empty() || offset < 0 ? std::nullopt
                                        : std::optional(end != ends.end() && offset < end->second);
    }
  };
  /// What was asked of a message that is put off, before anybody had heard which one it is: an
  /// operator finds it in a list while the answer to its send is still on the way, or lost.
  struct EarlyChange {
    // Of what it was put off to.
    proto::TimeMs earliest = std::numeric_limits<proto::TimeMs>::max();
    bool may_be_gone = false;
  };
  struct Log {
    bool topic = false;
    bool is_fifo = false;
    core::QueueSettings settings;
    proto::LogId dead_letters;
    bool takes_dead_letters = false;
    std::string name;
    KnownOffsets at;
    std::map<proto::Offset, MessageNumber> lane;  // what was ever put off
    std::map<proto::Offset, EarlyChange> early;   // of what may be there
    proto::Offset high_watermark = 0;
    // What an operator did (oracle_operator.cpp).
    bool receives_paused = false;    // and the broker said so
    std::uint64_t resumes = 0;       // heard
    LaneBounds purged;               // and the broker said so, or its store does
    bool may_be_purged = false;      // all of it: a purge may be under way, or unanswered
    std::uint64_t purges = 0;        // heard
    std::uint64_t purge_seen = 0;    // the last word of one
    std::vector<Redriven> redrives;  // of its messages, as they were heard
    bool takes_redriven = false;     // one may bring messages here
  };
  struct HeardMessage {
    MessageNumber message = 0;
    std::uint32_t index = 0;
    bool newest = false;   // named the newest lease
    bool is_over = false;  // which was over when this came
    bool must_succeed = false;
    std::uint32_t extension = 0;
  };
  struct HeardRange {
    proto::LogId log;
    proto::SettleRange range;
    BrokerHost::Moment moment;
    std::vector<HeardMessage> messages;
    proto::Offset purged_before = 0;  // of its lane, by then
  };
  struct HeardPause {
    proto::LogId log;
    bool pauses = false;
    std::uint64_t resumes = 0;
  };
  /// One message of a request about what is put off.
  struct HeardChange {
    MessageNumber message = 0;  // 0: nobody has heard which one has that id
    std::optional<proto::TimeMs> due;
  };
  /// Somebody looks at the messages of a queue (oracle_look.cpp).
  struct Look {
    proto::LogId log;
    core::PeekQueue asked;
    std::map<proto::Offset, std::uint16_t> open;  // with its attempts, at least
    std::set<proto::Offset> gone;
  };
  struct Reader {
    std::vector<proto::LogId> partitions;
    std::map<std::uint32_t, proto::Offset> next;
  };

  // ---- where messages lie, and how they came there (oracle_ways.cpp)
  /// What is known of a message at an offset.
  enum class Sight : std::uint8_t {
    kStored,  // it was sent to there; it may have gone since
    kLive,    // it is there
    kGone,    // it was there
  };
  Place* learn(proto::LogId log, proto::Offset offset, MessageNumber message, Origin origin,
               Sight sight);
  [[nodiscard]] bool knows(proto::LogId log, proto::Offset offset, MessageNumber message,
                           const Origin& origin, Sight sight);
  Place& add_place(MessageNumber message, Place place, Sight sight);
  [[nodiscard]] Origin origin_of(const proto::RecordView& record) const;
  /// False where nobody has heard yet where it lay first.
  [[nodiscard]] bool has_id_of(const Message& message, const std::string& id) const;
  Place* find_place(MessageNumber message, proto::LogId log, proto::Offset offset);
  [[nodiscard]] bool may_have_died(const Place& place) const;
  /// For another queue, in any way.
  [[nodiscard]] bool may_have_left(const Place& place) const;
  [[nodiscard]] static bool is_in(const Message& message, proto::LogId log);
  [[nodiscard]] static bool is_place(const std::string& id, const Place& place);
  [[nodiscard]] bool may_have_been_dropped(const Place& place) const;
  [[nodiscard]] bool may_be_dropped(const Place& place) const;
  [[nodiscard]] bool may_have_been_unparked(const Place& place) const;
  [[nodiscard]] static bool is_meant(const Redriven& redrive, const Place& place);
  [[nodiscard]] static bool is_meant_anywhere(const Redriven& redrive, const Place& place);
  [[nodiscard]] static bool may_take(const Redriven& redrive, const Place& place);
  /// A place where a message may be without a word of it.
  struct Stop {
    proto::LogId log;
    proto::LogId died_from;
    const Redriven* by = nullptr;  // what brought it there; nullptr: it died
    friend bool operator==(const Stop&, const Stop&) = default;
  };
  [[nodiscard]] std::vector<Stop> ways_from(const Place& place) const;
  void check_way(MessageNumber message, const Place& from, const Place& to);
  /// What may have had a hand in it, by what is known.
  [[nodiscard]] std::vector<const Redriven*> redrives_between(const Place& from) const;
  void check_edits(MessageNumber message, const Place& from, const Place& to);
  void check_order(MessageNumber message, const Place& from, const Place& to);

  // ---- redrives (oracle_redrive.cpp)
  void said_of_redrives(proto::SessionId session, std::uint64_t request,
                        const proto::Result<core::Reply>& reply);
  Redriven* find_redrive(proto::LogId source, const core::Redrive& redrive, std::uint64_t number);
  void said_redrive(proto::LogId source, const core::Redrive& redrive, std::uint64_t number = 0);
  void said_begun(proto::LogId source, std::uint64_t number,
                  const proto::Result<core::Reply>& reply);
  void said_all(const core::RedriveList& list);
  void check_redrive(proto::LogId source, const Redriven& known, const core::Redrive& redrive);
  void wrong_redrive(const std::string& what, proto::LogId source, const core::Redrive& redrive);
  static void end_redrives(std::span<Redriven> redrives, std::uint64_t word);

  void deliver_one(proto::SessionId session, std::uint32_t alias, const core::Delivery& delivery,
                   bool received, proto::GrantId since, proto::Offset offset,
                   const proto::RecordView& record, const BrokerHost::Moment& given);
  [[nodiscard]] static bool lasts(const Lease& lease, const BrokerHost::Moment& now);
  [[nodiscard]] std::vector<MessageNumber> messages_at(proto::LogId log, proto::Offset first,
                                                       std::uint32_t count) const;
  HeardRange hear(proto::SessionId session, proto::LogId log, const proto::SettleRange& range);
  void expect_nothing_of_others(proto::SessionId session, proto::LogId log, proto::GrantId grant,
                                MessageNumber message);
  static bool said_once(const std::vector<HeardRange>& settlement, const HeardRange& heard,
                        const HeardMessage& message);
  void judge(const HeardRange& heard, const HeardMessage& message,
             std::optional<std::uint16_t> refused);
  void said_of_handles(const std::vector<HeardRange>& handles,
                       const proto::Result<core::Reply>& reply);
  [[nodiscard]] bool is_open(const Message& message, const Place& place) const;
  bool follows(proto::SessionId session, std::uint32_t alias, proto::GrantId since, proto::LogId id,
               proto::Offset offset, MessageNumber number);
  void end_leases(proto::SessionId session, std::optional<std::uint32_t> alias);
  [[nodiscard]] bool may_be_purged(const Place& place) const;
  void check_bounds(const core::QueueInfo& info);
  void said_full(const Batch& batch);
  void said_look(const Look& look, const proto::Result<core::Reply>& reply);
  void expect_not_given(const Look& look);
  void expect_shown(const Look& look, const core::Peeked& said,
                    const std::set<proto::Offset>& shown);
  void check_shown(const Look& look, const core::PeekedMessage& shown, proto::Offset offset);
  void said_of_operator(proto::SessionId session, std::uint64_t request,
                        const proto::Result<core::Reply>& reply);
  void forget_operators(std::optional<proto::SessionId> session);
  void heard_delays(const Batch& batch);
  void heard_lives(const Batch& batch);
  void check_lane(proto::LogId log, proto::Offset offset, MessageNumber message,
                  const Origin& origin);
  [[nodiscard]] proto::TimeMs expires_in(const Message& message, const Log& log) const;
  [[nodiscard]] bool may_have_expired(const Place& place) const;
  [[nodiscard]] bool may_be_expired(const Message& message, const Place& place) const;
  void check_life(const core::Delivery& delivery, proto::Offset offset, MessageNumber message,
                  const proto::RecordView& record, const BrokerHost::Moment& given);
  void learn_delayed(proto::LogId log, proto::Offset offset, MessageNumber message);
  void check_delay(proto::LogId log, proto::Offset offset, MessageNumber message,
                   const BrokerHost::Moment& given);
  void said_of_delays(const std::vector<HeardChange>& changes,
                      const proto::Result<core::Reply>& reply);
  void forget_delays(const std::vector<HeardChange>& changes);
  void wrong(const std::string& what, proto::LogId log, proto::Offset offset,
             MessageNumber message);

  struct Scan;
  void learn_purge(proto::QueueId lane, const core::Queue::Counters& counters, const Scan& scan);
  /// What the rows of a queue say, lane by lane.
  struct Sums {
    core::RunCounts runs;
    std::uint64_t bytes = 0;
    std::uint64_t live_messages = 0;
    std::uint64_t lanes_bytes = 0;  // of what is put off as well, as the numbers say
    proto::Offset messages = 0;     // that ever came, as the numbers say
    proto::TimeMs oldest = 0;
    bool are_counted = true;  // the numbers of each lane are those of its rows
  };
  void scan_queue(proto::LogId id, const Log& log, Scan& scan);
  void scan_log(proto::QueueId lane, const Log& log, Scan& scan, Sums& sums);
  /// By the offset of the first message and the number of the attempt.
  using HistoryRows = std::set<std::pair<proto::Offset, std::uint16_t>>;
  static void add_history(const core::TouchedBatch& batch, HistoryRows& rows);
  void scan_history(proto::QueueId lane, std::uint32_t generation, const HistoryRows& expected,
                    const Scan& scan);
  void scan_due_index(proto::QueueId lane, std::uint32_t generation,
                      const std::set<std::pair<proto::TimeMs, proto::Offset>>& expected,
                      const Scan& scan);
  void expect_history(const Scan& scan, proto::QueueId lane, std::uint32_t generation,
                      const core::TouchedBatch& batch, std::uint32_t index);
  void scan_lane(proto::LogId id, const core::Queue::Counters& counters, Scan& scan);
  void scan_topic(proto::LogId id, const Log& log, Scan& scan);
  void scan_redrive(proto::LogId id, Scan& scan);
  Place* found(Scan& scan, proto::LogId log, proto::Offset offset, const proto::RecordView& record,
               bool live);
  void expect_taken(Place& place, const core::Run* run);
  void compare(const Scan& scan);

  World& world_;
  BrokerHost& host_;
  std::vector<Message> messages_{1};
  std::map<proto::LogId, Log> logs_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, Batch> sends_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, std::vector<HeardRange>> settles_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, std::vector<HeardRange>> handles_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, HeardPause> pauses_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, proto::LogId> purges_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, std::vector<HeardChange>> delay_changes_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, Look> looks_;
  struct AskedOfRedrive {
    proto::LogId source;       // none: of all
    std::uint64_t number = 0;  // that is to begin
  };
  std::map<std::pair<proto::SessionId, std::uint64_t>, AskedOfRedrive> redrive_requests_;
  std::uint64_t word_ = 0;     // that the broker says, or that its store does
  std::uint64_t crashes_ = 0;  // of the broker
  std::uint64_t last_redrive_ = 0;
  bool has_lanes_ = false;  // queues may have several, by priorities or groups
  struct Leased {
    MessageNumber message = 0;
    proto::LogId log;
    proto::Offset offset = 0;
  };
  std::map<proto::SessionId, std::vector<Leased>> leases_;
  std::set<std::pair<proto::SessionId, std::uint32_t>> unsubscribed_;
  std::map<std::pair<proto::SessionId, std::uint64_t>, std::pair<std::uint32_t, Reader>> asked_;
  std::map<std::pair<proto::SessionId, std::uint32_t>, Reader> readers_;
};

/// Until when a lease lasts at least by the time that the process is awake: its clock is drawn to
/// the wall clock by up to 1 %, and counts in milliseconds.
std::int64_t awake_until(const BrokerHost::Moment& from, std::int64_t lease_ms);

/// The header that some producers set.
inline constexpr char kColourHeader[] = "c";
inline constexpr char kEditedHeader[] = "edited";

/// The group of every message of a FIFO queue.
std::string group_of(MessageNumber number);
/// The number in the value of a record; 0 when there is none.
MessageNumber number_of(std::string_view value);
/// A value of at least 8 bytes that begins with the number.
std::string value_of(MessageNumber number, std::size_t bytes);

}  // namespace weir::sim
