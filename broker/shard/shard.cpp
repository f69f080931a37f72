#include "broker/shard/shard.hpp"

#include "broker/shard/shard_impl.hpp"
#include "storage/commit_chain.hpp"

#include <algorithm>
#include <utility>

namespace weir::shard {
namespace {

/// After a restart a lease lasts longer by the time that the broker was away, up to this.
constexpr std::int64_t kMaxGraceMs = 30'000;

}  // namespace

Shard::Impl::Impl(ShardOptions options, Ports ports)
    : options_(options),
      ports_(std::move(ports)),
      cache_(options.tail_cache_bytes),
      backups_(ports_) {
  state_ = std::make_unique<core::ShardState>(options_.max_producers);
  feed_ = std::make_unique<TopicFeed>(*state_, cache_, *ports_.loader, bulk_, metrics_);
}

proto::Result<> Shard::Impl::start(ReplicatedLog& log) {
  log_ = &log;
  return restore();
}

proto::Result<> Shard::Impl::reset() {
  ++life_;
  sessions_.clear();
  clients_.clear();
  holders_.clear();
  present_.clear();
  attempts_.clear();
  budgets_.clear();
  next_stuck_.clear();
  consumers_.clear();
  bulk_.clear();
  cache_.clear();
  damaged_.clear();
  sends_.clear();
  send_lines_.clear();
  recent_ids_.clear();
  others_.clear();
  pending_.clear();
  unsaid_.clear();
  open_ = {};
  spoken_to_.clear();
  dispatchable_.clear();
  loading_.clear();
  reading_.clear();
  lines_.clear();
  loading_rows_.clear();
  kept_.clear();
  paging_.clear();
  known_until_.clear();
  next_retention_ = 0;
  lanes_.clear();
  delay_changes_.clear();
  changed_last_.clear();
  stuck_lanes_.clear();
  due_.clear();
  scheduled_ = false;
  failed_ = false;
  feed_->clear();
  backups_.clear();
  *state_ = core::ShardState(options_.max_producers);
  return restore();
}

proto::Result<> Shard::Impl::restore() {
  const auto reader = ports_.store->snapshot();
  const auto last = storage::read_commit_point(*reader);
  if (!last) {
    return last.error();
  }
  if (auto read = state_->restore(*reader); !read) {
    return read;
  }
  state_->set_place(options_.shard_id, epoch_);
  unsaid_from_ = state_->next_grant();
  last_index_ = last->index;
  committed_ = last->index;
  now_ = ports_.now();
  if (std::exchange(options_.raise_incarnation, false)) {
    apply(core::Record{state_->decide_new_incarnation()});
  }
  apply(state_->decide_start());
  const std::int64_t away_ms = last->index.value != 0 ? now_ - last->time : 0;
  apply(state_->decide_restart(now_, std::clamp<std::int64_t>(away_ms, 0, kMaxGraceMs)));
  close_unit();
  arm();
  schedule();
  return {};
}

namespace {

core::Holder holder_of(const core::ClientFacts& facts) {
  std::string text = facts.service.empty() ? facts.client : facts.service;
  text += (text.empty() || facts.address.empty() ? "" : " ") + facts.address;
  text.resize(std::min(text.size(), core::kMaxHolderBytes));
  return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

bool Shard::Impl::is_there(const std::string* holder) const {
  return present_.contains(holder);
}

proto::SessionId Shard::Impl::open_session(SessionPort& port, core::ClientFacts facts) {
  const proto::SessionId session{++last_session_};
  facts.since = ports_.now();
  sessions_.emplace(session, &port);
  present_.insert(holders_.emplace(session, holder_of(facts)).first->second.get());
  clients_.emplace(session, std::move(facts));
  return session;
}

ShardMetrics Shard::Impl::metrics() const {
  metrics_.queues = 0;
  for (const auto& [id, queue] : state_->queues()) {
    metrics_.queues += proto::lane_tag(id) == 0 ? 1 : 0;
  }
  metrics_.sessions = sessions_.size();
  metrics_.backups = backups_.counts();
  metrics_.topics = state_->catalog().topics().size();
  metrics_.producers = state_->producers().size();
  metrics_.tail_cache_bytes = cache_.bytes();
  metrics_.idle_bytes = state_->idle_bytes();
  metrics_.backlog_bytes = log_ != nullptr ? log_->backlog_bytes() : 0;
  return metrics_;
}

void Shard::Impl::on_log_failed(const proto::Error& error) {
  stop_with(error);
}

void Shard::Impl::on_leadership(bool leader, std::uint32_t epoch) {
  if (!leader) {
    stop_with(proto::make_error(proto::Errc::kNotLeader));
    return;
  }
  epoch_ = epoch;
  state_->set_place(options_.shard_id, epoch);
}

void Shard::Impl::stop_with(const proto::Error& error) {
  if (!failed_) {
    failed_ = true;
    ports_.on_failed(error);
  }
}

Shard::Shard(ShardOptions options, Ports ports)
    : impl_(std::make_unique<Impl>(options, std::move(ports))) {}
Shard::~Shard() = default;

proto::Result<> Shard::start(ReplicatedLog& log) {
  return impl_->start(log);
}
proto::Result<> Shard::reset() {
  return impl_->reset();
}
proto::SessionId Shard::open_session(SessionPort& port, core::ClientFacts facts) {
  return impl_->open_session(port, std::move(facts));
}
void Shard::close_session(proto::SessionId session) {
  impl_->close_session(session);
}
void Shard::send(proto::SessionId session, core::SendBatch batch, std::uint32_t deadline_ms) {
  impl_->send(session, std::move(batch), deadline_ms);
}
void Shard::settle(proto::SessionId session, proto::QueueId queue, proto::Settle settle) {
  impl_->settle(session, queue, std::move(settle));
}
void Shard::set_credit(proto::SessionId session, const proto::Credit& credit) {
  impl_->set_credit(session, credit);
}
void Shard::request(proto::SessionId session, std::uint64_t request_id, core::Request request,
                    std::uint32_t deadline_ms) {
  impl_->request(session, request_id, std::move(request), deadline_ms);
}
void Shard::bulk_drained(proto::SessionId session) {
  impl_->bulk_drained(session);
}
void Shard::on_timer() {
  impl_->on_timer();
}
void Shard::refuse_sends(std::optional<proto::Error> why) {
  impl_->refuse_sends(std::move(why));
}
void Shard::when_idle(std::function<void()> done) {
  impl_->when_idle(std::move(done));
}
ShardMetrics Shard::metrics() const {
  return impl_->metrics();
}
QueueCounters Shard::queue_counters(proto::QueueId queue) const {
  return impl_->queue_counters(queue);
}
void Shard::visit_queues(
    const std::function<void(const std::string&, const core::QueueInfo&)>& visit) const {
  for (const auto& [id, queue] : impl_->state().queues()) {
    if (proto::lane_tag(id) != 0) {
      continue;  // told with its queue
    }
    visit(impl_->state().catalog().namespace_name(queue.definition().name_space),
          impl_->describe(queue));
  }
}
void Shard::visit_topics(
    const std::function<void(const std::string&, const core::TopicInfo&)>& visit) const {
  for (const auto& [id, topic] : impl_->state().catalog().topics()) {
    visit(impl_->state().catalog().namespace_name(topic.name_space), impl_->state().info(topic));
  }
}
std::uint32_t Shard::incarnation() const {
  return impl_->state().identity().incarnation;
}
std::uint32_t Shard::epoch() const {
  return impl_->state().identity().epoch;
}
void Shard::on_committed(proto::CommitIndex index) {
  impl_->on_committed(index);
}
void Shard::on_log_failed(const proto::Error& error) {
  impl_->on_log_failed(error);
}
void Shard::on_leadership(bool leader, std::uint32_t epoch) {
  impl_->on_leadership(leader, epoch);
}

}  // namespace weir::shard
