#include "tests/sim/machine.hpp"

#include <utility>
#include <variant>

namespace weir::sim {
namespace {

struct OpOf {
  std::optional<Op> operator()(const core::InitProducer&) const { return Op::kInitProducer; }
  std::optional<Op> operator()(const core::Subscribe&) const { return Op::kSubscribe; }
  std::optional<Op> operator()(const core::Receive&) const { return Op::kReceive; }
  std::optional<Op> operator()(const core::DescribeQueue&) const { return Op::kDescribe; }
  std::optional<Op> operator()(const core::DescribeTopic&) const { return Op::kDescribe; }
  std::optional<Op> operator()(const core::Unsubscribe&) const { return Op::kUnsubscribe; }
  std::optional<Op> operator()(const core::SettleByHandle&) const { return Op::kHandle; }
  std::optional<Op> operator()(const core::SettleManyByHandle&) const { return Op::kHandles; }
  std::optional<Op> operator()(const core::SubscribeTopic&) const { return Op::kSubscribeTopic; }
  std::optional<Op> operator()(const core::ListOffsets&) const { return Op::kListOffsets; }
  // What a seed plays with is made before anything befalls it.
  std::optional<Op> operator()(const core::CreateQueue&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::CreateTopic&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::Attach&) const { return std::nullopt; }
  // What an operator does is judged by what becomes of the others.
  std::optional<Op> operator()(const core::UpdateQueue&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::PurgeQueue&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::DeleteQueue&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::ListDelayed&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::ChangeDelayed&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::StartRedrive&) const { return Op::kStartRedrive; }
  std::optional<Op> operator()(const core::CancelRedrive&) const { return Op::kCancelRedrive; }
  std::optional<Op> operator()(const core::ListRedrives&) const { return Op::kListRedrives; }
  std::optional<Op> operator()(const core::PeekQueue&) const { return Op::kLook; }
  // No machine asks for these.
  std::optional<Op> operator()(const core::DeleteTopic&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::ListQueues&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::ListTopics&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::CreateNamespace&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::DescribeNamespace&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::ListNamespaces&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::DeleteNamespace&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::ListClients&) const { return std::nullopt; }
  std::optional<Op> operator()(const core::KickClient&) const { return std::nullopt; }
  // No machine asks for it: a shard is exported by the host (BrokerHost::move_to_copy).
  std::optional<Op> operator()(const core::ReadBackup&) const { return std::nullopt; }
};

}  // namespace

void Machine::connect() {
  if (link_ != nullptr || connecting_) {
    return;
  }
  connecting_ = true;
  stage_.world.after(1 + rng().skewed(50'000), [this] {
    connecting_ = false;
    link_ = stage_.network.connect(*this);
    if (link_ == nullptr) {
      connect();
      return;
    }
    count("network: connected");
    came_up();
  });
}

void Machine::cut() {
  if (link_ != nullptr) {
    stage_.network.cut(link_);
  }
}

void Machine::begin_anew() {
  count("client: began anew after a lie of the disk");
  if (link_ != nullptr) {
    std::shared_ptr(link_)->close_at_client();
  }
  forget();
}

void Machine::hear_cut() {
  link_ = nullptr;
  for (const auto& [id, waiting] : std::exchange(waiting_, {})) {
    if (waiting.op) {
      ended(*waiting.op, kUnknown, waiting.asked_us);
    }
  }
  went_down();
  connect();
}

void Machine::hear_reply(std::uint64_t id, const proto::Result<core::Reply>& reply) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) {
    stage_.world.violate("a request was answered twice, or was never made");
    return;
  }
  const Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  if (waiting.op) {
    ended(*waiting.op, reply ? kDone : refused(reply.error().code), waiting.asked_us);
  }
  if (waiting.heard) {
    waiting.heard(reply);
  }
}

void Machine::request(core::Request request, Heard heard, Before before, std::uint32_t deadline_ms,
                      std::optional<Op> op) {
  if (link_ == nullptr) {
    return;
  }
  const std::uint64_t id = ++last_request_;
  waiting_.emplace(id, Waiting{std::move(heard), op ? op : std::visit(OpOf{}, request), now_us()});
  link_->up([id, deadline_ms, request = std::move(request), before = std::move(before)](
                shard::Shard& shard, proto::SessionId session) {
    if (before) {
      before(session, id);
    }
    shard.request(session, id, request, deadline_ms);
  });
}

std::vector<std::size_t> Machine::targets(bool topics) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < stage_.targets.size(); ++i) {
    if (stage_.targets[i].topic == topics) {
      found.push_back(i);
    }
  }
  return found;
}

}  // namespace weir::sim
