#pragma once

#include "tests/sim/machine.hpp"

#include <cstdint>

namespace weir::sim {

/// Reads topics from the start, the end, an offset or a time, gives credit back late, and begins
/// again somewhere else now and then.
class Reader final : public Machine {
 public:
  using Machine::Machine;
  void step() override;
  void hear_topic_batch(const shard::TopicBatch& batch) override;

 private:
  void came_up() override {}
  void went_down() override { alias_ = 0; }
  void subscribe();
  void give_credit();
  void list_offsets();

  std::uint32_t alias_ = 0;  // 0: none
  std::uint32_t last_alias_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  proto::Offset seen_ = 0;
};

}  // namespace weir::sim
