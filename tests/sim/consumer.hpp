#pragma once

#include "tests/sim/machine.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::sim {

/// Takes messages by subscription and by receive, and settles them in every way there is: in time
/// and late, whole and in part, by range and by handle, with handles that are over or were altered.
class Consumer final : public Machine {
 public:
  using Machine::Machine;
  void step() override;
  /// Adds the queues of subscriptions that it can keep to the end: those with patient leases.
  void add_kept(std::set<std::string>& queues) const;
  /// Acks whatever comes from now on, and subscribes to every queue but these; what it has
  /// subscribed to of these it keeps. With the next connection to every queue.
  void drain(const std::set<std::string>& kept);

  void hear_failed(const proto::SettleFailure& failure) override;
  void hear_settled(std::uint64_t up_to) override;
  void hear_delivery(std::uint32_t alias, const core::Delivery& delivery) override;

 private:
  /// Messages of one grant that the client has not settled yet.
  struct Held {
    core::Delivery delivery;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t alias = 0;
    bool started = false;
    bool extended = false;
  };
  void came_up() override;
  void went_down() override;
  void forget() override { eager_ = kMaxEager; }
  void subscribe(const std::string& queue);
  void unsubscribe();
  void unsubscribe(std::uint32_t alias);
  void change_credit();
  void set_credit(std::uint32_t alias, std::uint32_t window_messages);
  void receive();
  void describe();
  proto::SettleKind some_way_back();
  void work();
  void work_again_on_something_old();
  void settle_when_it_ends(const Held& held);
  void settle_at(proto::TimeMs time, const Held& held, const std::weak_ptr<Link>& link);
  void keep(core::Delivery delivery, std::uint32_t alias);
  proto::SettleRange range_of(const Held& held, proto::SettleKind kind, std::uint32_t value) const;
  /// `soon`: see Link::up().
  void settle(const Held& held, proto::SettleRange range, Op op, bool soon = false);
  /// What is said of one message by its handle, and what the oracle takes it for.
  struct Word {
    core::SettleByHandle command;
    std::uint64_t nonce = 0;  // of its grant
    proto::QueueId queue;
    proto::SettleRange range;
    bool must_fail = false;
  };
  Word word_of(const Held& held, proto::SettleRange range, bool damaged);
  void tell_oracle(Word& word, proto::SessionId session, std::uint64_t request);
  void check(const Word& word, bool is_done);
  void settle_by_handle(Word said, Op op);
  void settle_by_handles(std::vector<Word> said);
  /// Something about a message that it held once, altered in half of the cases.
  struct OldWord {
    Held held;
    proto::SettleRange range;
    bool is_altered = false;
    bool damaged = false;
  };
  OldWord something_old(bool by_handle);
  void finish(Held held);

  std::vector<Held> held_;
  std::deque<Held> old_;  // settled, or left to expire
  /// Operations that go to what it held last, on a connection that is gone. Where the disk has lied
  /// the broker has lost it, which the client cannot know.
  std::uint32_t eager_ = 0;
  static constexpr std::uint32_t kMaxEager = 10;
  struct Subscription {
    std::string queue;
    bool patient = false;
  };
  std::map<std::uint32_t, Subscription> subscriptions_;
  std::uint32_t last_alias_ = 0;
  struct Settling {
    Op op = Op::kAck;
    std::int64_t asked_us = 0;
    Outcome outcome = kDone;
  };
  std::map<std::uint64_t, Settling> settling_;
  std::uint64_t last_settle_ = 0;
  bool draining_ = false;
};

}  // namespace weir::sim
