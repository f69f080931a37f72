#pragma once

#include "broker/core/shard_state.hpp"
#include "broker/shard/backups.hpp"
#include "broker/shard/consumers.hpp"
#include "broker/shard/damaged_places.hpp"
#include "broker/shard/delay_lanes.hpp"
#include "broker/shard/delay_loader.hpp"
#include "broker/shard/id_loader.hpp"
#include "broker/shard/loaded_attempts.hpp"
#include "broker/shard/recent_ids.hpp"
#include "broker/shard/redelivery_budget.hpp"
#include "broker/shard/row_loader.hpp"
#include "broker/shard/shard.hpp"
#include "broker/shard/tail_cache.hpp"
#include "broker/shard/topic_feed.hpp"
#include "broker/shard/uncommitted_bulk.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace weir::shard {

/// The turn and what belongs to it. See shard.hpp for the contract; split over shard_turn.cpp (the
/// turn and the release of what it said), shard_inputs.cpp (sends and settlements),
/// shard_requests.cpp, shard_admin.cpp, shard_lists.cpp, shard_dispatch.cpp, shard_paging.cpp,
/// shard_redrive.cpp, shard_delay.cpp, shard_expiry.cpp and shard.cpp (life).
class Shard::Impl {
 public:
  Impl(ShardOptions options, Ports ports);

  proto::Result<> start(ReplicatedLog& log);
  proto::Result<> reset();
  proto::SessionId open_session(SessionPort& port, core::ClientFacts facts);
  void close_session(proto::SessionId session);
  void send(proto::SessionId session, core::SendBatch batch, std::uint32_t deadline_ms);
  void settle(proto::SessionId session, proto::QueueId queue, proto::Settle settle);
  void set_credit(proto::SessionId session, const proto::Credit& credit);
  void request(proto::SessionId session, std::uint64_t request_id, core::Request request,
               std::uint32_t deadline_ms);
  void bulk_drained(proto::SessionId session);
  void on_timer();
  void refuse_sends(std::optional<proto::Error> why) { refusal_ = std::move(why); }
  void when_idle(std::function<void()> done);
  [[nodiscard]] ShardMetrics metrics() const;
  [[nodiscard]] const core::ShardState& state() const { return *state_; }
  [[nodiscard]] QueueCounters queue_counters(proto::QueueId queue) const {
    return counts_.of(queue);
  }
  [[nodiscard]] core::QueueInfo describe(const core::Queue& queue) const;
  void on_committed(proto::CommitIndex index);
  void on_log_failed(const proto::Error& error);
  void on_leadership(bool leader, std::uint32_t epoch);

 private:
  // ---- inputs, stamped when they came
  struct SendInput {
    core::SendBatch batch;
    // What the store knows of its ids: read, being read, or not needed.
    bool is_being_read = false;
    bool is_read = false;
    std::uint64_t read_number = 0;
    std::uint32_t read_generation = 0;
    std::optional<proto::CommitIndex> read_began = {};
    ReadIds read_ids = {};
  };
  struct SettleInput {
    proto::QueueId queue;
    proto::Settle settle;
    std::size_t done = 0;  // ranges
    std::vector<proto::SettleFailure> failed = {};
  };
  struct CreditInput {
    proto::Credit credit;
  };
  struct RequestInput {
    std::uint64_t id = 0;
    core::Request request;
    core::SettledMany settled = {};  // how far a request to settle many has come
  };
  struct CloseInput {};
  using Body = std::variant<SendInput, SettleInput, CreditInput, RequestInput, CloseInput>;
  struct Input {
    proto::SessionId session;
    proto::TimeMs arrived = 0;
    std::uint32_t deadline_ms = 0;
    Body body;
    std::optional<core::NeedRows> waits = std::nullopt;
    /// What it waited for and is not in the store: the batch with this first offset is done.
    std::optional<proto::Offset> known_done = std::nullopt;
  };

