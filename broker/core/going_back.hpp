#pragma once

#include "broker/core/queue/queue.hpp"
#include "broker/core/record.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <unordered_set>

// What is decided alike of messages that go back, whoever gives them back.
namespace weir::core {

[[nodiscard]] MessageRange range_of(const Queue& queue, const TouchedBatch& batch,
                                    std::uint32_t first, std::uint32_t count);

/// When messages of the run may be handed out again by their queue's policy, which takes its chance
/// from `random`: another one for each `place`.
[[nodiscard]] proto::TimeMs due_by_policy(const Queue& queue, const Run& run, std::uint32_t place,
                                          proto::TimeMs now, std::uint64_t random);

/// Of messages that are to go back, those that do for what is said of them: in a FIFO queue the
/// first of each group, since those behind it go back with it whatever was said.
class GoingBack {
 public:
  explicit GoingBack(const Queue& queue) : is_fifo_(queue.is_fifo()) {}
  /// Calls `back` for ranges of the live messages from `first` to `end`.
  template <class Back>
  void for_each(const TouchedBatch& batch, std::uint32_t first, std::uint32_t end, Back back) {
    if (!is_fifo_) {
      back(first, end);
      return;
    }
    std::uint32_t begin = first;
    std::uint32_t next = first;  // behind those that go
    for (std::uint32_t i = batch.next_live(first, end); i < end; i = batch.next_live(i + 1, end)) {
      if (!seen_.insert(batch.group_of(i)).second) {
        continue;
      }
      if (next != i && begin < next) {
        back(begin, next);
      }
      begin = next == i ? begin : i;
      next = i + 1;
    }
    if (begin < next) {
      back(begin, next);
    }
  }

 private:
  bool is_fifo_;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace weir::core
