#pragma once

#include "tests/sim/machine.hpp"

#include <vector>

namespace weir::sim {

/// Creates what the seed plays with, before any fault.
class Setup final : public Machine {
 public:
  using Machine::Machine;
  void step() override {}
  [[nodiscard]] bool done() const { return left_ == 0; }
  [[nodiscard]] const std::vector<Target>& targets() const { return targets_; }
  void leave() { stage_.network.leave(link_); }

 private:
  void came_up() override;
  void went_down() override {}
  void hear_cut() override { link_ = nullptr; }
  void create_queue(const std::string& name, const std::string& dead_letter_queue);
  void create_topic(const std::string& name);

  std::vector<Target> targets_;
  std::uint32_t left_ = 1;
};

}  // namespace weir::sim
