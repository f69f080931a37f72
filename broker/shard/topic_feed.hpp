#pragma once

#include "broker/core/shard_state.hpp"
#include "broker/shard/damaged_places.hpp"
#include "broker/shard/session_port.hpp"
#include "broker/shard/shard.hpp"
#include "broker/shard/tail_cache.hpp"
#include "broker/shard/uncommitted_bulk.hpp"
#include "proto/ids.hpp"
#include "storage/log/partition_log.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weir::shard {

/// Feeds topic subscriptions: from the tail cache where the reader keeps up, else from the store,
/// loaded off the shard. Shows nothing at or above the high watermark. A subscription that reaches
/// what cannot be read ends there, with the reason. Soft: dies with the sessions.
class TopicFeed {
 public:
  TopicFeed(const core::ShardState& state, const TailCache& cache, Loader& loader,
            UncommittedBulk& bulk, ShardMetrics& metrics)
      : state_(state), cache_(cache), loader_(loader), bulk_(bulk), metrics_(metrics) {}

  using Key = std::pair<proto::SessionId, std::uint32_t>;  // session, alias
  struct Start {
    proto::PartitionId partition;
    std::uint32_t index = 0;
    proto::Offset offset = 0;
  };
  /// Gives out nothing before activate(): the subscriber must hear of the subscription first.
  void subscribe(Key key, SessionPort& port, std::string topic, const std::vector<Start>& starts,
                 std::uint32_t window_messages, std::uint32_t window_bytes);
  void activate(Key key);
  /// False when there is no such subscription.
  bool set_credit(const proto::Credit& credit, Key key);
  bool unsubscribe(Key key);
  void remove_session(proto::SessionId session);
  [[nodiscard]] std::uint32_t count(proto::SessionId session) const;
  /// Ends every subscription that reads the partition; who had one is the caller's to tell.
  std::vector<Key> take_readers(proto::PartitionId partition);
  void clear();

  /// A high watermark moved, a credit came, a session has room, a load ended: worth a look.
  void wake_partition(proto::PartitionId partition);
  void wake_session(proto::SessionId session);
  /// Gives out what can go; adds the sessions that got something to `fed`. Asks for `wake` when a
  /// load has ended.
  struct Hooks {
    std::function<void()> wake;
    /// The disk failed.
    std::function<void(const proto::Error&)> failed;
    /// A place was found that cannot be read, for the first time or again.
    std::function<void(const DamagedPlaces::Place&, const proto::Error&)> damaged;
  };
  void run(const Hooks& hooks, std::set<proto::SessionId>& fed);

 private:
  struct Cursor {
    proto::PartitionId partition;
    std::uint32_t index = 0;
    proto::Offset next_offset = 0;
    std::deque<core::CachedBatch> loaded;
    bool loading = false;
  };
  struct Subscription {
    SessionPort* port = nullptr;
    std::string topic;
    bool active = false;
    std::uint64_t life = 0;  // told apart from a later one under the same alias
    std::uint32_t window_messages = 0;
    std::uint32_t window_bytes = 0;
    std::uint64_t consumed_messages = 0;
    std::uint64_t consumed_bytes = 0;
    std::uint64_t delivered_messages = 0;
    std::uint64_t delivered_bytes = 0;
    std::vector<Cursor> cursors;
    std::size_t turn = 0;  // which cursor is served next
    std::optional<proto::Error> damage;
  };
  /// What is read from the store for one cursor.
  struct Load {
    Key key;
    std::uint64_t life = 0;  // of the subscription
    storage::LogRef log;
    proto::Offset from = 0;
    std::string place;  // for a person
  };
  using Loaded = proto::Result<std::vector<storage::LogBatch>>;
  [[nodiscard]] bool has_room(Key key, const Subscription& subscription);
  void end(Key key);
  bool feed_one(Key key, Subscription& subscription, Cursor& cursor, const Hooks& hooks);
  void load(Key key, const Subscription& subscription, Cursor& cursor, const Hooks& hooks);
  void loaded(const Load& load, const Loaded& batches, const Hooks& hooks);

  const core::ShardState& state_;
  const TailCache& cache_;
  Loader& loader_;
  UncommittedBulk& bulk_;
  ShardMetrics& metrics_;
  std::map<Key, Subscription> subscriptions_;
  std::set<std::pair<proto::PartitionId, Key>> readers_;
  std::set<Key> awake_;
  std::uint64_t lives_ = 0;
};

}  // namespace weir::shard
