#pragma once

#include "broker/core/attempt.hpp"
#include "broker/core/catalog.hpp"
#include "broker/core/command.hpp"
#include "broker/core/decision.hpp"
#include "broker/core/deduplication.hpp"
#include "broker/core/delayed_batch.hpp"
#include "broker/core/partition.hpp"
#include "broker/core/producers.hpp"
#include "broker/core/queue/group_counts.hpp"
#include "broker/core/queue/lane_turns.hpp"
#include "broker/core/queue/queue.hpp"
#include "broker/core/queue_ranking.hpp"
#include "broker/core/record.hpp"
#include "broker/core/reply.hpp"
#include "proto/frame/frames.hpp"
#include "proto/handle.hpp"
#include "proto/result.hpp"
#include "storage/kv.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir::core {

struct DueSlice;

/// The state of one shard. `decide_…` may refuse and changes nothing; `apply` changes and cannot
/// refuse. Rows follow records: take_rows() gives what the records since the last call changed.
/// Thread-safety: none, one owner. Nothing here reads a clock or draws a random number.
class ShardState {
 public:
  struct Identity {
    std::uint32_t shard = 0;
    std::uint32_t incarnation = 1;
    std::uint32_t epoch = 0;
  };
  explicit ShardState(std::uint32_t max_producers) : max_producers_(max_producers) {}

  // ---- decisions: what would have to happen, or why not

  /// The namespace `default` in an empty store; a new incarnation in one that was imported.
  [[nodiscard]] std::vector<Record> decide_start() const;
  /// The next incarnation.
  [[nodiscard]] IncarnationRaised decide_new_incarnation() const;

  using Records = std::vector<Record>;
  /// No records: it exists already with equal settings.
  [[nodiscard]] proto::Result<Records> decide(const CreateQueue& command) const;
  [[nodiscard]] proto::Result<Records> decide(const CreateTopic& command) const;
  /// What would change, and the record of it; no record where nothing does.
  struct UpdateDecision {
    std::optional<QueueChanged> record;
    std::vector<SettingChange> changes;
  };
  [[nodiscard]] proto::Result<UpdateDecision> decide(const UpdateQueue& command) const;
  [[nodiscard]] proto::Result<QueuePurged> decide(const PurgeQueue& command) const;
  /// IN_USE while other queues send their dead letters there, unless they are to stop. The record
  /// of the deletion comes last.
  [[nodiscard]] proto::Result<Records> decide(const DeleteQueue& command) const;
  [[nodiscard]] proto::Result<TopicDeleted> decide(const DeleteTopic& command) const;
  /// No records: it exists already.
  [[nodiscard]] proto::Result<Records> decide(const CreateNamespace& command) const;
  /// IN_USE unless it is empty.
  [[nodiscard]] proto::Result<NamespaceDeleted> decide(const DeleteNamespace& command) const;
  /// Every answer begins with the new producer's record.
  [[nodiscard]] proto::Result<Records> decide(const InitProducer& command, proto::TimeMs now) const;

  struct SendDecision {
    std::optional<BatchAppended> record;
    Records more;  // behind that, or instead
    proto::Offset base_offset = 0;
    proto::TimeMs append_time = 0;
    /// Messages that are not stored with it, since they are known: which, and where those are.
    std::vector<proto::SentEntry::Place> known = {};
    /// Messages that are stored in other lanes.
    std::vector<proto::SentEntry::Place> elsewhere = {};
    /// All of it was stored before.
    bool is_duplicate = false;
  };
  /// Takes the bytes out of the command when it is accepted. NeedIds where messages of it are to be
  /// taken once, and it has to be read whether they are known.
  [[nodiscard]] proto::Result<std::variant<NeedIds, SendDecision>> decide(SendBatch& command,
                                                                          const KnownIds& known,
                                                                          proto::TimeMs now) const;