  // ---- what a turn says, and lets out when its unit is committed
  struct DeliveryEffect {
    std::uint32_t alias = 0;
    core::Delivery delivery;
  };
  struct SettledEffect {
    std::uint64_t up_to = 0;
    std::vector<proto::SettleFailure> failed;
  };
  struct ReplyEffect {
    std::uint64_t request_id = 0;
    proto::Result<core::Reply> reply;
    std::optional<std::uint32_t> feeds;  // the topic subscription that begins when this is said
  };
  struct EndedEffect {
    std::uint32_t alias = 0;
    proto::Error why;
  };
  struct KickedEffect {
    proto::Error why;
  };
  struct Effect {
    proto::SessionId session;
    std::variant<proto::SentEntry, DeliveryEffect, SettledEffect, ReplyEffect, EndedEffect,
                 KickedEffect>
        what;
  };
  struct Unit {
    proto::CommitIndex index;
    std::vector<Effect> effects;
    std::map<proto::PartitionId, proto::Offset> high_watermarks;
    proto::GrantId next_grant;  // behind the last one that was given in it
    bool has_records = false;
    std::vector<std::string> records;  // encoded, where the log wants them
  };
  /// A request about messages that are put off, which waits for its turn.
  struct DelayChange {
    proto::SessionId session;
    std::uint64_t request_id = 0;
    std::optional<std::int64_t> delay_ms;
    std::vector<proto::Offset> offsets;  // 0 where the outcome stands already
    std::vector<proto::Result<>> outcomes;
  };
  struct Unsaid {
    proto::QueueId queue;
    proto::Offset base_offset = 0;
    proto::GrantId grant;
  };

  proto::Result<> restore();
  void take_input(proto::SessionId session, std::uint32_t deadline_ms, Body body);
  void schedule();
  void turn();
  /// Why it is not handled yet, if it is not.
  struct NextTurn {};
  using Waits = std::optional<std::variant<core::NeedRows, NextTurn>>;
  Waits handle(Input& input);
  // Sends.
  class IdsOfSend;
  void handle_sends();
  void note_ids(SendInput& send) const;
  void read_ahead(Input& input);
  bool handle_send(Input& input);
  void answer_send(const Input& input, std::uint32_t messages,
                   proto::Result<core::ShardState::SendDecision> decision);
  void end_read(SendInput& send);
  void load_ids(Input& input, core::NeedIds need);
  void take_ids(proto::SessionId session, std::uint64_t number, std::uint32_t generation,
                ReadIds ids);

  Waits handle(const Input& input, SettleInput& settle);
  void handle(const Input& input, const CreditInput& credit);
  Waits handle(const Input& input, RequestInput& asked);
  void handle(const Input& input, const CloseInput& close);
  void release_grants(const Consumer& consumer);
  std::uint64_t random_for(const proto::SettleRange& range);
  [[nodiscard]] bool says_the_same_again(const SettleInput& settled) const;
  Waits settle_range(const Input& input, SettleInput& settled, std::uint64_t random,
                     core::ShardState::Records& records);
  [[nodiscard]] bool is_late(const Input& input) const;
  /// How many settlements one input may have judged in this turn.
  [[nodiscard]] std::size_t share_of_turn() const;

