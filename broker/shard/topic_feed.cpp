#include "broker/shard/topic_feed.hpp"

#include "proto/planted_bugs.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace weir::shard {
namespace {

/// One load reads about this much: enough to be sequential, little enough to be kept for each
/// reader.
constexpr std::size_t kLoadBytes = std::size_t{1} << 20;

core::CachedBatch to_cached(const storage::LogBatch& batch) {
  core::CachedBatch cached;
  cached.base_offset = batch.base_offset;
  cached.last_offset = batch.last_offset;
  cached.append_time = batch.header.append_time;
  cached.stored_bytes = batch.stored.size();
  cached.batch = batch.stored.slice(proto::kStoredHeaderBytes,
                                    batch.stored.size() - proto::kStoredHeaderBytes);
  return cached;
}

/// For a person: where, what is wrong, and what to do.
proto::Error unreadable(const std::string& place, const proto::Error& why) {
  return proto::fail(
      proto::Errc::kCorruptBatch,
      place + ": " + why.message + "; reading from a later offset goes on behind the damage");
}

}  // namespace

void TopicFeed::subscribe(Key key, SessionPort& port, std::string topic,
                          const std::vector<Start>& starts, std::uint32_t window_messages,
                          std::uint32_t window_bytes) {
  unsubscribe(key);
  Subscription subscription;
  subscription.port = &port;
  subscription.topic = std::move(topic);
  subscription.life = ++lives_;
  subscription.window_messages = window_messages;
  subscription.window_bytes = window_bytes;
  for (const Start& start : starts) {
    Cursor cursor;
    cursor.partition = start.partition;
    cursor.index = start.index;
    cursor.next_offset = start.offset;
    subscription.cursors.push_back(std::move(cursor));
    readers_.emplace(start.partition, key);
  }
  subscriptions_.emplace(key, std::move(subscription));
}

void TopicFeed::activate(Key key) {
  const auto it = subscriptions_.find(key);
  if (it != subscriptions_.end()) {
    it->second.active = true;
    awake_.insert(key);
  }
}

bool TopicFeed::set_credit(const proto::Credit& credit, Key key) {
  const auto it = subscriptions_.find(key);
  if (it == subscriptions_.end()) {
    return false;
  }
  Subscription& subscription = it->second;
  subscription.window_messages = credit.window_messages;
  subscription.window_bytes = credit.window_bytes;
  subscription.consumed_messages =
      std::min(credit.consumed_messages, subscription.delivered_messages);
  subscription.consumed_bytes = std::min(credit.consumed_bytes, subscription.delivered_bytes);
  awake_.insert(key);
  return true;
}

bool TopicFeed::unsubscribe(Key key) {
  const auto it = subscriptions_.find(key);
  if (it == subscriptions_.end()) {
    return false;
  }
  for (const Cursor& cursor : it->second.cursors) {
    readers_.erase({cursor.partition, key});
  }
  awake_.erase(key);
  subscriptions_.erase(it);
  return true;
}

void TopicFeed::remove_session(proto::SessionId session) {
  for (auto it = subscriptions_.lower_bound({session, 0});
       it != subscriptions_.end() && it->first.first == session;
       it = subscriptions_.lower_bound({session, 0})) {
    const Key key = it->first;
    unsubscribe(key);
  }
}

std::uint32_t TopicFeed::count(proto::SessionId session) const {
  std::uint32_t subscriptions = 0;
  for (auto it = subscriptions_.lower_bound({session, 0});
       it != subscriptions_.end() && it->first.first == session; ++it) {
    ++subscriptions;
  }
  return subscriptions;
}

std::vector<TopicFeed::Key> TopicFeed::take_readers(proto::PartitionId partition) {
  std::vector<Key> keys;
  for (auto it = readers_.lower_bound({partition, Key{}});
       it != readers_.end() && it->first == partition; ++it) {
    keys.push_back(it->second);
  }
  for (const Key& key : keys) {
    unsubscribe(key);
  }
  return keys;
}

void TopicFeed::clear() {
  subscriptions_.clear();
  readers_.clear();
  awake_.clear();
}

void TopicFeed::wake_partition(proto::PartitionId partition) {
  for (auto it = readers_.lower_bound({partition, Key{}});
       it != readers_.end() && it->first == partition; ++it) {
    awake_.insert(it->second);
  }
}

void TopicFeed::wake_session(proto::SessionId session) {
  for (auto it = subscriptions_.lower_bound({session, 0});
       it != subscriptions_.end() && it->first.first == session; ++it) {
    awake_.insert(it->first);
  }
}

bool TopicFeed::has_room(Key key, const Subscription& subscription) {
  return subscription.active &&
         subscription.delivered_messages - subscription.consumed_messages <
             subscription.window_messages &&
         subscription.delivered_bytes - subscription.consumed_bytes < subscription.window_bytes &&
         bulk_.has_room(key.first, *subscription.port);
}

