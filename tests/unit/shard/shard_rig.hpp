#pragma once

#include "broker/shard/shard.hpp"
#include "proto/handle.hpp"
#include "storage/commit_chain.hpp"
#include "storage/memory_store.hpp"
#include "tests/unit/core/core_rig.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// A shard with every port in the test's hand: what is posted, loaded or committed happens when the
// test says so, and time is a number.
namespace weir::shard::test {

using core::test::a_batch;
using core::test::kNow;
using core::test::values_of;

/// The receipt handle of one message of what was handed out, counted from its first.
inline std::string handle_of(const core::Delivery& delivery, std::uint32_t incarnation,
                             std::uint32_t position = 0) {
  proto::ReceiptHandle handle;
  handle.incarnation = incarnation;
  handle.queue = delivery.queue;
  handle.generation = delivery.generation;
  handle.grant = delivery.grant;
  handle.index = delivery.first_index + position;
  handle.nonce = delivery.nonce;
  handle.base_offset = delivery.base_offset;
  return proto::encode_handle(handle);
}

/// Commits on demand into a MemoryStore, behind what that holds already.
class FakeLog final : public ReplicatedLog {
 public:
  explicit FakeLog(storage::MemoryStore& store)
      : store_(store), last_(storage::read_commit_point(*store.snapshot()).value()) {}
  void submit(CommitUnit unit) override {
    backlog_ += unit.rows.bytes();
    if (keeps_records) {
      kept.push_back(unit);
    }
    waiting.push_back(std::move(unit));
  }
  [[nodiscard]] std::size_t backlog_bytes() const override { return backlog_ + extra_backlog; }
  [[nodiscard]] bool wants_records() const override { return keeps_records; }
  /// Makes the oldest unit durable; nullopt when none waits.
  std::optional<proto::CommitIndex> commit_one() {
    if (waiting.empty()) {
      return std::nullopt;
    }
    CommitUnit unit = std::move(waiting.front());
    waiting.pop_front();
    backlog_ -= unit.rows.bytes();
    last_ = storage::next_point(last_, unit.index, unit.time, unit.rows);
    storage::WriteBatch point;
    storage::put_commit_point(point, last_);
    const std::array<const storage::WriteBatch*, 2> all = {&unit.rows, &point};
    store_.commit(all).value();
    return unit.index;
  }
  void forget() {
    waiting.clear();
    backlog_ = 0;
  }
  std::deque<CommitUnit> waiting;
  std::size_t extra_backlog = 0;
  bool keeps_records = false;
  std::vector<CommitUnit> kept;  // since it does

 private:
  storage::MemoryStore& store_;
  storage::CommitPoint last_;
  std::size_t backlog_ = 0;
};

class FakeLoader final : public Loader {
 public:
  void load(Work work) override { waiting.push_back(std::move(work)); }
  std::deque<Work> waiting;
};

/// Writes down what the shard says.
class Session final : public SessionPort {
 public:
  void on_sent(const proto::SentEntry& entry) override { sent.push_back(entry); }
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override {
    settled = up_to;
    failures.insert(failures.end(), failed.begin(), failed.end());
  }
  void on_delivery(std::uint32_t, const core::Delivery& delivery) override {
    deliveries.push_back(delivery);
  }
  void on_topic_batch(const TopicBatch& batch) override { topic_batches.push_back(batch); }
  void on_reply(std::uint64_t request, const proto::Result<core::Reply>& answer) override {
    replies.insert_or_assign(request, answer);
  }
  void on_subscription_ended(std::uint32_t alias, const proto::Error& why) override {
    ended.emplace_back(alias, why);
  }
  void on_kicked(const proto::Error& why) override { kicked.push_back(why); }
  void flush() override { ++flushes; }
  [[nodiscard]] std::size_t bulk_room() const override { return room; }

  template <class T>
  [[nodiscard]] T reply(std::uint64_t request) const {
    return std::get<T>(replies.at(request).value());
  }
  [[nodiscard]] std::uint64_t delivered() const {
    std::uint64_t messages = 0;
    for (const core::Delivery& delivery : deliveries) {
      messages += delivery.count;
    }
    return messages;
  }