  // Requests. What waits for rows or its next share is asked again; anything else later replies by
  // itself.
  struct Later {};
  using Answer = std::variant<Later, core::NeedRows, NextTurn, proto::Result<core::Reply>>;
  Answer answer(const Input& input, std::uint64_t id, const core::CreateQueue& command);
  Answer answer(const Input& input, std::uint64_t id, const core::CreateTopic& command);
  Answer answer(const Input& input, std::uint64_t id, const core::DescribeQueue& command);
  Answer answer(const Input& input, std::uint64_t id, const core::DescribeTopic& command);
  Answer answer(const Input& input, std::uint64_t id, const core::InitProducer& command);
  Answer answer(const Input& input, std::uint64_t id, const core::Attach& command);
  Answer answer(const Input& input, std::uint64_t id, const core::Subscribe& command);
  Answer answer(const Input& input, std::uint64_t id, const core::Unsubscribe& command);
  Answer answer(const Input& input, std::uint64_t id, const core::Receive& command);
  Answer answer(const Input& input, std::uint64_t id, const core::SettleByHandle& command);
  /// Goes on behind what `settled` holds.
  Answer answer(const Input& input, core::SettledMany& settled,
                const core::SettleManyByHandle& command);
  std::variant<core::NeedRows, proto::Result<>> settle_one(const Input& input,
                                                           const core::SettleByHandle& command);
  Answer answer(const Input& input, std::uint64_t id, const core::SubscribeTopic& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListOffsets& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ReadBackup& command);
  Answer answer(const Input& input, std::uint64_t id, const core::UpdateQueue& command);
  Answer answer(const Input& input, std::uint64_t id, const core::PurgeQueue& command);
  Answer answer(const Input& input, std::uint64_t id, const core::StartRedrive& command);
  Answer answer(const Input& input, std::uint64_t id, const core::CancelRedrive& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListRedrives& command);
  Answer answer(const Input& input, std::uint64_t id, const core::DeleteQueue& command);
  Answer answer(const Input& input, std::uint64_t id, const core::DeleteTopic& command);
  Answer answer(const Input& input, std::uint64_t id, const core::CreateNamespace& command);
  Answer answer(const Input& input, std::uint64_t id, const core::DescribeNamespace& command);
  Answer answer(const Input& input, std::uint64_t id, const core::DeleteNamespace& command);
  Answer answer(const Input& input, std::uint64_t id, const core::KickClient& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListNamespaces& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListClients& command);
  Answer answer(const Input& input, std::uint64_t id, const core::PeekQueue& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListDelayed& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ChangeDelayed& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListQueues& command);
  Answer answer(const Input& input, std::uint64_t id, const core::ListTopics& command);
  [[nodiscard]] core::ClientInfo describe(proto::SessionId session,
                                          const core::ClientFacts& facts) const;
  using Positions = std::vector<core::PartitionPosition>;
  using Resolved = std::function<void(const proto::Result<Positions>&)>;
  void resolve(const core::TopicCreated& topic, const std::vector<core::PartitionStart>& starts,
               Resolved done);
  /// Answers with what `read(reader)` finds, off the shard.
  template <class Found, class Read>
  void answer_from_store(proto::SessionId session, std::uint64_t id, const Read& read);
  void reply(proto::SessionId session, std::uint64_t id, proto::Result<core::Reply> reply,
             std::optional<std::uint32_t> feeds = std::nullopt);

  // Handing out.
  void take_back_unsaid();
  void expire();
  void dispatch_all();
  void dispatch(proto::QueueId queue);
  bool serve_waiter(proto::QueueId queue);
  bool try_now(const Waiter& waiter);
  enum class Served : std::uint8_t { kYes, kNothingThere, kBusy };
  void end_subscription(const Consumer& consumer, const proto::Error& why);
  Served serve_consumer(proto::QueueId queue, Consumer& consumer);
  void answer_late_waiters();
  using Step = core::ShardState::NextStep;
  Step take(core::ShardState::DispatchWish wish);
  Step decide_readable(core::ShardState::DispatchWish& wish);
  [[nodiscard]] std::uint32_t redeliveries_left(const core::Queue& queue) const;
  void note_hand_out(const core::Delivery& delivery);
  [[nodiscard]] const proto::Error* damage_of(const Step& step) const;
  void move_dead_letters();
  void pass_stuck(const core::Queue& queue);
  void load(const core::NeedAttempts& need);
  void redrive();
  bool step_redrive(proto::QueueId queue);
  void retain();
  bool step_retention(proto::QueueId queue, proto::Offset& from);
  // Messages that are put off.
  template <class Read, class Rows>
  void read_lane(proto::QueueId queue, const Read& read,
                 void (Impl::*on_rows)(const core::Queue&, const Rows&, proto::TimeMs),
                 void (Impl::*on_damage)(const core::Queue&, const proto::Error&));
  void change_delays();
  void move_due();
  void take_due(const core::Queue& queue, const DueRows& due, proto::TimeMs unseen);
  void take_delay_change(const core::Queue& queue, const DelayedRows& loaded, proto::TimeMs unseen);
  void fail_delay_change(const core::Queue& queue, const proto::Error& why);
  void pop_delay_change(proto::QueueId queue);
  void forget_delay_changes(proto::SessionId session);
  proto::Error note_lane_damage(const core::Queue& queue, const proto::Error& why);
  void note_damaged_lane(const core::Queue& queue, const proto::Error& why);
  [[nodiscard]] bool is_there(const std::string* holder) const;
  void load(const core::Need& need);
  [[nodiscard]] bool is_stored(const core::Need& need) const;
  [[nodiscard]] proto::Error unreadable(const core::Need& need, const proto::Error& why) const;
  void note_damage(const DamagedPlaces::Place& place, const proto::Error& why);
  void forget_producers();

