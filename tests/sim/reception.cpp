#include "tests/sim/reception.hpp"

#include "tests/sim/told_door.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sim {

/// The broker's end of one cable, and the machine behind it.
class SimConnection final : public net::Wire,
                            public CableUser,
                            public std::enable_shared_from_this<SimConnection> {
 public:
  SimConnection(Stage& stage, Reception& reception, std::uint64_t id, std::shared_ptr<Cable> cable)
      : stage_(stage),
        reception_(reception),
        id_(id),
        cable_(std::move(cable)),
        surroundings_(reception.surroundings_) {
    auto door = std::make_unique<ToldDoor>(stage);
    door_ = door.get();
    machine_.emplace(*this, std::move(door), surroundings_);
    cable_->attach(Cable::Side::kBroker, *this);
  }

  net::ConnectionMachine& machine() { return *machine_; }
  void forget_shard() { door_->forget(); }

  void close() {
    if (!std::exchange(is_closed_, true)) {
      cable_->leave(Cable::Side::kBroker);
      machine_->close();
    }
  }

  // ---- the cable
  void on_readable() override {
    if (!std::exchange(is_reading_, true)) {
      soon([this] { read(); });
    }
  }
  void on_writable() override {
    if (!is_closed_ && is_blocked_) {
      is_blocked_ = false;
      push();
    }
  }

  // ---- the machine
  void write() override {
    if (is_writing_ || is_closed_) {
      return;
    }
    pending_ = machine_->to_write(kMaxViews);
    if (!pending_.empty()) {
      is_writing_ = true;
      push();
    } else if (machine_->has_said_all() && !std::exchange(has_sent_end_, true)) {
      cable_->end_output(Cable::Side::kBroker);
    }
  }
  void end_soon(std::string_view why) override {
    soon([this, why = std::string(why)] {
      stage_.world.report().count("wire: the broker closes, " + why);
      close();
      reception_.remove(id_);
    });
  }
  void on_goodbye(const proto::Error& why) override {
    stage_.world.report().count("wire: goodbye, " + std::string(proto::name(why.code)));
    if (why.code == proto::Errc::kMalformed) {
      stage_.world.violate("the library is malformed: " + why.to_string());
    }
  }

 private:
  static constexpr std::size_t kMaxViews = 8;

  template <class Event>
  void soon(Event event) {
    stage_.world.after(stage_.world.rng().skewed(100),
                       [self = shared_from_this(), event = std::move(event)] {
                         self->stage_.host.reach([self, event] {
                           if (!self->is_closed_) {
                             event();
                           }
                         });
                       });
  }

  void read() {
    is_reading_ = false;
    if (cable_->at_end(Cable::Side::kBroker)) {
      close();
      reception_.remove(id_);
      return;
    }
    const std::span<char> room = machine_->room();
    const std::size_t bytes = cable_->read(Cable::Side::kBroker, room);
    if (bytes == 0) {
      return;
    }
    machine_->on_read(bytes);
    on_readable();
  }

  /// Writes what is pending; what is taken counts as written a little later.
  void push() {
    std::size_t taken = 0;
    for (const std::string_view view : pending_) {
      const std::size_t some = cable_->write(Cable::Side::kBroker, view);
      taken += some;
      if (some < view.size()) {
        break;
      }
    }
    if (taken == 0) {
      is_blocked_ = true;
      return;
    }
    soon([this, taken] {
      is_writing_ = false;
      machine_->on_written(taken);
      write();
    });
  }

  Stage& stage_;
  Reception& reception_;
  const std::uint64_t id_;
  const std::shared_ptr<Cable> cable_;
  const net::ConnectionSurroundings surroundings_;  // with the budget of its process
  ToldDoor* door_ = nullptr;                        // the machine's
  std::optional<net::ConnectionMachine> machine_;
  std::vector<std::string_view> pending_;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_blocked_ = false;
  bool has_sent_end_ = false;
  bool is_closed_ = false;
};

Reception::Reception(Stage& stage) : stage_(stage) {
  surroundings_.uuid = [&world = stage_.world] {
    core::Uuid uuid{};
    for (auto& byte : uuid) {
      byte = static_cast<std::uint8_t>(world.rng().below(256));
    }
    return uuid;
  };
  surroundings_.now = [&host = stage_.host] { return host.mono_ms(); };
}

Reception::~Reception() {
  broker_gone(true);
}

bool Reception::accept(const std::shared_ptr<Cable>& cable) {
  if (!stage_.host.is_open() || is_draining_) {
    return false;
  }
  if (!stall_watch_) {
    surroundings_.budget = std::make_shared<net::SendBudget>(stage_.options.send_budget_bytes);
    stall_watch_.emplace(stage_.host.mono_ms());
    tick();
  }
  const std::uint64_t id = ++last_;
  connections_.emplace(id, std::make_shared<SimConnection>(stage_, *this, id, cable));
  return true;
}

void Reception::tick() {
  const net::MonoMs now = stage_.host.mono_ms();
  const net::MonoMs lost = stall_watch_->on_tick(now, net::TickRound::kRoundMs);
  for (const auto& [id, connection] : connections_) {
    if (lost > 0) {
      connection->machine().on_stall(lost);
    }
    connection->machine().tick(now);
  }
  check_budget();
  later(net::TickRound::kRoundMs * 1000, [this] { tick(); });
}

/// Each connection shares the budget, up to the end of its machine.
void Reception::check_budget() {
  if (surroundings_.budget.use_count() == 1 && surroundings_.budget->used_bytes() != 0) {
    stage_.world.violate("no connection is left, and they keep " +
                         std::to_string(surroundings_.budget->used_bytes()) +
                         " bytes of the send budget");
  }
}

void Reception::remove(std::uint64_t connection) {
  connections_.erase(connection);
}

void Reception::drain(std::uint32_t drain_ms) {
  if (!stage_.host.is_open() || std::exchange(is_draining_, true)) {
    return;
  }
  stage_.world.report().count("fault: the broker drains and ends");
  for (const auto& [id, connection] : connections_) {
    connection->machine().drain(drain_ms);
  }
  later(std::int64_t{drain_ms} * 1000, [this] {
    for (const auto& [id, connection] : connections_) {
      connection->machine().say_goodbye(proto::make_error(proto::Errc::kShuttingDown));
    }
    later(stage_.world.rng().skewed(50'000), [this] { stage_.host.crash(); });
  });
}

/// In the same life of the process, unless that stands still: then when it goes on.
void Reception::later(std::int64_t delay_us, std::function<void()> event) {
  stage_.world.after(delay_us, [this, life = life_, event = std::move(event)] {
    stage_.host.reach([this, life, event] {
      if (life == life_) {
        event();
      }
    });
  });
}

void Reception::broker_gone(bool process) {
  for (const auto& [id, connection] : connections_) {
    connection->forget_shard();
    connection->close();
  }
  connections_.clear();
  if (process) {
    ++life_;
    is_draining_ = false;
    stall_watch_.reset();
  }
}

}  // namespace weir::sim
