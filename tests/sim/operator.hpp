#pragma once

#include "tests/sim/machine.hpp"

#include <set>
#include <string>

namespace weir::sim {

/// Somebody who administers the queues that others work on: pauses and resumes them, purges them,
/// begins and cancels redrives, looks at messages, cancels what is put off or puts it off anew, and
/// makes and deletes a queue of his own.
class Operator final : public Machine {
 public:
  using Machine::Machine;
  void step() override;
  /// Nothing stays paused, and no redrive takes its time.
  void heal();

 private:
  void came_up() override;
  void went_down() override {}
  void pause(const Target& target, bool receives, bool sends, bool pauses);
  void purge(const Target& target);
  void change_delayed(const Target& target);
  void look(const Target& target);
  void make_or_delete_scratch();
  void redrive();
  void begin_redrive(const Target& source);
  void begin_senseless_redrive(const Target& source);
  void cancel_redrive(const Target& source);
  void list_redrives();
  core::MessageFilter some_filter();

  std::set<std::string> slow_;  // sources of redrives with a rate
};

}  // namespace weir::sim
