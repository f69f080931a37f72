#include "tests/sim/sdk_consumer.hpp"

#include "weir/v1/protocol.pb.h"

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace weir::sim {
namespace {

using std::chrono::milliseconds;

ConsumerOptions consumer_options(Stage& stage, bool is_patient) {
  Rng& rng = stage.world.rng();
  ConsumerOptions options;
  options.set_window_messages(stage.options.window_messages);
  options.set_window_bytes(stage.options.window_bytes);
  if (is_patient) {
    options.set_lease(milliseconds(kPatientLeaseMs));
  } else if (rng.per_mille(500)) {
    options.set_lease(milliseconds(10 + rng.skewed(stage.options.lease_ms * 2)));
  }
  options.set_max_hold(
      milliseconds(rng.per_mille(500) ? 0 : rng.between(1, stage.options.lease_ms * 10)));
  return options;
}

}  // namespace

// ---- what the application holds

void SdkHands::take(Delivery delivery) {
  const MessageNumber number = number_of(delivery.body());
  stage_.world.fold(number);
  stage_.oracle.client_got(delivery.body(), value_bytes(stage_.options, number),
                           queue_.logs.front(), delivery.offset());
  if (stage_.healed) {
    ack(std::move(delivery));
  } else if (stage_.world.rng().per_mille(200)) {
    stage_.world.report().count("sdk: settled at once");
    ack(std::move(delivery));
  } else {
    held_.push_back(std::move(delivery));
  }
}

void SdkHands::ack(Delivery delivery) {
  stage_.world.report().count("sdk: ack");
  ++unanswered_;
  const MessageNumber number = number_of(delivery.body());
  const proto::Offset offset = delivery.offset();
  delivery.ack([this, number, offset, is_answered = false](const Result<>& result) mutable {
    if (std::exchange(is_answered, true)) {
      stage_.world.violate("the library answered an ack twice");
    }
    --unanswered_;
    stage_.world.fold(number);
    if (result) {
      stage_.world.report().count("sdk: ack done");
      stage_.oracle.client_acked(number, queue_.logs.front(), offset);
    } else {
      stage_.world.report().count("sdk: ack refused, " + std::string(name(result.error().code)));
    }
  });
}

void SdkHands::ack_all() {
  for (Delivery& delivery : std::exchange(held_, {})) {
    ack(std::move(delivery));
  }
}

void SdkHands::step() {
  if (held_.empty()) {
    return;
  }
  Rng& rng = stage_.world.rng();
  const auto at = static_cast<std::ptrdiff_t>(rng.below(held_.size()));
  if (rng.per_mille(stage_.options.lazy_per_mille)) {
    return;
  }
  if (rng.per_mille(100)) {
    stage_.world.report().count("sdk: extend");
    held_[static_cast<std::size_t>(at)].extend(
        milliseconds(rng.skewed(stage_.options.lease_ms * 2)));
    return;
  }
  Delivery delivery = std::move(held_[static_cast<std::size_t>(at)]);
  held_.erase(held_.begin() + at);
  if (!rng.per_mille(stage_.options.nack_per_mille)) {
    if (rng.per_mille(100)) {
      settle_by_handle(delivery.handle());
    }
    ack(std::move(delivery));
    return;
  }
  const milliseconds delay(rng.per_mille(500) ? 0 : rng.between(1, 1000));
  switch (rng.below(6)) {
    case 0:
      stage_.world.report().count("sdk: nack");
      delivery.nack(delay);
      break;
    case 1:
      stage_.world.report().count("sdk: release");
      delivery.release();
      break;
    case 2:
      stage_.world.report().count("sdk: transient");
      delivery.settle(weir::Outcome::transient("away " + std::to_string(rng.below(3))));
      break;
    case 3:
      stage_.world.report().count("sdk: not now");
      delivery.settle(weir::Outcome::not_now(delay));
      break;
    case 4:
      stage_.world.report().count("sdk: poison");
      delivery.settle(weir::Outcome::poison("no such customer"));
      break;
    default:
      stage_.world.report().count("sdk: dropped unsettled");
      break;
  }
}

/// Beside the delivery, as another process would that was given the text.
void SdkHands::settle_by_handle(const std::string& handle) {
  stage_.world.report().count("sdk: settle by handle");
  const bool is_doubled = stage_.world.rng().per_mille(300);
  engine_->post([&stage = stage_, handle, is_doubled](sdk::Session& session) {
    v1::Request request;
    v1::SettleByHandle settle;
    settle.set_handle(handle);
    settle.set_action(v1::SETTLE_ACTION_ACK);
    if (is_doubled) {
      *request.mutable_settle_many_by_handle()->add_entries() = settle;
      *request.mutable_settle_many_by_handle()->add_entries() = settle;
    } else {
      *request.mutable_settle_by_handle() = settle;
    }
    sdk::RequestPolicy policy;
    policy.deadline = sdk::TimePoint::max();
    policy.changes_something = true;
    session.request(
        std::move(request), policy, [&stage](const proto::Result<v1::Response>& response) {
          stage.world.report().count(
              response ? "sdk: settled by handle"
                       : "sdk: handle refused, " + std::string(proto::name(response.error().code)));
        });
  });
}

// ---- a subscription

SdkConsumer::SdkConsumer(Stage& stage, std::shared_ptr<SimEngine> engine, SdkHands& hands,
                         bool is_push)
    : stage_(stage),
      hands_(hands),
      is_push_(is_push),
      is_patient_(stage.world.rng().per_mille(stage.options.patient_per_mille)) {
  stage_.world.report().count(is_push ? "sdk: consumer with a handler" : "sdk: consumer, pulled");
  DeliveryHandler handler;
  if (is_push) {
    handler = [this](Delivery delivery) {
      if (is_closed_) {
        stage_.world.violate("a handler is called after its consumer was closed");
      }
      if (!stage_.healed && stage_.world.rng().per_mille(20)) {
        stage_.world.report().count("sdk: a handler throws");
        throw std::runtime_error("a handler that fails");
      }
      hands_.take(std::move(delivery));
    };
  }
  front_ = std::make_shared<sdk::ConsumerFront>(
      engine, hands.queue().name, consumer_options(stage, is_patient_), std::move(handler));
  engine->post([front = front_](sdk::Session& session) { session.add(front); });
}

void SdkConsumer::step() {
  Rng& rng = stage_.world.rng();
  if (is_closed_) {
    return;
  }
  if (rng.per_mille(50)) {
    stage_.world.report().count("sdk: consumer paused or resumed");
    front_->set_paused(rng.per_mille(500));
  } else if (!is_push_) {
    pull();
  }
}

void SdkConsumer::pull() {
  Result<std::optional<Delivery>> taken = front_->take();
  if (taken && *taken) {
    stage_.world.report().count("sdk: pulled");
    hands_.take(std::move(**taken));
  }
  if (std::exchange(asks_, !asks_)) {
    front_->stop_asking();
  } else {
    front_->ask();
  }
}

void SdkConsumer::drain() {
  if (is_closed_) {
    return;
  }
  front_->set_paused(false);
  if (!is_push_) {
    pull();
  }
}

void SdkConsumer::close() {
  if (!std::exchange(is_closed_, true)) {
    stage_.world.report().count("sdk: consumer closed");
    front_->close();
  }
}

}  // namespace weir::sim
