#include "broker/core/name_pattern.hpp"
#include "broker/shard/peek.hpp"
#include "broker/shard/shard_impl.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"

#include <charconv>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

// Requests for lists, and looks at messages: a page is bounded by what it holds and by what is
// looked at for it, so that neither a frame grows nor a turn takes long, however many there are.
namespace weir::shard {
namespace {

/// Of all topics of one page: a topic may have a thousand.
constexpr std::size_t kMaxPagePartitions = 10'000;

/// Of all clients of one page: each is looked at.
constexpr std::size_t kMaxPageSubscriptions = 10'000;

/// Counts what one page looks at.
class Page {
 public:
  explicit Page(const core::ListPage& asked)
      : asked_(asked),
        max_results_(asked.max_results != 0 ? asked.max_results : proto::kMaxPageResults) {}

  [[nodiscard]] proto::Result<> check() const {
    if (max_results_ > proto::kMaxPageResults) {
      return proto::fail(proto::Errc::kInvalidArgument,
                         "max_results may be at most " + std::to_string(proto::kMaxPageResults));
    }
    return core::check_pattern(asked_.pattern);
  }
  /// Whether the page has room for one that weighs so much. Not behind one for which it had none.
  [[nodiscard]] bool looks_at(const std::string& name, std::size_t weight, std::size_t max_weight) {
    if (looked_at_ == proto::kMaxPageResults || taken_ == max_results_ || weight_ >= max_weight) {
      has_more_ = true;
      return false;
    }
    ++looked_at_;
    weight_ += weight;
    last_ = name;
    return true;
  }
  [[nodiscard]] bool takes(const std::string& name) {
    const bool is_meant = core::matches(asked_.pattern, name);
    taken_ += is_meant ? 1 : 0;
    return is_meant;
  }
  [[nodiscard]] std::string next() const { return has_more_ ? last_ : std::string(); }

