#include "tests/sim/sim_engine.hpp"

#include "client/core/address.hpp"
#include "proto/limits.hpp"
#include "tests/sim/cable.hpp"
#include "tests/sim/reception.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

namespace weir::sim {
namespace {

// When a client's clock began to count.
constexpr std::chrono::milliseconds kEpoch{1'700'000'000'000};
constexpr std::int64_t kMillion = 1'000'000;

}  // namespace

/// A link over a cable.
class SimLink final : public sdk::Link {
 public:
  SimLink(SimEngine& engine, sdk::LinkEvents& events) : engine_(engine), events_(events) {}
  ~SimLink() override { end_connection(); }

  void connect(const sdk::HostPort& host) override;
  void close() override {
    end_connection();
    outbox().clear();
  }
  bool flush() override;
  void read_on() override;

  [[nodiscard]] std::shared_ptr<Cable> cable() const {
    return connection_ ? connection_->cable : nullptr;
  }

 private:
  struct Connection final : public CableUser, public std::enable_shared_from_this<Connection> {
    explicit Connection(SimLink& owner) : link(owner) {}
    void on_readable() override {
      if (is_open && reads) {
        later([](SimLink& of) { of.read(); });
      }
    }
    void on_writable() override {
      later([](SimLink& of) { of.write_on(); });
    }
    /// Runs it soon, once the process has a processor, if the connection is still the link's.
    template <class Event>
    void later(Event event);

    SimLink& link;
    std::shared_ptr<Cable> cable;
    proto::FrameReader reader{proto::kMaxFrameBytes};
    bool is_open = false;
    bool reads = false;
    bool has_more = false;       // the last read filled its room
    bool waits_to_read = false;  // until read_on()
    bool waits_to_write = false;
  };

  void reach_broker();
  void on_connected();
  void read();
  void write_on();
  void break_off(proto::Error why);
  void end_connection();