  /// One range of one grant. Parts of it may succeed and others fail: first index, count, why.
  struct SettleDecision {
    struct Failure {
      std::uint32_t first = 0;
      std::uint32_t count = 0;
      proto::Errc code{};
    };
    Records records;
    std::vector<Failure> failed;
    std::uint32_t nacked = 0;  // messages that a handler could not do
  };
  /// `random` is for the queue's redelivery policy. NeedRows when the batch may be cold;
  /// `known_done` is the first offset of a batch that was asked for and is not in the store.
  [[nodiscard]] std::variant<NeedRows, SettleDecision> decide(
      proto::QueueId queue, const proto::SettleRange& range, std::string_view reason,
      std::uint64_t random, proto::TimeMs now, std::optional<proto::Offset> known_done) const;
  /// Whether `next` says of messages behind those of `range` what that says of them, so that they
  /// may be decided with the same random bits, one after the other, before either is applied.
  [[nodiscard]] bool says_the_same(proto::QueueId queue, const proto::SettleRange& range,
                                   const proto::SettleRange& next) const;
  /// Makes one of neighbours of which the same is said, also where what lies between them is done.
  void join_settled(Records& records) const;
  /// The range that a receipt handle names, or RECEIPT_INVALID.
  struct HandleRange {
    proto::QueueId queue;
    proto::SettleRange range;
  };
  [[nodiscard]] proto::Result<HandleRange> decode(const SettleByHandle& command) const;

  /// What one consumer takes next.
  struct DispatchWish {
    proto::QueueId queue;
    std::uint32_t max_messages = 0;
    std::uint64_t max_bytes = 0;
    /// The first message, too, must fit into max_bytes; otherwise it comes whatever its size.
    bool first_fits = false;
    std::int64_t lease_ms = 0;
    bool started = false;
    std::uint64_t nonce = 0;
    Holder holder = nullptr;
    /// Whoever it is holds nothing else: messages that must be alone may go to it.
    bool is_alone = true;
    /// Of messages whose handler had begun before; others are passed by then.
    std::uint32_t max_redeliveries = UINT32_MAX;
    /// Of a FIFO queue: what is handed out goes to whoever was given all grants from this one on,
    /// in one piece with what those hold, so that it may follow in the same groups.
    std::optional<proto::GrantId> since = std::nullopt;
    std::uint64_t group = 0;  // of the last one of those: it comes first
    /// Lanes whose next batch cannot be read.
    std::vector<proto::LaneTag> unreadable = {};
  };
  struct DispatchStep {
    Leased record;
    Delivery delivery;
    bool must_be_alone = false;  // nothing else may be handed out beside it
    bool passed_lone = false;    // one that must be alone was passed by
    std::uint64_t group = 0;     // of the last message
    /// Of messages that are handed out for the first time, where they have any.
    std::vector<std::uint64_t> groups;
  };
  /// What comes next is too large for who asks.
  struct NoRoom {};
  using NextStep = std::variant<std::monostate, Need, DispatchStep, Expired, Passed, NoRoom>;
  /// One slice of one batch; monostate when there is nothing to hand out (or too much in flight).
  /// Expired: what would have come next is of no use any more; ask again when that is applied.
  /// Passed: it belongs to groups that are not free; likewise.
  [[nodiscard]] NextStep decide(const DispatchWish& wish, const BatchSource& batches,
                                proto::TimeMs now) const;
  /// Nothing was found yet: the search goes on with the batches in memory from that last offset on.
  struct LookOn {
    proto::Offset from = 0;
  };
  using RetentionStep = std::variant<std::monostate, LookOn, Need, NeedRows, Expired>;
  /// What of a queue is older than its retention, some of it at a time; monostate when nothing is,
  /// or all of it is in somebody's hands. `from` is 0, or what LookOn said.
  [[nodiscard]] RetentionStep decide_retention(proto::QueueId queue, proto::Offset from,
                                               const BatchSource& batches, proto::TimeMs now) const;
  /// Nothing of the queue expires until some of what is on its way to the dead-letter queue is
  /// there.
  [[nodiscard]] bool must_wait_to_expire(const Queue& queue) const;

