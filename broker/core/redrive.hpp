#pragma once

#include "broker/core/header_changes.hpp"
#include "broker/core/message_filter.hpp"
#include "proto/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The way back of messages that nobody could handle: a task of a queue, as durable as the messages
// that it moves. Each of its steps is one unit with what it moves.
namespace weir::core {

/// Numbers are part of the format on disk.
enum class RedriveState : std::uint8_t {
  kRunning = 1,
  kDone = 2,
  kCancelled = 3,
  kFailed = 4,
};

/// What was asked, and how far it has come.
struct Redrive {
  proto::QueueId source;
  std::uint32_t generation = 0;    // of the source, when it began
  proto::QueueId target;           // 0: to where each message died
  bool parked = false;             // the queue's own parked messages become ready instead
  bool dry_run = false;            // counts, and changes nothing
  bool drop = false;               // the messages are gone, and come to no other queue
  bool keep_attempts = false;      // what is told of their attempts goes with them
  std::uint64_t max_messages = 0;  // 0: all
  std::uint64_t rate = 0;          // messages a second at most; 0: no bound
  MessageFilter filter;
  HeaderChanges headers;       // on the way
  proto::Offset position = 0;  // everything before was looked at
  proto::Offset end = 0;       // of its lane what comes from here on is not part of it
  std::vector<proto::Offset> further_ends = {};  // of the lanes behind that, in their order
  std::uint64_t moved = 0;                       // made ready or dropped
  std::uint64_t skipped = 0;                     // in somebody's hands, or without a queue to go to
  proto::TimeMs begun_time = 0;
  proto::TimeMs ended_time = 0;
  proto::TimeMs second_time = 0;  // when the second began in which it moved last
  std::uint64_t moved_in_second = 0;
  RedriveState state = RedriveState::kRunning;
  std::string why;  // it ended before all was done
  friend bool operator==(const Redrive&, const Redrive&) = default;

  [[nodiscard]] bool is_running() const { return state == RedriveState::kRunning; }
  /// Its messages come to another queue.
  [[nodiscard]] bool moves() const { return !parked && !drop; }
  [[nodiscard]] bool is_complete() const {
    return (position >= end && further_ends.empty()) ||
           (max_messages != 0 && moved >= max_messages);
  }
  /// The lane that it is in is done: on to the next one.
  void enter_next_lane();
  /// When it may move the next message.
  [[nodiscard]] proto::TimeMs next_time() const;
  /// How many messages it may move at once.
  [[nodiscard]] std::uint64_t allowance(proto::TimeMs now) const;
  /// Another so many were moved.
  void note_moved(std::uint64_t messages, proto::TimeMs now);
  void finish(RedriveState how, std::string because, proto::TimeMs now);
};

/// The newest redrive of each queue that had one.
class Redrives {
 public:
  [[nodiscard]] const Redrive* find(proto::QueueId source) const;
  [[nodiscard]] const std::set<proto::QueueId>& running() const { return running_; }
  void set(Redrive redrive);
  /// False when there was none.
  bool remove(proto::QueueId source);

 private:
  std::map<proto::QueueId, Redrive> redrives_;  // by source
  std::set<proto::QueueId> running_;
};

}  // namespace weir::core