void TopicFeed::run(const Hooks& hooks, std::set<proto::SessionId>& fed) {
  for (const Key& key : std::exchange(awake_, {})) {
    Subscription& subscription = subscriptions_.at(key);
    if (subscription.damage) {
      end(key);
      fed.insert(key.first);
      continue;
    }
    std::size_t idle = 0;
    while (idle < subscription.cursors.size() && has_room(key, subscription)) {
      Cursor& cursor = subscription.cursors[subscription.turn];
      subscription.turn = (subscription.turn + 1) % subscription.cursors.size();
      if (feed_one(key, subscription, cursor, hooks)) {
        fed.insert(key.first);
        idle = 0;
      } else {
        ++idle;
      }
    }
  }
}

void TopicFeed::end(Key key) {
  Subscription& subscription = subscriptions_.at(key);
  SessionPort& port = *subscription.port;
  const proto::Error why = *std::move(subscription.damage);
  unsubscribe(key);
  port.on_subscription_ended(key.second, why);
}

bool TopicFeed::feed_one(Key key, Subscription& subscription, Cursor& cursor, const Hooks& hooks) {
  const core::Partition* partition = state_.partition(cursor.partition);
  if (partition == nullptr || cursor.next_offset >= partition->high_watermark || cursor.loading) {
    return false;
  }
  const core::CachedBatch* batch =
      cursor.loaded.empty() ? cache_.find(proto::LogId{cursor.partition.value}, cursor.next_offset)
                            : &cursor.loaded.front();
  if (batch == nullptr) {
    load(key, subscription, cursor, hooks);
    return false;
  }
  if (batch->last_offset >= partition->high_watermark) {
    return false;
  }
  const auto messages = static_cast<std::uint64_t>(
      batch->last_offset - std::max(batch->base_offset, cursor.next_offset) + 1);
  cursor.next_offset = batch->last_offset + 1;
  subscription.delivered_messages += messages;
  subscription.delivered_bytes += batch->batch.size();
  metrics_.fetched_records += messages;
  metrics_.fetched_bytes += batch->batch.size();
  subscription.port->on_topic_batch(
      {key.second, cursor.index, batch->batch, cursor.next_offset, partition->high_watermark});
  if (!cursor.loaded.empty()) {
    cursor.loaded.pop_front();
  }
  return true;
}

void TopicFeed::load(Key key, const Subscription& subscription, Cursor& cursor,
                     const Hooks& hooks) {
  cursor.loading = true;
  ++metrics_.storage_reads;
  const core::Partition& partition = *state_.partition(cursor.partition);
  const storage::LogBounds bounds{partition.log_start, partition.high_watermark};
  Load load{key,
            subscription.life,
            {proto::LogId{cursor.partition.value}, 0},
            cursor.next_offset + (WEIR_PLANTED(reader_skips_at_load) ? 1 : 0),
            "partition " + std::to_string(cursor.index) + " of topic '" + subscription.topic +
                "' cannot be read at offset " + std::to_string(cursor.next_offset)};
  loader_.load([this, hooks, bounds, load = std::move(load)](const storage::Reader& reader) {
    auto batches = std::make_shared<Loaded>(std::vector<storage::LogBatch>{});
    auto opened =
        storage::LogCursor::open(reader, load.log, bounds, load.from, {.sequential = true});
    if (opened) {
      *batches = opened->next({.max_bytes = kLoadBytes, .verify_records = true});
    } else {
      *batches = opened.error();
    }
    return Loader::Continuation([this, hooks, load, batches] { loaded(load, *batches, hooks); });
  });
}

void TopicFeed::loaded(const Load& load, const Loaded& batches, const Hooks& hooks) {
  if (!batches && batches.error().code != proto::Errc::kCorruptBatch) {
    hooks.failed(batches.error());
    return;
  }
  if (state_.partition(proto::PartitionId{load.log.id.value}) == nullptr) {
    return;  // deleted meanwhile: nothing that is missing of it is damage
  }
  const auto it = subscriptions_.find(load.key);
  const bool is_there = it != subscriptions_.end() && it->second.life == load.life;
  if (!batches) {
    const proto::Error why = unreadable(load.place, batches.error());
    hooks.damaged({load.log.id, load.log.generation, load.from}, why);
    if (is_there) {
      it->second.damage = why;
      awake_.insert(load.key);
      hooks.wake();
    }
    return;
  }
  if (!is_there) {
    return;
  }
  for (Cursor& waiting : it->second.cursors) {
    if (waiting.partition.value == load.log.id.value) {
      waiting.loading = false;
      for (const storage::LogBatch& batch : *batches) {
        waiting.loaded.push_back(to_cached(batch));
      }
    }
  }
  awake_.insert(load.key);
  hooks.wake();
}

}  // namespace weir::shard
