#include "tests/sim/sdk_client.hpp"

#include "client/session/receive.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace weir::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kPumpUs = 20'000;
constexpr std::int64_t kLeasesMissed = 50;

ClientOptions client_options(Rng& rng) {
  ClientOptions options;
  options.set_service("sim");
  options.set_connect_timeout(milliseconds(rng.between(50, 1000)));
  options.set_request_timeout(milliseconds(rng.between(200, 5000)));
  options.set_overall_timeout(milliseconds(rng.between(500, 15'000)));
  options.set_reconnect_backoff(milliseconds(rng.between(1, 100)),
                                milliseconds(rng.between(100, 2000)));
  options.set_drain_timeout(milliseconds(rng.between(1, 5000)));
  return options;
}

}  // namespace

SdkClient::SdkClient(Stage& stage, Reception& reception) : stage_(stage), reception_(reception) {}

SdkClient::~SdkClient() {
  if (engine_) {
    engine_->die();
  }
}

void SdkClient::begin() {
  stage_.world.report().count("sdk: client");
  is_closing_ = false;
  engine_ = SimEngine::start(stage_, reception_, client_options(stage_.world.rng()));
  if (stage_.healed) {
    drain();
  }
}

const Target& SdkClient::pick(bool topic) {
  for (;;) {
    const Target& target = stage_.world.rng().pick(stage_.targets);
    if (target.topic == topic) {
      return target;
    }
  }
}

SdkHands& SdkClient::hands(const Target& queue) {
  std::unique_ptr<SdkHands>& known = hands_[queue.name];
  if (!known) {
    known = std::make_unique<SdkHands>(stage_, engine_, queue);
  }
  return *known;
}

void SdkClient::open_something() {
  Rng& rng = stage_.world.rng();
  switch (rng.below(3)) {
    case 0:
      if (std::ranges::count_if(producers_, [](const auto& p) { return !p->is_closed(); }) < 3) {
        producers_.push_back(
            std::make_unique<SdkProducer>(stage_, engine_, rng.pick(stage_.targets)));
      }
      break;
    case 1:
      if (std::ranges::count_if(consumers_, [](const auto& c) { return !c->is_closed(); }) < 3) {
        consumers_.push_back(
            std::make_unique<SdkConsumer>(stage_, engine_, hands(pick(false)), rng.per_mille(500)));
      }
      break;
    default:
      std::erase_if(readers_, [](const auto& reader) {
        if (reader->is_over()) {
          reader->close();
        }
        return reader->is_over();
      });
      if (readers_.size() < 2 && stage_.options.topics > 0) {
        readers_.push_back(std::make_unique<SdkReader>(stage_, engine_, pick(true)));
      }
      break;
  }
}

void SdkClient::step() {
  if (engine_->is_over()) {
    check_end();
    begin();
    return;
  }
  if (engine_->stands_still()) {
    return;
  }
  engine_->look();
  Rng& rng = stage_.world.rng();
  const std::uint64_t dice = rng.below(1000);
  if (dice < 100 || producers_.empty()) {
    open_something();
  } else if (dice < 450) {
    if (!producers_.empty()) {
      rng.pick(producers_)->step();
    }
  } else if (dice < 600) {
    if (!consumers_.empty()) {
      rng.pick(consumers_)->step();
    }
  } else if (dice < 850) {
    if (!hands_.empty()) {
      std::next(hands_.begin(), static_cast<std::ptrdiff_t>(rng.below(hands_.size())))
          ->second->step();
    }
  } else if (dice < 920) {
    if (!readers_.empty()) {
      rng.pick(readers_)->step();
    }
  } else if (dice < 970) {
    receive();
  } else if (dice < 985) {
    if (!consumers_.empty()) {
      rng.pick(consumers_)->close();
    }
  } else if (dice < 990) {
    stage_.world.report().count("sdk: producer closed");
    if (!producers_.empty()) {
      rng.pick(producers_)->close();
    }
  } else if (dice < 993) {
    close();
  }
}

void SdkClient::receive() {
  Rng& rng = stage_.world.rng();
  SdkHands& into = hands(pick(false));
  ReceiveOptions options;
  options.set_max_messages(static_cast<std::uint32_t>(1 + rng.skewed(9)));
  options.set_wait(milliseconds(rng.per_mille(500) ? 0 : rng.between(1, 500)));
  if (rng.per_mille(500)) {
    options.set_lease(milliseconds(10 + rng.skewed(stage_.options.lease_ms * 2)));
  }
  sdk::RequestPolicy policy;
  policy.deadline = engine_->clock().now() + options.wait() + milliseconds(rng.between(10, 2000));
  ++receiving_;
  stage_.world.report().count("sdk: receive");
  const bool is_taken =
      sdk::receive(*engine_, into.queue().name, options, policy,
                   [this, &into](Result<std::vector<Delivery>> received) {
                     --receiving_;
                     if (!received) {
                       stage_.world.report().count("sdk: receive refused, " +
                                                   std::string(name(received.error().code)));
                       return;
                     }
                     for (Delivery& delivery : *received) {
                       stage_.world.report().count("sdk: received");
                       sdk::Taken<Delivery>::mark(delivery);
                       into.take(std::move(delivery));
                     }
                   });
  receiving_ -= is_taken ? 0 : 1;
}

void SdkClient::befall() {
  Rng& rng = stage_.world.rng();
  const std::shared_ptr<Cable> cable = engine_->cable();
  switch (rng.below(8)) {
    case 0:
    case 1:
    case 2:
      if (cable) {
        stage_.world.report().count("fault: cable cut");
        cable->cut();
      }
      break;
    case 3:
      if (cable) {
        stage_.world.report().count("fault: the broker does not hear a client");
        cable->swallow(Cable::Side::kClient);
      }
      break;
    case 4:
      if (cable) {
        stage_.world.report().count("fault: a client does not hear the broker");
        cable->swallow(Cable::Side::kBroker);
      }
      break;
    case 5:
    case 6:
      stage_.world.report().count("fault: a client stands still");
      // At most for some leases: everything is handed out anew with each that ends.
      engine_->stand_still(rng.per_mille(300)
                               ? std::min(rng.between(1'000'000, 60'000'000),
                                          stage_.options.lease_ms * 1000 * kLeasesMissed)
                               : rng.skewed(1'000'000));
      break;
    default:
      stage_.world.report().count("fault: a client dies");
      if (cable && rng.per_mille(300)) {
        cable->swallow(Cable::Side::kClient);  // and its machine with it
      }
      engine_->die();
      break;
  }
}

void SdkClient::heal() {
  engine_->go_on();
  if (engine_->is_over()) {
    check_end();
    begin();
  } else {
    drain();
  }
}

void SdkClient::add_kept(std::set<std::string>& queues) const {
  for (const auto& consumer : consumers_) {
    if (!is_closing_ && !engine_->is_over() && consumer->is_patient()) {
      queues.insert(consumer->queue());
    }
  }
}

void SdkClient::remove_hasty(std::set<std::string>& queues) const {
  for (const auto& consumer : consumers_) {
    if (!consumer->is_closed() && !consumer->is_patient()) {
      queues.erase(consumer->queue());
    }
  }
}

void SdkClient::drain() {
  engine_->look();
  for (const auto& [name, held] : hands_) {
    held->ack_all();
  }
  for (const auto& reader : readers_) {
    reader->close();
  }
  pump();
}

/// Whoever pulls goes on pulling.
void SdkClient::pump() {
  if (engine_->is_over()) {
    return;
  }
  if (!engine_->stands_still()) {
    engine_->look();
    for (const auto& consumer : consumers_) {
      consumer->drain();
    }
  }
  stage_.world.after(kPumpUs, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) {
      pump();
    }
  });
}