  // What is known of messages that nobody holds, and lies in the store alone.
  void handle_others();
  bool handle_or_wait(Input& input);
  void go_on_in_lines();
  [[nodiscard]] proto::TimeMs oldest_waiting() const;
  void load_rows(const core::NeedRows& need);
  void take_rows(const core::NeedRows& need, const LoadedRows& rows);
  [[nodiscard]] bool is_of_this_life(const core::NeedRows& need) const;
  /// A queue, or a lane of one, may have something to hand out.
  void wake(proto::QueueId lane) { dispatchable_.insert(proto::home_of(lane)); }
  void note_known(const core::NeedRows& need, proto::Offset until);
  [[nodiscard]] bool loads_rows_of(proto::QueueId queue) const;
  void page_in(proto::QueueId queue);
  void page_out();
  void seek_oldest();

  void apply(const std::vector<core::Record>& records);
  void apply(const core::Record& record);
  void count_moved(proto::QueueId queue, std::uint64_t messages);
  void note_appended(const core::BatchAppended& record);
  void note_returned(const core::Returned& record, const core::Queue::Effects& effects);
  void cache(const core::BatchAppended& record);
  void forget_groups(const core::Record& record);
  void forget_if_gone(const core::MessageRange& range, const core::Queue::Effects& effects);
  /// Of a queue, or a lane of one.
  void count(proto::QueueId queue, std::uint64_t QueueCounters::* counter, std::uint64_t count) {
    counts_.add(proto::home_of(queue), counter, count, metrics_);
  }
  void close_unit();
  void release(Unit& unit);
  void kick(proto::SessionId session, const proto::Error& why);
  bool leaves(const core::Delivery& delivery, bool is_heard, proto::TimeMs now);
  bool filter_hand_outs(Effect& effect, bool is_heard, proto::TimeMs now);
  void finish_output();
  void arm();
  void stop_with(const proto::Error& error);
  void check_idle();

  ShardOptions options_;
  const Ports ports_;
  ReplicatedLog* log_ = nullptr;
  std::unique_ptr<core::ShardState> state_;
  TailCache cache_;
  DamagedPlaces damaged_;
  LoadedAttempts attempts_;
  mutable ShardMetrics metrics_;
  QueueCounts counts_;
  Consumers consumers_;
  UncommittedBulk bulk_;
  std::unique_ptr<TopicFeed> feed_;
  Backups backups_;
  std::map<proto::SessionId, SessionPort*> sessions_;
  std::map<proto::SessionId, core::ClientFacts> clients_;  // who they are
  std::map<proto::SessionId, core::Holder> holders_;       // as history tells it
  std::set<const std::string*> present_;                   // those
  std::uint64_t last_session_ = 0;
  std::uint32_t epoch_ = 0;