  /// Whether somebody with that name is still there; nullptr: nobody has a name any more.
  using HolderLives = std::function<bool(const std::string* holder)>;
  /// Leases whose deadline has passed, one batch at a time; nullopt when none is left. What grants
  /// from `unsaid_from` on handed out has not left the broker: those attempts do not count.
  [[nodiscard]] std::optional<Records> decide_expire(proto::TimeMs now, proto::GrantId unsaid_from,
                                                     const HolderLives& holder_lives,
                                                     std::uint64_t random) const;
  /// Whether the lease of a hand-out still stands, and at least half of it is left.
  [[nodiscard]] bool is_worth_saying(const Delivery& delivery, proto::TimeMs now) const;
  /// A hand-out that does not leave the broker goes back as if it had never been made.
  [[nodiscard]] Records decide_unsaid(proto::QueueId queue, proto::Offset base_offset,
                                      proto::GrantId grant, proto::TimeMs now) const;
  /// The lease of a hand-out that was begun ends, though its deadline has not passed.
  [[nodiscard]] Records decide_over(proto::QueueId queue, proto::Offset base_offset,
                                    proto::GrantId grant, proto::TimeMs now,
                                    std::uint64_t random) const;
  /// Everything that the grant holds and has not begun goes back uncounted.
  [[nodiscard]] Records decide_release(proto::QueueId queue, proto::Offset last_offset,
                                       proto::GrantId grant, proto::TimeMs now) const;
  /// No session outlives a restart: what was leased and not begun goes back uncounted, what was
  /// begun keeps its lease, longer by the grace for the time that the broker was away.
  [[nodiscard]] Records decide_restart(proto::TimeMs now, std::int64_t grace_ms) const;
  /// Moves dying messages of one batch of this queue to its dead-letter queue, as one unit;
  /// monostate when there are none. Where the queue has none any more, what the limit says then.
  [[nodiscard]] std::variant<std::monostate, Need, NeedAttempts, Records> decide_dead_letter(
      proto::QueueId queue, const BatchSource& batches, const AttemptSource& attempts,
      proto::TimeMs now) const;
  /// Messages of the delay lane that are due, each row as a whole, behind the queue's newest one.
  /// `rows` are in the order of their due times; none was changed since they were read.
  [[nodiscard]] Records decide_due(proto::QueueId queue, std::span<const DelayedBatch> rows,
                                   proto::TimeMs now) const;
  /// Takes messages out of a row of the delay lane, by their indexes, which ascend: they are put
  /// off until `due`, or cancelled.
  [[nodiscard]] Records decide_take(proto::QueueId queue, const DelayedBatch& row,
                                    std::span<const std::uint32_t> indexes,
                                    std::optional<proto::TimeMs> due) const;
  /// The queue, and where in its delay lane the message with that id may be. MESSAGE_NOT_FOUND for
  /// an id that is none of a message of the queue's that was put off.
  [[nodiscard]] proto::Result<proto::Offset> find_delayed(const Queue& queue,
                                                          std::string_view message_id) const;
  [[nodiscard]] proto::Result<RedriveChanged> decide(const StartRedrive& command,
                                                     proto::TimeMs now) const;
  /// Succeeds when it has ended already, and changes nothing then.
  [[nodiscard]] proto::Result<RedriveChanged> decide(const CancelRedrive& command,
                                                     proto::TimeMs now) const;
  /// The next step of the queue's redrive, as one unit: what is moved of one batch, and the place
  /// behind it. Monostate when none runs, or when it has to wait for its rate. What is touched of
  /// the queue from there to `known_until` is in memory.
  [[nodiscard]] std::variant<std::monostate, Need, NeedRows, Records> decide_redrive(
      proto::QueueId queue, proto::Offset known_until, const BatchSource& batches,
      proto::TimeMs now) const;
  /// A redrive that cannot go on.
  [[nodiscard]] RedriveChanged decide_redrive_failure(proto::QueueId queue, std::string why,
                                                      proto::TimeMs now) const;
  /// While idle batches take more memory than this: the one that is needed last, of the queue that
  /// has the most. Queues in `kept` are passed over.
  [[nodiscard]] std::optional<PagedOut> decide_page_out(std::size_t max_idle_bytes,
                                                        const std::set<proto::QueueId>& kept,
                                                        proto::TimeMs now) const;
  /// What has to be read before the queue can hand out what is due next; nullopt when that is in
  /// memory, or when nothing is due.
  [[nodiscard]] std::optional<NeedRows> decide_page_in(proto::QueueId queue,
                                                       proto::TimeMs now) const;
  /// What has to be read so that the age of the oldest message is right again. Soft.
  [[nodiscard]] std::vector<NeedRows> decide_seek_oldest() const;
  /// The producer that was idle for longer than 7 days, if there is one.
  [[nodiscard]] std::optional<ProducerForgotten> decide_forget(proto::TimeMs now) const;

