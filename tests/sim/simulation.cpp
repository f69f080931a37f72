#include "tests/sim/simulation.hpp"

#include "proto/limits.hpp"
#include "tests/sim/broker_host.hpp"
#include "tests/sim/consumer.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/operator.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/producer.hpp"
#include "tests/sim/reader.hpp"
#include "tests/sim/reception.hpp"
#include "tests/sim/sdk_client.hpp"
#include "tests/sim/setup.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::sim {
namespace {

/// Virtual time after the last fault in which everything must come to rest.
constexpr std::int64_t kDrainUs = 30'000'000;
/// And where there are clients that find out by silence alone that a connection is dead.
constexpr std::int64_t kDrainWithLibraryUs = 120'000'000;
/// And longer where what was begun before comes again ten times a second at least, and not much
/// more often.
constexpr std::int64_t kDrainInBudgetUs = 240'000'000;
constexpr std::int64_t kSetupUs = 60'000'000;
/// More than any client waits for what is under way when it closes.
constexpr std::int64_t kCloseUs = 10'000'000;
/// While the broker or its disk stands still the steps go on, but not all of them.
constexpr std::int64_t kStepsInAStall = 30;

constexpr std::int64_t kMostSlowSyncUs = 30'000'000;
constexpr std::int64_t kMostSlowLoadUs = 5'000'000;
constexpr std::int64_t kMostStallMs = 60'000;
constexpr std::int64_t kMostWallMs = 3'600'000;
constexpr std::int64_t kMostLies = 8;

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Options& options, Telling telling)
      // Apart from the draw of the options, so that one that is overridden leaves the rest alone.
      : world_(Rng(seed).next() ^ Rng(options.salt).next(), telling),
        options_(options),
        host_(world_, options_),
        oracle_(world_, host_),
        network_(world_, host_, oracle_, options_),
        stage_{world_, host_, oracle_, network_, options_, {}, false},
        reception_(stage_) {}

  RunResult run() {
    host_.start({.lost = [this](const Loss& loss) { lose(loss); },
                 .before_false_word = [this](std::size_t lies) { remember(lies); },
                 .all_answered = [this] { oracle_.expect_all_answered(); }});
    set_up();
    for (std::uint32_t i = 0; i < options_.steps && !world_.violation(); ++i) {
      const std::int64_t slow = host_.waits_us() / kStepsInAStall;
      run_until(world_.now_us() + 1 + world_.rng().skewed(options_.step_us * 2) + slow);
      befall();
      if (!world_.violation()) {
        step();
        world_.report().count("steps");
      }
    }
    heal();
    host_.check_replica();
    host_.count_work();
    for (const std::string& what : world_.report().coverage().contradictions()) {
      world_.violate("what cannot be has happened: " + what);
    }
    world_.fold(host_.store().digest());
    return {world_.report(), world_.digest(), options_, world_.violation(), world_.events()};
  }

 private:
  void lose(const Loss& loss) {
    if (loss.true_lies) {
      oracle_.disk_lost(remembered_.at(*loss.true_lies));
    } else {
      oracle_.broker_lost();
    }
    remembered_.clear();
    network_.broker_gone();
    reception_.broker_gone(loss.process);
    if (loss.true_lies) {
      for (Machine* machine : machines_) {
        machine->begin_anew();
      }
      if (operator_ != nullptr) {
        operator_->begin_anew();
      }
    }
  }

  /// What is known when so many lies have been told.
  void remember(std::size_t lies) {
    while (remembered_.size() > lies) {
      remembered_.pop_back();
    }
    remembered_.push_back(oracle_);
  }

  void run_until(std::int64_t time) {
    bool reached = false;
    world_.after(time - world_.now_us(), [&reached] { reached = true; });
    while (!reached && world_.run_one()) {
    }
  }

  void step() {
    if (operator_ != nullptr && world_.rng().per_mille(options_.operator_per_mille)) {
      operator_->step();
      return;
    }
    if (!clients_.empty() && world_.rng().per_mille(options_.sdk_per_mille)) {
      world_.rng().pick(clients_)->step();
    } else {
      world_.rng().pick(machines_)->step();
    }
  }

  void set_up() {
    Setup setup(stage_);
    setup.connect();
    const std::int64_t end = world_.now_us() + kSetupUs;
    while (!setup.done() && world_.now_us() < end && world_.run_one()) {
    }
    if (!setup.done()) {
      world_.violate("queues and topics could not be created");
    }
    stage_.targets = setup.targets();
    setup.leave();
    run_until(world_.now_us() + 2'000'000);
    for (std::uint32_t i = 0; i < options_.producers; ++i) {
      producers_.push_back(std::make_unique<Producer>(stage_));
      machines_.push_back(producers_.back().get());
    }
    for (std::uint32_t i = 0; i < options_.consumers; ++i) {
      consumers_.push_back(std::make_unique<Consumer>(stage_));
      machines_.push_back(consumers_.back().get());
      machines_.push_back(consumers_.back().get());  // they have more to do
    }
    for (std::uint32_t i = 0; options_.topics > 0 && i < options_.readers; ++i) {
      readers_.push_back(std::make_unique<Reader>(stage_));
      machines_.push_back(readers_.back().get());
    }
    if (options_.operator_per_mille > 0) {
      operator_ = std::make_unique<Operator>(stage_);
      operator_->connect();
    }
    for (Machine* machine : machines_) {
      machine->connect();
    }
    for (std::uint32_t i = 0; i < options_.sdk_clients; ++i) {
      clients_.push_back(std::make_unique<SdkClient>(stage_, reception_));
      clients_.back()->begin();
    }
  }

  void befall() {
    Rng& rng = world_.rng();
    if (rng.per_mille(options_.cut_per_mille)) {
      rng.pick(machines_)->cut();
      if (operator_ != nullptr && rng.per_mille(100)) {
        operator_->cut();
      }
    }
    if (rng.per_mille(options_.crash_per_mille)) {
      host_.crash();
    }
    if (rng.per_mille(options_.stop_per_mille)) {
      host_.stop();
    }
    if (rng.per_mille(options_.reset_per_mille)) {
      host_.reset();
    }
    if (rng.per_mille(options_.stall_per_mille)) {
      host_.stall(rng.between(1100, rng.per_mille(200) ? kMostStallMs : 5000));
    }
    if (rng.per_mille(options_.wall_clock_per_mille)) {
      host_.move_wall(rng.between(-kMostWallMs, kMostWallMs));
    }
    if (rng.per_mille(options_.refuse_per_mille)) {
      host_.refuse_sends(rng.between(1000, 100'000));
    }
    if (rng.per_mille(options_.replica_restart_per_mille)) {
      host_.restart_replica();
    }
    if (!clients_.empty() && rng.per_mille(options_.sdk_fault_per_mille)) {
      rng.pick(clients_)->befall();
    }
    if (rng.per_mille(options_.drain_per_mille)) {
      reception_.drain(static_cast<std::uint32_t>(rng.between(1, 500)));
    }
    if (rng.per_mille(options_.quiet_per_mille)) {
      world_.report().count("fault: nothing happens for a while");
      run_until(world_.now_us() + rng.between(1'000'000, 40'000'000));
    }
    befall_disk(rng, host_.disk());
    if (rng.per_mille(3)) {
      check_when_idle();
    }
  }

  void befall_disk(Rng& rng, DiskFaults& disk) {
    if (rng.per_mille(options_.failed_sync_per_mille)) {
      disk.next_sync_fails = true;
    }
    if (rng.per_mille(options_.slow_sync_per_mille)) {
      disk.next_sync_us = rng.skewed(kMostSlowSyncUs);
    }
    if (rng.per_mille(options_.lying_sync_per_mille)) {
      disk.lies = static_cast<std::uint32_t>(rng.between(1, kMostLies));
      if (rng.per_mille(700)) {  // a lie comes to light only where the power fails soon
        world_.after(rng.skewed(options_.commit_us * 2 * disk.lies), [this] {
          if (!stage_.healed) {
            host_.crash();
          }
        });
      }
    }
    if (rng.per_mille(options_.failed_load_per_mille)) {
      disk.next_load_fails = true;
    }
    if (rng.per_mille(options_.slow_load_per_mille)) {
      disk.next_load_us = rng.skewed(kMostSlowLoadUs);
    }
  }

  void check_when_idle() {
    if (host_.shard() != nullptr) {
      host_.shard()->when_idle([this] { standing_ = oracle_.check_ledger(*host_.shard()); });
    }
  }

  /// No more faults: everything must end acked, parked or dead-lettered, and every word must hold.
  void heal() {
    stage_.healed = true;
    host_.heal();
    if (operator_ != nullptr) {
      operator_->heal();
    }
    // These are left to whoever has subscribed to them: a place in a window that does not come back
    // is seen where it is missing.
    std::set<std::string> kept;
    for (const auto& consumer : consumers_) {
      consumer->add_kept(kept);
    }
    for (const auto& client : clients_) {
      client->add_kept(kept);
    }
    for (const auto& client : clients_) {
      client->remove_hasty(kept);
    }
    remove_long(kept);
    for (const auto& consumer : consumers_) {
      consumer->drain(kept);
    }
    for (const auto& client : clients_) {
      client->heal();
    }
    run_until(world_.now_us() + host_.waits_us());
    const std::int64_t begin = world_.now_us();
    const bool has_budget = options_.budget_percent < proto::kMaxRedeliveryBudgetPercent;
    const std::int64_t most_us =
        (clients_.empty() ? kDrainUs : kDrainWithLibraryUs) + (has_budget ? kDrainInBudgetUs : 0);
    bool at_rest = false;
    while (!at_rest && !world_.violation()) {
      if (world_.now_us() > begin + most_us) {
        world_.violate("this does not come to rest; " + standing());
        return;
      }
      run_until(world_.now_us() + 500'000);
      standing_.drained = false;
      check_when_idle();
      run_until(world_.now_us() + 500'000);
      at_rest = standing_.drained;
      for (const auto& producer : producers_) {
        at_rest = at_rest && producer->is_idle();
      }
      for (const auto& client : clients_) {
        at_rest = at_rest && client->is_idle();
      }
    }
    world_.report().highest("virtual ms from the last fault to rest",
                            static_cast<std::uint64_t>((world_.now_us() - begin) / 1000));
    world_.report().count("messages parked at the end", standing_.parked);
    if (!world_.violation() && !readers_.empty()) {
      replay();
    }
    close_clients();
  }

  /// Takes out the queues that a window of one message may not empty in half of the time there is.
  void remove_long(std::set<std::string>& queues) {
    if (host_.shard() == nullptr) {
      queues.clear();
      return;
    }
    const std::int64_t message_us = 2 * (options_.link_us + options_.commit_us);
    std::uint64_t redriven = 0;  // may come yet, from anywhere
    if (operator_ != nullptr && options_.redrive_per_mille > 0) {
      host_.shard()->visit_queues([&redriven](const std::string&, const core::QueueInfo& info) {
        redriven += info.messages();
      });
    }
    host_.shard()->visit_queues([&](const std::string&, const core::QueueInfo& info) {
      const std::uint64_t messages = info.ready + info.in_flight + info.delayed + redriven;
      if (std::cmp_greater(messages, kDrainUs / 2 / message_us)) {
        queues.erase(info.name);
      }
    });
  }

  /// Everybody leaves, and has been told what there is to tell.
  void close_clients() {
    for (const auto& client : clients_) {
      client->close();
    }
    const std::int64_t end = world_.now_us() + kCloseUs;
    for (const auto& client : clients_) {
      while (!client->is_over() && world_.now_us() < end && world_.run_one()) {
      }
      if (!client->is_over()) {
        world_.violate("a client of the library does not close");
        return;
      }
      client->check_end();
    }
    run_until(world_.now_us() + 1'000'000);
    reception_.check_budget();
  }

  [[nodiscard]] std::string standing() {
    std::string text = host_.shard() == nullptr ? "the broker is down" : "";
    if (host_.shard() != nullptr) {
      host_.shard()->visit_queues([&text](const std::string&, const core::QueueInfo& info) {
        text += info.name + " ready " + std::to_string(info.ready) + " in flight " +
                std::to_string(info.in_flight) + " delayed " + std::to_string(info.delayed) +
                " dying " + std::to_string(info.dying) + " parked " + std::to_string(info.parked) +
                " subscribers " + std::to_string(info.subscribers) + "; ";
      });
    }
    if (standing_.redrives > 0) {
      text += std::to_string(standing_.redrives) + " redrives run; ";
    }
    for (const auto& producer : producers_) {
      text += producer->is_idle() ? "" : "a producer waits; ";
    }
    for (const auto& client : clients_) {
      text += client->standing();
    }
    return text;
  }

  void replay() {
    readers_.front()->step();
    run_until(world_.now_us() + 1'000'000);
  }

  World world_;
  Options options_;
  BrokerHost host_;
  Oracle oracle_;
  Network network_;
  Stage stage_;
  Reception reception_;
  Oracle::Standing standing_;
  std::vector<Oracle> remembered_;  // before each lie of the disk
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::unique_ptr<Operator> operator_;  // none in many runs
  std::vector<Machine*> machines_;
  std::vector<std::unique_ptr<SdkClient>> clients_;
};

}  // namespace

proto::Result<Options> options_of(const Plan& plan) {
  Rng rng(plan.seed);
  Options options = draw_options(rng, plan.mean_steps);
  for (const std::string& text : plan.overrides) {
    if (auto done = set_by_text(options, text); !done) {
      return done.error();
    }
  }
  return options;
}

RunResult run(const Plan& plan, Telling telling) {
  return run(plan.seed, options_of(plan).value(), telling);
}

RunResult run(std::uint64_t seed, const Options& options, Telling telling) {
  const auto simulation = std::make_unique<Simulation>(seed, options, telling);
  return simulation->run();
}

}  // namespace weir::sim