bool SdkClient::is_idle() const {
  return standing().empty();
}

std::string SdkClient::standing() const {
  std::string text;
  if (engine_->is_over()) {
    return text;
  }
  text += engine_->connected() ? "" : "a client is not connected; ";
  text += receiving_ == 0 ? "" : "a client receives; ";
  for (const auto& producer : producers_) {
    text += producer->is_idle() ? "" : "a producer of the library waits; ";
  }
  for (const auto& [queue, held] : hands_) {
    text += held->is_idle() ? ""
                            : "a client holds " + std::to_string(held->held()) + " of " + queue +
                                  " and waits for " + std::to_string(held->unanswered()) + "; ";
  }
  return text;
}

void SdkClient::close() {
  if (!engine_->is_over()) {
    stage_.world.report().count("sdk: client closed");
    engine_->look();
    is_closing_ = true;
    engine_->close(engine_->options().drain_timeout());
  }
}

void SdkClient::check_end() {
  for (const auto& producer : producers_) {
    if (!producer->is_idle()) {
      stage_.world.violate("the library ended with messages that it did not answer");
    }
    producer->check_order();
  }
  for (const auto& [queue, held] : hands_) {
    held->ack_all();
    if (!held->is_idle()) {
      stage_.world.violate("the library ended with acks that it did not answer");
    }
  }
  if (receiving_ != 0) {
    stage_.world.violate("the library ended with a receive that it did not answer");
  }
  consumers_.clear();
  readers_.clear();
  producers_.clear();
  hands_.clear();
}

}  // namespace weir::sim
