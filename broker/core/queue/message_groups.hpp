#pragma once

#include "broker/core/queue/touched_batch.hpp"
#include "proto/ids.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace weir::core {

/// Whose turn it is among the groups of a FIFO queue, by their hashes. A group is known as long as
/// a message of it lies behind the queue's cursor and is neither done nor parked: *held* (leased,
/// or on the way to the dead-letter queue), or *waiting* (given back, or set aside since its group
/// was held). While one is held, none that waits may be handed out but to whoever has it.
///
/// Follows from what is known of touched batches, and is stored nowhere. Memory: about 100 bytes a
/// known group, and 16 for each batch in which messages of a group wait.
class MessageGroups {
 public:
  using Batches = std::map<proto::Offset, TouchedBatch>;  // by last offset; those in memory

  /// Where a group goes on when it is free.
  struct Turn {
    proto::TimeMs due = 0;          // not before
    proto::Offset last_offset = 0;  // of the batch
    std::uint32_t first = 0;        // index of the first message that waits
    std::uint64_t group = 0;
    friend auto operator<=>(const Turn&, const Turn&) = default;
  };
  /// Of groups that are free and have something waiting in memory, soonest first.
  [[nodiscard]] const std::set<Turn>& turns() const { return turns_; }
  /// The same of those that go on with what lies in the store alone; it counts as due where it is
  /// not known when it is.
  [[nodiscard]] const std::set<Turn>& cold_turns() const { return cold_turns_; }
  /// No group that is free goes on before this; TouchedBatch::kNever where none is.
  [[nodiscard]] proto::TimeMs next_due() const;
  [[nodiscard]] bool knows(std::uint64_t group) const { return groups_.contains(group); }
  /// Whether it goes on with that message of that batch, and is free.
  [[nodiscard]] bool is_turn_of(std::uint64_t group, proto::Offset last_offset,
                                std::uint32_t index) const;
  /// Whether all of it that is held was handed out by grants from that one on.
  [[nodiscard]] bool is_held_since(std::uint64_t group, proto::GrantId first) const;
  /// Where it goes on though it is held; nullptr when nothing of it waits.
  struct Place {
    proto::Offset last_offset = 0;
    std::uint32_t first = 0;
  };
  [[nodiscard]] const Place* first_waiting(std::uint64_t group) const;
  /// Last offset of the last batch in which something of it is, or was, held; -1 when nothing is.
  [[nodiscard]] proto::Offset last_held(std::uint64_t group) const;
  /// How many of its messages are.
  [[nodiscard]] std::uint32_t held(std::uint64_t group) const;
  [[nodiscard]] std::size_t size() const { return groups_.size(); }
  /// In how many batches something of a group waits, over all groups.
  [[nodiscard]] std::size_t places() const { return places_; }
  /// How many messages wait, but for those of groups that have not got on for long.
  [[nodiscard]] std::uint64_t soon() const { return waiting_ - stuck_waiting_; }

  void hold(std::uint64_t group, proto::Offset last_offset, proto::GrantId grant,
            proto::TimeMs now);
  /// One message less is held.
  void let_go(std::uint64_t group, const Batches& batches);
  /// When a message may be handed out that waits from now on.
  struct Waiting {
    proto::TimeMs due = 0;
    proto::TimeMs now = 0;
  };
  void wait(std::uint64_t group, proto::Offset last_offset, std::uint32_t index,
            const Waiting& from, const Batches& batches);
  /// The message that waits is about to leave; its batch is in memory.
  void stop_waiting(std::uint64_t group, proto::Offset last_offset, std::uint32_t index,
                    const Batches& batches);
  /// The batch is in memory again; it goes from there.
  void came_back(const TouchedBatch& batch, const Batches& batches);
  void went_out(const TouchedBatch& batch);
  /// What has not got on since then does not count as soon(); soft.
  void note_stuck(proto::TimeMs since);
  void clear() { *this = {}; }

 private:
  struct Group {
    std::uint32_t held = 0;
    bool is_stuck = false;
    proto::Offset last_held = -1;
    proto::GrantId oldest_grant;
    proto::TimeMs got_on = 0;     // when something of it was handed out last
    std::uint64_t waiting = 0;    // messages
    std::vector<Place> places{};  // sorted; those before `front` are gone
    std::size_t front = 0;
    proto::TimeMs turn_due = kNoTurn;  // of its entry in turns_, or in cold_turns_
    Place turn_place{};
    bool is_turn_cold = false;

    [[nodiscard]] bool has_waiting() const { return front < places.size(); }
  };
  static constexpr proto::TimeMs kNoTurn = -1;

  void refresh(std::uint64_t hash, Group& group, const Batches& batches,
               proto::TimeMs due_if_cold = 0);
  void set_turn(std::uint64_t hash, Group& group, proto::TimeMs due, Place place, bool is_cold);
  void settle(std::uint64_t hash, Group& group, const Batches& batches);
  void count_waiting(Group& group, std::int64_t more);
  void set_stuck(Group& group, bool is_stuck);
  void remove_place(Group& group, std::size_t at);

  std::unordered_map<std::uint64_t, Group> groups_;
  std::set<Turn> turns_;
  std::set<Turn> cold_turns_;
  std::size_t places_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t stuck_waiting_ = 0;
};

}  // namespace weir::core
