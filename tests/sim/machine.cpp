#include "tests/sim/machine.hpp"

#include <utility>

namespace weir::sim {

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
    count("fault: connection cut");
    stage_.network.cut(link_);
  }
}

void Machine::hear_cut() {
  link_ = nullptr;
  stage_.world.report().count("reply: unknown outcome", waiting_.size());
  waiting_.clear();
  went_down();
  connect();
}

void Machine::hear_reply(std::uint64_t id, const proto::Result<core::Reply>& reply) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) {
    stage_.world.violate("a request was answered twice, or was never made");
    return;
  }
  const Heard heard = std::move(it->second);
  waiting_.erase(it);
  if (heard) {
    heard(reply);
  }
}

void Machine::request(core::Request request, Heard heard, Before before,
                      std::uint32_t deadline_ms) {
  if (link_ == nullptr) {
    return;
  }
  const std::uint64_t id = ++last_request_;
  waiting_.emplace(id, std::move(heard));
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