  proto::SessionId id;
  std::vector<proto::SentEntry> sent;
  std::uint64_t settled = 0;
  std::vector<proto::SettleFailure> failures;
  std::vector<core::Delivery> deliveries;
  std::vector<TopicBatch> topic_batches;
  std::map<std::uint64_t, proto::Result<core::Reply>> replies;
  std::vector<std::pair<std::uint32_t, proto::Error>> ended;
  std::vector<proto::Error> kicked;
  int flushes = 0;
  std::size_t room = 1 << 20;
};

struct ShardRig {
  explicit ShardRig(std::size_t tail_cache_bytes = std::size_t{1} << 20,
                    std::size_t idle_batch_bytes = std::size_t{1} << 20)
      : log(store), shard(options(tail_cache_bytes, idle_batch_bytes), ports()) {
    shard.start(log).value();
    shard.on_leadership(true, 0);
    settle_down();
  }
  static ShardOptions options(std::size_t tail_cache_bytes,
                              std::size_t idle_batch_bytes = std::size_t{1} << 20) {
    ShardOptions chosen;
    chosen.idle_batch_bytes = idle_batch_bytes;
    chosen.tail_cache_bytes = tail_cache_bytes;
    return chosen;
  }
  Ports ports() {
    Ports made;
    made.post = [this](std::function<void()> work) { posted.push_back(std::move(work)); };
    made.arm_timer = [this](proto::TimeMs when) { timer = when; };
    made.now = [this] { return now; };
    made.random = [this] { return rng.next(); };
    made.on_failed = [this](const proto::Error& error) { failures.push_back(error); };
    made.on_damage = [this](const proto::Error& error) { damages.push_back(error); };
    made.on_first_hand_out = [this](std::int64_t waited_ms, std::uint32_t messages) {
      waited.emplace_back(waited_ms, messages);
    };
    made.on_done = [this](std::int64_t took_ms, std::uint32_t messages) {
      done.emplace_back(took_ms, messages);
    };
    made.stored_bytes = [] { return std::uint64_t{5'000'000}; };
    made.on_backup = [this](const BackupEvent& event) { backups.push_back(event); };
    made.store = &store;
    made.loader = &loader;
    return made;
  }
  /// Runs the shard as far as it comes without the disk.
  void run() {
    while (!posted.empty()) {
      const auto work = std::move(posted.front());
      posted.pop_front();
      work();
    }
  }
  void commit_all() {
    while (const auto index = log.commit_one()) {
      shard.on_committed(*index);
      run();
    }
  }
  bool load_one() {
    if (loader.waiting.empty()) {
      return false;
    }
    const auto work = std::move(loader.waiting.front());
    loader.waiting.pop_front();
    const auto reader = store.snapshot();
    work (*reader)();
    run();
    return true;
  }
  /// Until nothing moves any more. Bounded, so that a loop without progress is a failure.
  void settle_down() {
    for (int i = 0; i < 10'000; ++i) {
      run();
      commit_all();
      if (!load_one() && posted.empty() && log.waiting.empty()) {
        return;
      }
    }
    throw std::runtime_error("the shard does not come to rest");
  }
  void pass(std::int64_t ms) {
    now += ms;
    shard.on_timer();
    settle_down();
  }
  void open(Session& session) { session.id = shard.open_session(session); }
  void ask(Session& session, std::uint64_t id, core::Request request, std::uint32_t deadline = 0) {
    shard.request(session.id, id, std::move(request), deadline);
  }
  proto::QueueId create_queue(Session& session, const std::string& name,
                              core::QueueSettings settings = {}) {
    ask(session, 9000, core::CreateQueue{"default", name, std::move(settings), {}});
    settle_down();
    return session.reply<core::QueueInfo>(9000).id;
  }
  proto::LogId create_topic(Session& session, const std::string& name) {
    ask(session, 9000, core::CreateTopic{"default", name, {1}, {}});
    ask(session, 9001, core::Attach{"default", name, true});
    settle_down();
    return session.reply<core::Attached>(9001).logs.front();
  }
  void send(Session& session, proto::LogId log_id, std::uint64_t number,
            const std::vector<std::string>& values, proto::BatchBuilder::Producer producer = {},
            bool topic = false, std::uint32_t deadline = 0) {
    core::SendBatch batch = a_batch(log_id, values, producer, topic);
    batch.send_number = number;
    shard.send(session.id, std::move(batch), deadline);
  }
  void settle(Session& session, const core::Delivery& held, proto::SettleKind kind,
              std::uint32_t value = 0) {
    shard.settle(session.id, held.queue,
                 {++settles, 1, {core::test::CoreRig::range(held, kind, value)}});
  }
  core::QueueInfo info(const std::string& name) {
    core::QueueInfo found;
    shard.visit_queues([&](const std::string&, const core::QueueInfo& queue) {
      if (queue.name == name) {
        found = queue;
      }
    });
    return found;
  }

  proto::TimeMs now = kNow;
  core::test::Rng rng{1};
  std::deque<std::function<void()>> posted;
  std::optional<proto::TimeMs> timer;
  std::vector<proto::Error> failures;
  std::vector<proto::Error> damages;
  std::uint64_t settles = 0;
  std::vector<std::pair<std::int64_t, std::uint32_t>> waited;
  std::vector<std::pair<std::int64_t, std::uint32_t>> done;
  std::vector<BackupEvent> backups;
  storage::MemoryStore store;
  FakeLog log;
  FakeLoader loader;
  Shard shard;
};

}  // namespace weir::shard::test