  std::deque<Input> sends_;                                   // wait while the disk is behind
  std::deque<Input> others_;                                  // never wait for anything
  std::map<proto::SessionId, std::deque<Input>> send_lines_;  // behind one that is looked up
  RecentIds recent_ids_;
  std::uint64_t last_read_number_ = 0;
  bool scheduled_ = false;
  bool failed_ = false;
  std::uint64_t life_ = 0;  // raised by reset(): what was posted before must not run after
  std::optional<proto::Error> refusal_;

  proto::TimeMs now_ = 0;         // of this turn
  std::size_t settles_left_ = 0;  // ranges that may still be judged in it
  proto::CommitIndex last_index_;
  proto::CommitIndex committed_;
  Unit open_;
  std::deque<Unit> pending_;
  std::set<proto::SessionId> spoken_to_;
  std::vector<Unsaid> unsaid_;
  std::vector<Unsaid> over_;    // what was said of a lease of nothing
  proto::GrantId unsaid_from_;  // grants from here on belong to units that are not committed

  std::set<proto::QueueId> dispatchable_;
  std::set<proto::LogId> loading_;
  std::set<proto::QueueId> reading_;  // queues whose hand-outs go on when a batch is read
  std::map<proto::SessionId, std::deque<Input>> lines_;  // behind an input that waits for rows
  std::set<proto::QueueId> loading_rows_;
  std::set<proto::QueueId> kept_;  // nothing of them is paged out in this turn
  /// Units with the newest page-out or page-in of a queue, until they are committed: until then
  /// the store says otherwise.
  std::map<proto::QueueId, proto::CommitIndex> paging_;
  std::map<proto::QueueId, RedeliveryBudget> budgets_;  // of queues that hand something out
  std::size_t sweep_budgets_at_ = 0;
  /// Of queues with a redrive: what is touched up to this offset, and not looked at, is in memory.
  std::map<proto::QueueId, proto::Offset> known_until_;
  /// Of all queues together, so that nothing else waits long for what nobody waits for; hand-outs
  /// that meet what has expired have their own.
  static constexpr int kMaxDropsPerTurn = 256;
  static constexpr int kMaxSetAsidesPerTurn = 256;
  int drops_left_ = 0;
  int hand_out_drops_left_ = 0;
  int set_asides_left_ = 0;
  std::set<proto::QueueId> dropping_;  // whose hand-outs go on in the next turn
  /// Crowded FIFO queues with takers: when groups that are stuck are looked for again.
  std::map<proto::QueueId, proto::TimeMs> next_stuck_;
  bool is_retention_waiting_ = false;  // a step of this turn goes on when something else is done
  proto::TimeMs next_retention_ = 0;   // what is older than it may be is looked at again
  DelayLanes lanes_;
  std::map<proto::QueueId, std::deque<DelayChange>> delay_changes_;
  std::set<proto::QueueId> stuck_lanes_;         // whose next rows cannot be read
  std::set<proto::QueueId> changed_last_;        // lanes whose last read was for one of those
  proto::QueueId last_redriven_;                 // the next turn begins behind this queue
  std::map<proto::QueueId, proto::TimeMs> due_;  // queues with takers and messages due later
  std::vector<std::function<void()>> idle_waiters_;
};

template <class Found, class Read>
void Shard::Impl::answer_from_store(proto::SessionId session, std::uint64_t id, const Read& read) {
  ports_.loader->load([this, life = life_, session, id, read](const storage::Reader& reader) {
    auto found = std::make_shared<proto::Result<Found>>(read(reader));
    return Loader::Continuation([this, life, session, id, found] {
      if (life != life_ || failed_) {
        return;
      }
      if (*found) {
        reply(session, id, core::Reply{std::move(**found)});
      } else if (found->error().code != proto::Errc::kStorageFailed) {
        reply(session, id, found->error());
      } else {
        stop_with(found->error());
        return;
      }
      schedule();
    });
  });
}

}  // namespace weir::shard