  // ---- changes

  void apply(const Record& record, Queue::Effects& effects);
  /// Rows changed by the records applied since the last call.
  [[nodiscard]] storage::WriteBatch take_rows();
  /// Appends up to here are durable: readers may see them.
  void publish(proto::PartitionId partition, proto::Offset high_watermark);
  /// Reads everything back. STORAGE_FAILED, CORRUPT_BATCH.
  [[nodiscard]] proto::Result<> restore(const storage::Reader& reader);
  // What was read of cold batches besides; soft.
  void learn_next_due(proto::QueueId queue, proto::TimeMs when);
  void learn_oldest(proto::QueueId queue, ColdBatches::Oldest oldest, bool is_cold);
  void learn_next_delay_due(proto::QueueId queue, proto::TimeMs when);
  /// Messages of these groups went to a lane of a standard queue, or were handed out from it for
  /// the first time; soft, see GroupCounts.
  void note_sent(proto::QueueId lane, std::span<const std::uint64_t> groups);
  void note_handed_out(const MessageRange& range, std::span<const std::uint64_t> groups);
  /// Whether nobody ever had the first message of the range.
  [[nodiscard]] bool is_fresh(const MessageRange& range) const;
  /// See Queue::note_stuck(); soft.
  void note_stuck(proto::QueueId queue, proto::TimeMs since);
  /// Soft: which shard this is, and the epoch in which it is led from here.
  void set_place(std::uint32_t shard, std::uint32_t epoch);

  // ---- looking

  [[nodiscard]] const Identity& identity() const { return identity_; }
  [[nodiscard]] const Catalog& catalog() const { return catalog_; }
  /// Grants from here on were not given yet.
  [[nodiscard]] proto::GrantId next_grant() const { return proto::GrantId{allocator_.next_grant}; }
  /// A queue, as its own log, or a lane of one; nullptr when there is none.
  [[nodiscard]] const Queue* queue(proto::QueueId id) const;
  /// All lanes of all queues.
  [[nodiscard]] const std::map<proto::QueueId, Queue>& queues() const { return queues_; }
  /// The tags of the queue's lanes besides its own log, in their order; most have none.
  [[nodiscard]] std::span<const proto::LaneTag> lanes(proto::QueueId queue) const;
  /// Calls `visit(const Queue&)` for each lane of a queue, its own log first.
  template <class Visit>
  void for_each_lane(proto::QueueId queue, Visit visit) const {
    visit(queues_.at(queue));
    for (const proto::LaneTag tag : lanes(queue)) {
      visit(queues_.at(proto::lane_id(queue, tag)));
    }
  }
  /// Of all lanes of a queue.
  struct Totals {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t in_flight = 0;  // leased, or on the way to the dead-letter queue: in memory
  };
  [[nodiscard]] Totals totals(proto::QueueId queue) const;
  /// No message of the queue that was given back is due before this; kNever when none was.
  [[nodiscard]] proto::TimeMs next_due(proto::QueueId queue) const;
  /// The same of lanes with nothing that is due at `now`.
  [[nodiscard]] proto::TimeMs next_due_after(proto::QueueId queue, proto::TimeMs now) const;
  [[nodiscard]] const Partition* partition(proto::PartitionId id) const;
  [[nodiscard]] const Producers& producers() const { return producers_; }
  [[nodiscard]] const Redrives& redrives() const { return redrives_; }
  [[nodiscard]] RedriveInfo info(const Redrive& redrive) const;
  [[nodiscard]] QueueInfo info(const Queue& queue, proto::TimeMs now) const;
  [[nodiscard]] TopicInfo info(const TopicCreated& topic) const;
  [[nodiscard]] NamespaceInfo info(proto::NamespaceId name_space) const;
  /// Earliest lease deadline of all queues; TouchedBatch::kNever without one.
  [[nodiscard]] proto::TimeMs next_deadline() const;
  /// Queues whose delay lane may have something that is due, by when.
  using TimeRanking = QueueRanking<proto::TimeMs, TouchedBatch::kNever>;
  [[nodiscard]] const std::set<TimeRanking::Entry>& by_delay_due() const {
    return by_delay_due_.ranked();
  }
  /// Queues with a retention, by when their oldest message expires.
  [[nodiscard]] const std::set<TimeRanking::Entry>& by_retention() const {
    return by_retention_.ranked();
  }
  /// Queues that have messages for their dead-letter queue.
  [[nodiscard]] const std::set<proto::QueueId>& dying_queues() const { return dying_queues_; }
  /// What idle batches of all queues take in memory.
  [[nodiscard]] std::size_t idle_bytes() const { return idle_bytes_; }