  SimEngine& engine_;
  sdk::LinkEvents& events_;
  std::shared_ptr<Connection> connection_;
};

template <class Event>
void SimLink::Connection::later(Event event) {
  Stage& stage = link.engine_.stage_;
  const std::int64_t still =
      std::max<std::int64_t>(link.engine_.still_until_us_ - stage.world.now_us(), 0);
  stage.world.after(still + stage.world.rng().skewed(100), [self = weak_from_this(), event] {
    const auto connection = self.lock();
    if (!connection || connection->link.connection_ != connection) {
      return;
    }
    SimLink& of = connection->link;
    if (of.engine_.stands_still()) {
      connection->later(event);
      return;
    }
    const std::shared_ptr<sdk::Engine> alive = of.engine_.shared_from_this();
    of.engine_.look();
    event(of);
    of.engine_.wake();
  });
}

void SimLink::connect(const sdk::HostPort&) {
  end_connection();
  connection_ = std::make_shared<Connection>(*this);
  Stage& stage = engine_.stage_;
  if (!stage.healed && stage.world.rng().per_mille(stage.options.lost_connect_per_mille)) {
    stage.world.report().count("fault: a connect is lost");
    return;
  }
  connection_->later([](SimLink& of) { of.reach_broker(); });
}

void SimLink::reach_broker() {
  Stage& stage = engine_.stage_;
  Cable::Options options;
  options.delay_us = stage.options.link_us;
  options.room_bytes = stage.options.wire_room_bytes;
  options.crumbles = stage.world.rng().per_mille(stage.options.crumble_per_mille);
  if (!stage.healed && stage.world.rng().per_mille(stage.options.ghost_per_mille)) {
    // Twice as the broker sees it: nobody will ever speak on the other one.
    stage.world.report().count("fault: a connect is doubled");
    (void)engine_.reception_.accept(std::make_shared<Cable>(stage.world, options));
  }
  const auto cable = std::make_shared<Cable>(stage.world, options);
  if (!engine_.reception_.accept(cable)) {
    break_off(proto::make_error(proto::Errc::kConnectFailed, "nobody listens"));
    return;
  }
  connection_->cable = cable;
  cable->attach(Cable::Side::kClient, *connection_);
  connection_->later([](SimLink& of) { of.on_connected(); });
}

void SimLink::on_connected() {
  engine_.stage_.world.report().count("wire: connected");
  connection_->is_open = true;
  connection_->reads = true;
  events_.on_connected();
  if (connection_) {
    connection_->on_readable();
  }
}

void SimLink::read() {
  const std::shared_ptr<Connection> connection = connection_;
  if (!connection->reads) {
    return;
  }
  if (connection->cable->at_end(Cable::Side::kClient)) {
    break_off(proto::make_error(proto::Errc::kConnectFailed, "lost"));
    return;
  }
  const std::span<char> room = connection->reader.prepare();
  const std::size_t bytes = connection->cable->read(Cable::Side::kClient, room);
  if (bytes == 0) {
    return;
  }
  connection->reads = false;
  connection->reader.commit(bytes);
  connection->has_more = bytes == room.size();
  events_.on_bytes();
  const proto::Result<> taken = sdk::hand_frames(
      connection->reader, events_, [this, &connection] { return connection == connection_; });
  if (connection != connection_) {
    return;
  }
  if (!taken) {
    if (taken.error().code == proto::Errc::kMalformed) {
      engine_.stage_.world.violate("the library holds the broker for malformed: " +
                                   taken.error().to_string());
    }
    break_off(taken.error());
    return;
  }
  connection->waits_to_read = true;
  if (connection->has_more) {
    read_on();
  }
}

void SimLink::read_on() {
  if (connection_ && std::exchange(connection_->waits_to_read, false)) {
    connection_->reads = true;
    connection_->on_readable();
  }
}

bool SimLink::flush() {
  if (!connection_ || !connection_->is_open || connection_->waits_to_write) {
    return outbox().empty();
  }
  while (!outbox().empty()) {
    std::array<std::string_view, 4> pieces;
    const std::size_t count = outbox().gather(pieces);
    std::size_t sent = 0;
    bool is_full = false;
    for (std::size_t i = 0; i < count && !is_full; ++i) {
      const std::size_t some = connection_->cable->write(Cable::Side::kClient, pieces[i]);
      sent += some;
      is_full = some < pieces[i].size();
    }
    outbox().consume(sent);
    if (is_full) {
      connection_->waits_to_write = true;
      return false;
    }
  }
  return true;
}

void SimLink::write_on() {
  connection_->waits_to_write = false;
  flush();
  events_.on_written();
}

void SimLink::break_off(proto::Error why) {
  close();
  events_.on_broken(std::move(why));
}

void SimLink::end_connection() {
  if (connection_ && connection_->cable) {
    connection_->cable->leave(Cable::Side::kClient);
  }
  connection_.reset();
}

// ---- the engine

SimEngine::SimEngine(Stage& stage, Reception& reception, ClientOptions options)
    : Engine(std::move(options), sdk::parse_address("weir://broker").value(), sdk::Clock(time),
             stage.world.rng().next()),
      stage_(stage),
      reception_(reception),
      rate_ppm_(kMillion + stage.world.rng().between(-500, 500)) {}

SimEngine::~SimEngine() = default;

std::shared_ptr<SimEngine> SimEngine::start(Stage& stage, Reception& reception,
                                            ClientOptions options) {
  const std::shared_ptr<SimEngine> engine(new SimEngine(stage, reception, std::move(options)));
  engine->look();
  engine->begin([&engine](sdk::LinkEvents& events) {
    auto link = std::make_unique<SimLink>(*engine, events);
    engine->link_ = link.get();
    return link;
  });
  engine->wake();
  return engine;
}

void SimEngine::look() {
  const std::int64_t us = stage_.world.now_us() * rate_ppm_ / kMillion;
  time = std::max(time, sdk::TimePoint(kEpoch + std::chrono::microseconds(us)));
}

void SimEngine::stand_still(std::int64_t us) {
  still_until_us_ = std::max(still_until_us_, stage_.world.now_us() + us);
}

std::shared_ptr<Cable> SimEngine::cable() const {
  return link_ == nullptr ? nullptr : link_->cable();
}

void SimEngine::wake() {
  plan(stage_.world.rng().skewed(100));
}

void SimEngine::plan(std::int64_t delay_us) {
  const std::int64_t when = stage_.world.now_us() + delay_us;
  if (is_over_ || (planned_us_ && *planned_us_ <= when)) {
    return;
  }
  planned_us_ = when;
  stage_.world.after(delay_us, [self = weak_from_this(), this, when] {
    const auto alive = self.lock();
    if (alive && planned_us_ == when) {
      planned_us_.reset();
      turn();
    }
  });
}

void SimEngine::turn() {
  if (stands_still()) {
    plan(still_until_us_ - stage_.world.now_us());
    return;
  }
  look();
  const Turn done = take_turn();
  if (done.is_last) {
    end();
  } else if (done.must_hurry) {
    plan(1 + stage_.world.rng().skewed(20));
  } else if (done.deadline && *done.deadline != sdk::TimePoint::max()) {
    const auto left = std::chrono::ceil<std::chrono::microseconds>(*done.deadline - time).count();
    plan(std::max<std::int64_t>(left, 0) + 1);
  }
}

void SimEngine::die() {
  if (!is_over_) {
    look();
    end();
  }
}

void SimEngine::end() {
  is_over_ = true;
  planned_us_.reset();
  link_ = nullptr;
  finish();
}

}  // namespace weir::sim
