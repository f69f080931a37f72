#pragma once

#include "client/session/consumer_front.hpp"
#include "tests/sim/sim_engine.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace weir::sim {

/// The messages of one queue that an application got from the library, and what it does with them.
class SdkHands {
 public:
  SdkHands(Stage& stage, std::shared_ptr<SimEngine> engine, const Target& queue)
      : stage_(stage), engine_(std::move(engine)), queue_(queue) {}

  [[nodiscard]] const Target& queue() const { return queue_; }
  /// The application got one.
  void take(Delivery delivery);
  /// Settles one of them in some way.
  void step();
  void ack_all();
  /// Nothing is held, and every ack was answered.
  [[nodiscard]] bool is_idle() const { return held_.empty() && unanswered_ == 0; }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] std::size_t unanswered() const { return unanswered_; }

 private:
  void ack(Delivery delivery);
  void settle_by_handle(const std::string& handle);

  Stage& stage_;
  const std::shared_ptr<SimEngine> engine_;
  const Target queue_;
  std::vector<Delivery> held_;
  std::size_t unanswered_ = 0;
};

/// A consumer of the library, fed through a handler or asked for each message.
class SdkConsumer {
 public:
  SdkConsumer(Stage& stage, std::shared_ptr<SimEngine> engine, SdkHands& hands, bool is_push);

  void step();
  /// Takes whatever comes.
  void drain();
  void close();
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  /// It can be left to empty its queue alone.
  [[nodiscard]] bool is_patient() const { return is_patient_ && !is_closed_; }
  [[nodiscard]] const std::string& queue() const { return hands_.queue().name; }

 private:
  void pull();

  Stage& stage_;
  SdkHands& hands_;
  const bool is_push_;
  const bool is_patient_;
  std::shared_ptr<sdk::ConsumerFront> front_;
  bool asks_ = false;
  bool is_closed_ = false;
};

}  // namespace weir::sim
