#pragma once

#include "client/core/flights.hpp"
#include "client/core/producer_ports.hpp"
#include "client/core/time.hpp"
#include "proto/frame/frames.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weir::sdk {

/// Brings what one producer took to the broker, once each: keeps sequences per partition and a
/// bounded number of unconfirmed batches, retries what was refused for the moment, sends again
/// under the same sequence what a lost session left open, and asks for a new epoch where a sequence
/// cannot be mended. Answers each message exactly once.
///
/// When the time of a message is up it is answered; if its batch had left, the batch goes on being
/// sent until the broker says what became of it, because the sequences behind it hang on that.
///
/// Callbacks run inside these functions and must not call back into them.
class ProducerMachine {
 public:
  struct Options {
    proto::Compression compression = proto::Compression::kNone;
    bool is_topic = false;
    Duration first_backoff = std::chrono::milliseconds(100);
    Duration longest_backoff = std::chrono::seconds(5);
  };

  /// `source` and `port` must outlive it.
  ProducerMachine(Options options, BatchSource& source, SendPort& port, std::uint64_t seed);

  /// A session stands: asks for a producer id (once) and for the destination's alias.
  void on_session_up(std::uint32_t incarnation);
  void on_session_lost();

  struct Attachment {
    std::uint32_t alias = 0;
    std::uint64_t object = 0;
    std::uint32_t partitions = 1;
  };
  void on_attached(const proto::Result<Attachment>& attached, TimePoint now);
  struct Identity {
    std::uint64_t id = 0;
    std::uint32_t epoch = 0;
  };
  void on_producer(const proto::Result<Identity>& identity, TimePoint now);
  /// The broker's word on a batch. `entry.send_number` is not looked at.
  void on_answer(std::uint32_t partition, std::uint64_t ordinal, const proto::SentEntry& entry,
                 TimePoint now);

  /// The source has something for this partition.
  void on_waiting(std::uint32_t partition) { active_.insert(partition); }
  /// Sends what may leave. To be called once a turn.
  void pump(TimePoint now);
  /// Answers messages whose time is up, among those that the source gave away.
  void expire(TimePoint now);
  /// Answers messages that the application has stopped, among those that the source gave away.
  void take_stopped();
  /// When pump() or expire() have something to do without an event.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  /// True when nothing that the source gave away is unanswered.
  [[nodiscard]] bool is_idle() const;
  /// Answers everything that is under way: CANCELLED what did not leave, else UNKNOWN_OUTCOME.
  void abort();

 private:
  [[nodiscard]] bool is_ready() const { return alias_.has_value() && producer_.id != 0; }
  Flights& flights(std::uint32_t partition);
  void fail_all(const proto::Error& error);
  void tell(Flight& flight, const Error& error);
  template <class Take, class Why>
  void answer_some(Take take, Why why);
  void confirm(Flight flight, std::uint32_t partition, const proto::SentEntry& entry);
  bool is_flowing(Flights& flights, TimePoint now);
  void pump_partition(std::uint32_t partition, TimePoint now);
  bool send(std::uint32_t partition, Flights& flights, Flight& flight, TimePoint now);
  bool prepare_new_epoch();
  void ask_for_epoch();
  void restart_all();

  Options options_;
  BatchSource& source_;
  SendPort& port_;
  Random random_;
  Backoff attach_backoff_;

  std::uint32_t incarnation_ = 0;
  bool is_up_ = false;
  std::optional<std::uint32_t> alias_;
  std::uint64_t object_ = 0;
  Flights::Producer producer_;
  bool is_asking_id_ = false;
  std::optional<TimePoint> attach_at_;

  std::map<std::uint32_t, Flights> partitions_;
  std::set<std::uint32_t> active_;  // partitions with something under way or waiting
  std::uint32_t turn_ = 0;          // where the next pump begins, so that no partition starves
  bool wants_epoch_ = false;
};

}  // namespace weir::sdk
