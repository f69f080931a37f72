#pragma once

#include "client/core/link_machine.hpp"
#include "client/core/producer_ports.hpp"
#include "client/core/request_table.hpp"
#include "client/core/send_ledger.hpp"
#include "client/core/settle_ledger.hpp"
#include "client/core/time.hpp"
#include "client/session/clock.hpp"
#include "client/session/link.hpp"
#include "client/session/participant.hpp"
#include "client/session/teller.hpp"
#include "weir/options.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::sdk {

/// One client's connection over its whole life: connects and reconnects, greets, keeps alive, and
/// carries requests, batches and settlements of its participants, who outlast single connections.
/// I/O thread only.
class Session : private LinkEvents {
 public:
  struct Options {
    LinkMachine::Options link;
    std::string service;
    std::string name_space;
    Teller teller;
    std::uint64_t seed = 0;
  };
  /// What the broker said of itself.
  struct Broker {
    std::uint32_t protocol = proto::kProtocolMin;
    std::uint32_t incarnation = 0;
    std::uint32_t epoch = 0;
    std::uint32_t shard = 0;
    std::uint32_t max_frame_bytes = 0;
  };

  Session(Options options, const LinkMaker& make_link, const Clock& clock);

  /// Does what is to be done by now. True when there is more to do at once.
  bool turn(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  /// One that is there already gets a turn.
  void add(std::shared_ptr<Participant> participant);
  /// Lets the participant have its turn.
  void mark_ready(std::uint64_t participant);

  /// True while new work may be sent.
  [[nodiscard]] bool is_up() const { return link_machine_.state() == LinkMachine::State::kUp; }
  /// True while settlements may be sent: on a connection that drains as well.
  [[nodiscard]] bool can_settle() const;
  [[nodiscard]] const Broker& broker() const { return broker_; }
  [[nodiscard]] const LinkMachine& link_machine() const { return link_machine_; }

  void request(v1::Request request, const RequestPolicy& policy, RequestTable::Done done);
  /// See RequestTable::withdraw().
  bool withdraw(std::uint64_t ticket) { return requests_.withdraw(ticket); }

  /// Room within the broker's send credit; without it, `who` gets a turn once there may be.
  [[nodiscard]] bool has_room(std::size_t batch_bytes, std::uint64_t who);
  /// The largest batch that fits credit and frames.
  [[nodiscard]] std::size_t max_batch_bytes() const;
  void send(std::uint64_t producer, OutgoingBatch batch);

  void settle(std::uint64_t channel, std::uint32_t alias, SettleBatch batch);
  void set_credit(const proto::Credit& credit);
  /// Deliveries and records with this alias go to that participant.
  void bind(std::uint32_t alias, std::uint64_t participant) { aliases_[alias] = participant; }
  void unbind(std::uint32_t alias) { aliases_.erase(alias); }

  /// Writes what the socket takes. When something is left, `who` gets a turn once more has left;
  /// then has_left() tells whether everything up to `position()` of an earlier moment has.
  bool flush(std::uint64_t who);
  [[nodiscard]] std::uint64_t position() { return link_->outbox().total_bytes(); }
  [[nodiscard]] bool has_left(std::uint64_t position) {
    return link_->outbox().sent_bytes() >= position;
  }

  /// Ends the connection, as if the broker had; the client connects again.
  void break_off(const proto::Error& why);
  void emit(ClientEvent::Kind kind, std::string subject, const proto::Error& error);

  void begin_closing();
  /// True when nothing is under way that closing waits for.
  [[nodiscard]] bool is_drained();
  /// Ends everything, for good.
  void close();

 private:
  void on_connected() override;
  void on_bytes() override;
  proto::Result<> on_frame(const proto::RawFrame& frame) override;
  void on_written() override;
  void on_broken(proto::Error why) override;

  proto::Result<> on_welcome(std::string_view body);
  proto::Result<> on_go_away(std::string_view body);
  proto::Result<> on_response(std::string_view body);
  proto::Result<> on_sent(std::string_view body);
  proto::Result<> on_settled(std::string_view body);
  proto::Result<> on_deliver(std::string_view body);
  proto::Result<> on_records(std::string_view body);
  proto::Result<> on_subscription_ended(std::string_view body);

  [[nodiscard]] Participant* find(std::uint64_t id);
  [[nodiscard]] Participant* find_alias(std::uint32_t alias);
  void lose_session(const proto::Error& why);
  void log_next_try() const;
  void tick_link(TimePoint now);
  void run_participants(TimePoint now);
  void wake_starved();
  void tell_restored();
  void set_timer(Participant& participant);

  Options options_;
  const Clock clock_;
  const std::unique_ptr<Link> link_;
  LinkMachine link_machine_;
  RequestTable requests_;
  SendLedger sends_;
  SettleLedger settles_;
  Broker broker_;
  std::uint64_t pong_until_ = 0;  // position() behind the last Pong
  TimePoint now_;                 // of this turn
  bool had_session_ = false;      // on this connection
  bool is_first_ = true;          // there was no session before
  bool is_restoring_ = false;     // kRestored is still to be told
  bool is_closing_ = false;
  bool is_closed_ = false;

  std::map<std::uint64_t, std::shared_ptr<Participant>> participants_;
  std::vector<std::uint64_t> ready_;
  std::set<std::pair<TimePoint, std::uint64_t>> timers_;
  std::map<std::uint32_t, std::uint64_t> aliases_;
  std::set<std::uint64_t> starved_;    // wait for send credit
  std::set<std::uint64_t> unwritten_;  // wait for the outbox
  RequestTable::Sink request_sink_;
};

}  // namespace weir::sdk