 private:
  const core::ListPage& asked_;
  const std::uint32_t max_results_;
  std::uint32_t looked_at_ = 0;
  std::uint32_t taken_ = 0;
  std::size_t weight_ = 0;
  std::string last_;
  bool has_more_ = false;
};

/// Whether that id is of a message that was sent to the queue, or of none of its own.
bool may_have_given(const core::ShardState& state, const core::Queue& queue,
                    std::string_view message_id) {
  const auto place = proto::parse_message_id(message_id);
  if (!place || place->incarnation != state.identity().incarnation ||
      place->object != queue.id().value) {
    return true;
  }
  if (core::Queue::DelayLane::holds(place->offset)) {
    return place->offset < queue.counters().lane.next_offset;
  }
  const core::Queue* lane = state.queue(proto::lane_of(queue.id(), place->offset));
  return lane != nullptr && place->offset < lane->counters().next_offset;
}

}  // namespace

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::ListQueues& command) {
  const auto owner = state_->catalog().name_space(command.name_space);
  if (!owner) {
    return owner.error();
  }
  Page page(command.page);
  if (const auto valid = page.check(); !valid) {
    return valid.error();
  }
  core::QueueList list;
  state_->catalog().visit_queues(*owner, command.page.after,
                                 [&](const std::string& name, proto::QueueId id) {
                                   if (!page.looks_at(name, 0, 1)) {
                                     return false;
                                   }
                                   if (page.takes(name)) {
                                     list.queues.push_back(describe(*state_->queue(id)));
                                   }
                                   return true;
                                 });
  list.next = page.next();
  return core::Reply{std::move(list)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::ListRedrives& command) {
  const auto owner = state_->catalog().name_space(command.name_space);
  if (!owner) {
    return owner.error();
  }
  Page page(command.page);
  if (const auto valid = page.check(); !valid) {
    return valid.error();
  }
  core::RedriveList list;
  state_->catalog().visit_queues(*owner, command.page.after,
                                 [&](const std::string& name, proto::QueueId id) {
                                   if (!page.looks_at(name, 0, 1)) {
                                     return false;
                                   }
                                   const core::Redrive* redrive = state_->redrives().find(id);
                                   if (redrive != nullptr && page.takes(name)) {
                                     list.redrives.push_back(state_->info(*redrive));
                                   }
                                   return true;
                                 });
  list.next = page.next();
  return core::Reply{std::move(list)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::ListTopics& command) {
  const auto owner = state_->catalog().name_space(command.name_space);
  if (!owner) {
    return owner.error();
  }
  Page page(command.page);
  if (const auto valid = page.check(); !valid) {
    return valid.error();
  }
  core::TopicList list;
  state_->catalog().visit_topics(*owner, command.page.after, [&](const core::TopicCreated& topic) {
    if (!page.looks_at(topic.name, topic.partitions.size(), kMaxPagePartitions)) {
      return false;
    }
    if (page.takes(topic.name)) {
      list.topics.push_back(state_->info(topic));
    }
    return true;
  });
  list.next = page.next();
  return core::Reply{std::move(list)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::ListNamespaces& command) {
  Page page(command.page);
  if (const auto valid = page.check(); !valid) {
    return valid.error();
  }
  core::NamespaceList list;
  state_->catalog().visit_namespaces(command.page.after,
                                     [&](const std::string& name, proto::NamespaceId id) {
                                       if (!page.looks_at(name, 0, 1)) {
                                         return false;
                                       }
                                       if (page.takes(name)) {
                                         list.namespaces.push_back(state_->info(id));
                                       }
                                       return true;
                                     });
  list.next = page.next();
  return core::Reply{std::move(list)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input&, std::uint64_t,
                                        const core::ListClients& command) {
  Page page(command.page);
  if (const auto valid = page.check(); !valid) {
    return valid.error();
  }
  proto::SessionId after;
  if (const std::string& token = command.page.after; !token.empty()) {
    const auto [end, error] =
        std::from_chars(token.data(), token.data() + token.size(), after.value);
    if (error != std::errc() || end != token.data() + token.size()) {
      return proto::fail(proto::Errc::kInvalidArgument, "this is no page token of clients");
    }
  }
  core::ClientList list;
  for (auto it = clients_.upper_bound(after); it != clients_.end(); ++it) {
    const core::ClientInfo info = describe(it->first, it->second);
    if (!page.looks_at(std::to_string(it->first.value), info.subscriptions,
                       kMaxPageSubscriptions)) {
      break;
    }
    if (page.takes(info.facts.service)) {
      list.clients.push_back(info);
    }
  }
  list.next = page.next();
  return core::Reply{std::move(list)};
}

Shard::Impl::Answer Shard::Impl::answer(const Input& input, std::uint64_t id,
                                        const core::PeekQueue& command) {
  const auto queue = state_->catalog().queue(command.name_space, command.queue);
  if (!queue) {
    return queue.error();
  }
  if (command.max_messages > proto::kMaxPageResults || command.from_offset < 0) {
    return proto::fail(proto::Errc::kInvalidArgument, "max_messages may be at most " +
                                                          std::to_string(proto::kMaxPageResults) +
                                                          ", and an offset is not negative");
  }
  PeekWish wish;
  state_->for_each_lane(*queue, [&](const core::Queue& lane) { wish.lanes.push_back(lane.id()); });
  wish.state = command.state;
  wish.from_offset = command.from_offset;
  wish.max_messages = command.max_messages != 0 ? command.max_messages : proto::kMaxPageResults;
  wish.now = now_;
  if (auto valid = core::check(command.filter); !valid) {
    return valid.error();
  }
  wish.filter = command.filter;
  wish.with_attempts = command.with_attempts;
  const core::Queue& of = *state_->queue(*queue);
  wish.delays = {of.id(), of.counters().generation, 0};
  wish.incarnation = state_->identity().incarnation;
  if (!command.filter.message_id.empty() &&
      !may_have_given(*state_, of, command.filter.message_id)) {
    return proto::fail(proto::Errc::kMessageNotFound,
                       "queue '" + command.queue + "' has not given that id to any message yet");
  }
  answer_from_store<core::Peeked>(
      input.session, id, [wish](const storage::Reader& reader) { return peek(reader, wish); });
  return Later{};
}

}  // namespace weir::shard
