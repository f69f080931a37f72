#include "tests/sim/network.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir::sim {

Link::Link(World& world, BrokerHost& host, Oracle& oracle, LinkUser& user, std::int64_t delay_us,
           std::size_t bulk_room)
    : world_(world),
      host_(host),
      oracle_(oracle),
      user_(&user),
      shard_(host.shard()),
      session_(shard_->open_session(*this)),
      delay_us_(delay_us),
      bulk_room_(bulk_room) {}

std::int64_t Link::delay_until(std::int64_t& last) {
  const std::int64_t slow = world_.rng().per_mille(5) ? 50 : 1;
  last = std::max(last, world_.now_us() + world_.rng().skewed(delay_us_ * 2) * slow);
  return last - world_.now_us();
}

void Link::up(Input input, bool soon) {
  if (!client_open()) {
    return;
  }
  const std::int64_t delay_us =
      soon ? std::max<std::int64_t>(last_up_ - world_.now_us(), 0) : delay_until(last_up_);
  world_.after(delay_us, [&host = host_, self = self_, input = std::move(input)] {
    host.reach([self, input] {
      const auto link = self.lock();
      if (link && link->shard_ != nullptr) {
        input(*link->shard_, link->session_);
      }
    });
  });
}

void Link::down(std::function<void(LinkUser&)> frame) {
  world_.after(delay_until(last_down_), [self = self_, frame = std::move(frame)] {
    const auto link = self.lock();
    if (link && link->user_ != nullptr) {
      frame(*link->user_);
    }
  });
}

void Link::bulk(std::size_t bytes, std::function<void(LinkUser&)> frame) {
  const bool had_room = bulk_room() > 0;
  under_way_ += bytes;
  if (had_room && bulk_room() == 0) {
    world_.report().count("network: no room for more");
  }
  down([this, bytes, frame = std::move(frame)](LinkUser& user) {
    const bool was_full = bulk_room() == 0;
    under_way_ -= bytes;
    if (was_full && bulk_room() > 0) {
      host_.reach([self = self_] {
        const auto link = self.lock();
        if (link && link->shard_ != nullptr) {
          link->shard_->bulk_drained(link->session_);
        }
      });
    }
    frame(user);
  });
}

void Link::broker_gone() {
  shard_ = nullptr;
  down([this](LinkUser& user) {
    user_ = nullptr;
    user.hear_cut();
  });
  world_.keep_in_force(Fault::kHalfOpen, last_down_ - world_.now_us());
}

void Link::close_at_client() {
  if (LinkUser* user = std::exchange(user_, nullptr); user != nullptr) {
    user->hear_cut();
  }
}

void Link::close_at_broker() {
  if (shard_ != nullptr) {
    oracle_.session_closed(session_);
    std::exchange(shard_, nullptr)->close_session(session_);
  }
}

void Link::on_sent(const proto::SentEntry& entry) {
  oracle_.said_sent(session_, entry);
  down([entry](LinkUser& user) { user.hear_sent(entry); });
}

void Link::on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) {
  oracle_.said_settled(session_, up_to, failed);
  for (const proto::SettleFailure& failure : failed) {
    down([failure](LinkUser& user) { user.hear_failed(failure); });
  }
  down([up_to](LinkUser& user) { user.hear_settled(up_to); });
}

void Link::on_delivery(std::uint32_t alias, const core::Delivery& delivery) {
  oracle_.said_delivery(session_, alias, delivery, false, delivery.grant);
  bulk(delivery.records.size(),
       [alias, delivery](LinkUser& user) { user.hear_delivery(alias, delivery); });
}

void Link::on_topic_batch(const shard::TopicBatch& batch) {
  oracle_.said_topic_batch(session_, batch);
  bulk(batch.batch.size(), [batch](LinkUser& user) { user.hear_topic_batch(batch); });
}

void Link::on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) {
  oracle_.said_reply(session_, request_id, reply);
  down([request_id, reply](LinkUser& user) { user.hear_reply(request_id, reply); });
}

void Link::on_subscription_ended(std::uint32_t alias, const proto::Error& why) {
  // No stored message is damaged here.
  world_.violate("subscription " + std::to_string(alias) + " was ended: " + why.to_string());
}

void Link::on_kicked(const proto::Error& why) {
  world_.violate("a session was ended that nobody asked to end: " + why.to_string());
}

std::shared_ptr<Link> Network::connect(LinkUser& user) {
  if (!host_.is_open() || host_.stalled_us() > 0) {
    return nullptr;
  }
  auto link =
      std::make_shared<Link>(world_, host_, oracle_, user, options_.link_us, options_.bulk_room);
  link->hold_self(link);
  std::erase_if(links_, [](const auto& entry) { return entry.second.expired(); });
  links_.emplace(++last_, link);
  return link;
}

void Network::cut(std::shared_ptr<Link> link) {
  constexpr std::int64_t kMostHalfOpenUs = 300'000;
  if (world_.rng().per_mille(300)) {
    world_.befall(Fault::kCut, "");
    leave(link);
    return;
  }
  const std::int64_t later_us = world_.rng().skewed(kMostHalfOpenUs);
  if (world_.rng().per_mille(700)) {
    world_.befall(Fault::kHalfOpen, "the client is gone", later_us);
    link->close_at_client();
    closing_.emplace(link.get(), link);
    world_.after(later_us, [this, link] {
      host_.reach([this, link] {
        link->close_at_broker();
        closing_.erase(link.get());
      });
    });
    return;
  }
  world_.befall(Fault::kHalfOpen, "the broker is gone", later_us);
  host_.reach([link] { link->close_at_broker(); });
  world_.after(later_us, [link] { link->close_at_client(); });
}

void Network::leave(std::shared_ptr<Link> link) {
  link->close_at_client();
  closing_.emplace(link.get(), link);
  host_.reach([this, link] {
    link->close_at_broker();
    closing_.erase(link.get());
  });
}

void Network::broker_gone() {
  std::vector<std::shared_ptr<Link>> open;
  for (const auto& [number, link] : links_) {
    if (auto held = link.lock()) {
      open.push_back(std::move(held));
    }
  }
  for (const auto& link : open) {
    if (link->broker_open()) {
      link->broker_gone();
    }
  }
  closing_.clear();
}

}  // namespace weir::sim
