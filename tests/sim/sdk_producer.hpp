#pragma once

#include "client/session/producer_front.hpp"
#include "tests/sim/sim_engine.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

namespace weir::sim {

/// A producer of the library: each message that it takes is answered once, and truly.
class SdkProducer {
 public:
  SdkProducer(Stage& stage, std::shared_ptr<SimEngine> engine, const Target& target);

  /// Sends some messages.
  void step();
  void close();
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  /// Every message that was taken is answered.
  [[nodiscard]] bool is_idle() const { return open_ == 0; }
  /// All that was stored lies in the order of the calls.
  void check_order() const;

 private:
  struct Sent {
    MessageNumber message = 0;
    int answers = 0;
  };
  void send_one();
  void hear(Sent& sent, const Result<SendReceipt>& result);

  Stage& stage_;
  const std::shared_ptr<SimEngine> engine_;
  const Target target_;
  const std::chrono::milliseconds timeout_;
  std::shared_ptr<sdk::ProducerFront> front_;
  std::vector<std::shared_ptr<Sent>> sent_;
  std::stop_source stop_;  // of some of the sends
  std::size_t open_ = 0;
  bool is_closed_ = false;
};

}  // namespace weir::sim
