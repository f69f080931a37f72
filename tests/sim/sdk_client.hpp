#pragma once

#include "tests/sim/reception.hpp"
#include "tests/sim/sdk_consumer.hpp"
#include "tests/sim/sdk_producer.hpp"
#include "tests/sim/sdk_reader.hpp"
#include "tests/sim/sim_engine.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::sim {

/// An application with the library in it, over the real protocol: it sends, consumes, reads and
/// receives, closes and begins anew, and its connection and its process suffer what can befall
/// them.
class SdkClient {
 public:
  SdkClient(Stage& stage, Reception& reception);
  ~SdkClient();

  void begin();
  /// One operation of its own choice.
  void step();
  /// One fault of its connection or process.
  void befall();
  /// From now on: everything is acked, nothing new is begun.
  void heal();
  /// Adds the queues of consumers that can be left to empty them.
  void add_kept(std::set<std::string>& queues) const;
  /// Takes out the queues of consumers that may for ever be too slow for their leases.
  void remove_hasty(std::set<std::string>& queues) const;
  /// Connected, with nothing unanswered.
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] std::string standing() const;
  /// Asks the library to close; is_over() once it has.
  void close();
  [[nodiscard]] bool is_over() const { return engine_->is_over(); }
  /// What must hold once it is over.
  void check_end();

 private:
  SdkHands& hands(const Target& queue);
  const Target& pick(bool topic);
  void open_something();
  void receive();
  void drain();
  void pump();

  Stage& stage_;
  Reception& reception_;
  std::shared_ptr<SimEngine> engine_;
  std::vector<std::unique_ptr<SdkProducer>> producers_;
  std::vector<std::unique_ptr<SdkConsumer>> consumers_;
  std::vector<std::unique_ptr<SdkReader>> readers_;
  std::map<std::string, std::unique_ptr<SdkHands>> hands_;
  std::size_t receiving_ = 0;
  bool is_closing_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::sim