 private:
  struct Allocator {
    std::uint64_t next_object = 1;
    std::uint64_t next_producer = 1;
    std::uint64_t next_grant = 1;
    std::uint64_t reserved_grant = 1;  // what the row says: grants below may have been used
  };

  /// Whether `record` says what `next` says, of its neighbours; then of these, too.
  bool join(Record& record, const Record& next) const;
  [[nodiscard]] static Records decide_without_dead_letter_queue(const Queue& source,
                                                                const TouchedBatch& batch,
                                                                proto::TimeMs now);
  void apply_one(const NamespaceCreated& record, Queue::Effects& effects);
  void apply_one(const QueueCreated& record, Queue::Effects& effects);
  void apply_one(const QueueChanged& record, Queue::Effects& effects);
  void apply_one(const QueuePurged& record, Queue::Effects& effects);
  void apply_one(const NamespaceDeleted& record, Queue::Effects& effects);
  void apply_one(const QueueDeleted& record, Queue::Effects& effects);
  void apply_one(const TopicDeleted& record, Queue::Effects& effects);
  void apply_one(const TopicCreated& record, Queue::Effects& effects);
  void apply_one(const ProducerStarted& record, Queue::Effects& effects);
  void apply_one(const ProducerForgotten& record, Queue::Effects& effects);
  void apply_one(const BatchAppended& record, Queue::Effects& effects);
  void apply_one(const Leased& record, Queue::Effects& effects);
  void apply_one(const Acked& record, Queue::Effects& effects);
  void apply_one(const Returned& record, Queue::Effects& effects);
  void apply_one(const Extended& record, Queue::Effects& effects);
  void apply_one(const Started& record, Queue::Effects& effects);
  void apply_one(const DeadLettered& record, Queue::Effects& effects);
  void apply_one(const Passed& record, Queue::Effects& effects);
  void apply_one(const Moved& record, Queue::Effects& effects);
  void apply_one(const Unparked& record, Queue::Effects& effects);
  void apply_one(const RedriveChanged& record, Queue::Effects& effects);
  void apply_one(const Delayed& record, Queue::Effects& effects);
  void apply_one(const DelayEnded& record, Queue::Effects& effects);
  void apply_one(const SequenceTaken& record, Queue::Effects& effects);
  void apply_one(const Expired& record, Queue::Effects& effects);
  void apply_one(const Deduplicated& record, Queue::Effects& effects);
  void apply_one(const PagedOut& record, Queue::Effects& effects);
  void apply_one(const PagedIn& record, Queue::Effects& effects);
  void apply_one(const IncarnationRaised& record, Queue::Effects& effects);
  void note_retention(const Queue& queue);
  template <class Gone>
  void apply_gone(const Gone& record, Queue::Effects& effects);
  Queue& change(proto::QueueId id);
  Queue& open_lane(proto::QueueId id);
  [[nodiscard]] proto::Result<proto::QueueId> find_dead_letter_queue(
      const std::string& name_space, const std::string& name, const std::string& target) const;
  void reindex(proto::QueueId id);
  proto::Result<> restore_queues(const storage::Reader& reader);
  proto::Result<> restore_lane(std::string_view key, std::string_view value);
  proto::Result<> restore_topics(const storage::Reader& reader);
  proto::Result<> restore_producers(const storage::Reader& reader);
  [[nodiscard]] static Expired expired(const Queue& queue, const MessageRange& range,
                                       std::uint64_t batch_bytes, proto::TimeMs append_time,
                                       const BatchSource& batches);
  [[nodiscard]] static Expired expired(const Queue& queue, const MessageRange& range,
                                       const CachedBatch& batch, const BatchSource& batches);
  /// Of a batch that is taken, though not appended as one, what its producer may not send again.
  static void take_sequence(const SendBatch& command, SendDecision& decision,
                            std::vector<SentPart> parts = {});
  [[nodiscard]] SendDecision decide_known(const Queue& queue, SendBatch& command,
                                          std::vector<proto::SentEntry::Place> known,
                                          proto::TimeMs now) const;
  [[nodiscard]] proto::Result<SendDecision> decide_apart(const Queue& queue, const Totals& holds,
                                                         SendBatch& command, bool waits,
                                                         proto::TimeMs now) const;
  [[nodiscard]] SendDecision decide_lanes(const Queue& queue, SendBatch& command,
                                          proto::TimeMs now) const;
  [[nodiscard]] static SendDecision decide_duplicate(const SendBatch& command,
                                                     const SentBatch& sent);
  /// Where a message that the broker itself appends goes.
  [[nodiscard]] proto::LaneTag lane_for(proto::QueueId queue,
                                        const proto::RecordView& record) const;
  [[nodiscard]] const GroupCounts& group_counts(proto::QueueId queue) const;
  [[nodiscard]] LogEnd end_of_lane(proto::QueueId queue, proto::LaneTag tag) const;
  [[nodiscard]] std::vector<proto::LaneTag> ready_lanes(const Queue& queue,
                                                        const DispatchWish& wish,
                                                        proto::TimeMs now) const;
  [[nodiscard]] NextStep next_of(const Queue& lane, const DispatchWish& wish, const DueSlice& due,
                                 const BatchSource& batches, proto::TimeMs now) const;
  [[nodiscard]] SendDecision decide_delayed(const Queue& queue, SendBatch& command,
                                            proto::TimeMs now) const;
  [[nodiscard]] std::optional<proto::QueueId> find_way_back(const Redrive& redrive,
                                                            const CachedBatch& batch,
                                                            std::uint32_t index) const;
  proto::Result<> restore_redrives(const storage::Reader& reader);
  void put_queue_rows(storage::WriteBatch& rows, Queue& queue);
  void remove_lane(proto::QueueId id);
  void remove_messages(proto::QueueId id, std::uint32_t generation);
  void forget_attempts(const Queue& queue, const Queue::Effects& effects);
  void forget_producers_of(proto::LogId log);
  void note_dead_letter_queue(const QueueCreated& definition);

  std::uint32_t max_producers_;
  Identity identity_;
  /// Of what was imported and whose incarnation is not raised yet: what it is to be at least.
  std::optional<std::uint32_t> imported_;
  Allocator allocator_;
  Catalog catalog_;
  std::map<proto::QueueId, Queue> queues_;  // all their lanes
  /// Of queues with more lanes than their own log: which, and whose turn it is.
  struct Lanes {
    std::vector<proto::LaneTag> tags;
    LaneTurns turns;
  };
  std::map<proto::QueueId, Lanes> lanes_;
  std::map<proto::QueueId, GroupCounts> group_counts_;  // of standard queues that know groups
  std::map<proto::PartitionId, Partition> partitions_;
  Producers producers_;
  TimeRanking by_deadline_;  // of its first lease
  TimeRanking by_delay_due_;
  TimeRanking by_retention_;  // of its oldest message
  std::set<proto::QueueId> dying_queues_;
  std::set<proto::QueueId> seeking_oldest_;
  /// The dead-letter queue, and the queue whose it is.
  std::set<std::pair<proto::QueueId, proto::QueueId>> dead_letter_sources_;
  Redrives redrives_;
  QueueRanking<std::size_t, 0> by_idle_bytes_;
  std::size_t idle_bytes_ = 0;

  // Since take_rows().
  storage::WriteBatch rows_;
  std::set<proto::QueueId> changed_queues_;
  std::set<proto::PartitionId> changed_partitions_;
  std::set<std::pair<proto::ProducerId, proto::LogId>> changed_windows_;
  bool allocator_changed_ = false;
};

}  // namespace weir::core
