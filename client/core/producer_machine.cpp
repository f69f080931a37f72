#include "client/core/producer_machine.hpp"

#include "client/core/convert.hpp"
#include "proto/limits.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

Error unknown_outcome(std::string why) {
  return Error(ErrorCode::kUnknownOutcome, std::move(why));
}

// What the waiters of a batch are told when its time is up.
Error timed_out(const Flight& flight) {
  if (flight.is_out || flight.is_uncertain) {
    return unknown_outcome("no answer in time: the message may have been stored, or may still be");
  }
  if (flight.refusal) {
    return to_public(*flight.refusal);
  }
  return Error(ErrorCode::kDeadlineExceeded,
               "the message did not leave in time; it was not stored");
}

// What the waiters of a batch are told that the application has stopped.
Error stopped(const Flight& flight) {
  if (flight.is_out || flight.is_uncertain) {
    return unknown_outcome(
        "stopped after the message had left: it may have been stored, or may still be");
  }
  return Error(ErrorCode::kCancelled, "stopped before the message left: it was not stored");
}

}  // namespace

ProducerMachine::ProducerMachine(Options options, BatchSource& source, SendPort& port,
                                 std::uint64_t seed)
    : options_(options),
      source_(source),
      port_(port),
      random_(seed),
      attach_backoff_(options.first_backoff, options.longest_backoff) {}

Flights& ProducerMachine::flights(std::uint32_t partition) {
  return partitions_
      .try_emplace(partition, Backoff(options_.first_backoff, options_.longest_backoff))
      .first->second;
}

void ProducerMachine::on_session_up(std::uint32_t incarnation) {
  incarnation_ = incarnation;
  is_up_ = true;
  attach_at_.reset();
  port_.attach();
  if (producer_.id == 0 && !is_asking_id_) {
    is_asking_id_ = true;
    port_.init_producer(0, 0);
  }
}

void ProducerMachine::on_session_lost() {
  is_up_ = false;
  alias_.reset();
  attach_at_.reset();
  for (const std::uint32_t partition : active_) {
    flights(partition).on_session_lost();
  }
}

void ProducerMachine::on_attached(const proto::Result<Attachment>& attached, TimePoint now) {
  if (!is_up_) {
    return;
  }
  if (!attached) {
    attach_at_ = now + attach_backoff_.next(random_);
    source_.on_destination(attached.error(), 0);
    fail_all(attached.error());
    return;
  }
  attach_backoff_.reset();
  alias_ = attached->alias;
  object_ = attached->object;
  source_.on_destination(std::nullopt, attached->partitions);
}

void ProducerMachine::on_producer(const proto::Result<Identity>& identity, TimePoint now) {
  is_asking_id_ = false;
  if (!identity) {
    if (producer_.id != 0) {
      // The next epoch is refused: the answer to an earlier try was lost, or the broker forgot us.
      producer_ = Flights::Producer();
      is_asking_id_ = true;
      port_.init_producer(0, 0);
      return;
    }
    attach_at_ = now + attach_backoff_.next(random_);
    source_.on_destination(identity.error(), 0);
    fail_all(identity.error());
    return;
  }
  producer_.id = identity->id;
  producer_.epoch = static_cast<std::uint16_t>(identity->epoch);
  if (wants_epoch_) {
    restart_all();
  }
}

void ProducerMachine::restart_all() {
  wants_epoch_ = false;
  for (auto& [partition, flights] : partitions_) {
    source_.release({0, 0, flights.restart(producer_, options_.compression)});
  }
}

void ProducerMachine::tell(Flight& flight, const Error& error) {
  const std::size_t messages = flight.waiters.alive();
  const Result<SendReceipt> result(error);
  flight.waiters.answer_all(
      [&result](std::size_t, SendCallback& callback) noexcept { callback(result); });
  source_.release({flight.round, messages, 0});
}

// The destination is gone, and what is under way with it: nothing may turn up later in another one
// of the same name.
void ProducerMachine::fail_all(const proto::Error& error) {
  for (auto& [partition, flights] : partitions_) {
    for (Flight& flight : flights.drop_all()) {
      tell(flight, flight.is_uncertain
                       ? unknown_outcome("the destination is refused now (" + error.to_string() +
                                         "): the message may have been stored")
                       : to_public(error));
      source_.release({flight.round, 0, flight.bytes});
    }
    wants_epoch_ = wants_epoch_ || flights.is_broken();
  }
}

namespace {

/// Messages of a batch that are not where the others are, asked for in their order.
class PlacesApart {
 public:
  explicit PlacesApart(const std::vector<proto::SentEntry::Place>& places)
      : begin_(places.begin()), next_(places.begin()), end_(places.end()) {}

  [[nodiscard]] std::optional<proto::Offset> of(std::size_t index) {
    while (next_ != end_ && next_->index < index) {
      ++next_;
    }
    return next_ != end_ && next_->index == index ? std::optional(next_->offset) : std::nullopt;
  }
  /// How many lie before that one.
  [[nodiscard]] std::int64_t passed() const { return next_ - begin_; }

 private:
  using At = std::vector<proto::SentEntry::Place>::const_iterator;
  At begin_;
  At next_;
  At end_;
};

}  // namespace

void ProducerMachine::confirm(Flight flight, std::uint32_t partition,
                              const proto::SentEntry& entry) {
  const std::size_t messages = flight.waiters.alive();
  SendReceipt receipt;
  receipt.partition = partition;
  receipt.append_time = to_timestamp(entry.append_time);
  const bool was_stored = (entry.flags & proto::SentEntry::kDuplicate) != 0;
  Result<SendReceipt> result(receipt);
  PlacesApart known(entry.known);
  PlacesApart elsewhere(entry.elsewhere);
  flight.waiters.answer_all([&](std::size_t index, SendCallback& callback) noexcept {
    const std::optional<proto::Offset> before = known.of(index);
    const std::optional<proto::Offset> other = elsewhere.of(index);
    const std::int64_t apart = known.passed() + elsewhere.passed();
    result->duplicate = was_stored || before;
    result->offset = before  ? *before
                     : other ? *other
                             : entry.base_offset + static_cast<std::int64_t>(index) - apart;
    if (!options_.is_topic) {
      result->message_id = MessageId(incarnation_, object_, result->offset);
    }
    callback(result);
  });
  source_.release({flight.round, messages, flight.bytes});
}

void ProducerMachine::on_answer(std::uint32_t partition, std::uint64_t ordinal,
                                const proto::SentEntry& entry, TimePoint now) {
  Flights& flights = this->flights(partition);
  Flight* const flight = flights.find(ordinal);
  if (flight == nullptr) {
    return;
  }
  if (entry.code == 0) {
    confirm(flights.on_stored(*flight), partition, entry);
  } else {
    proto::Error why = proto::make_error(proto::code_from_wire(entry.code));
    why.retry_after_ms = entry.retry_after_ms;
    Flights::Refused refused = flights.on_refused(*flight, why, now, random_);
    if (refused.failed) {
      tell(*refused.failed,
           refused.is_unknown
               ? unknown_outcome("an earlier try may have been stored; the last was refused: " +
                                 why.to_string())
               : to_public(why));
      source_.release({0, 0, refused.failed->bytes});
    }
  }
  wants_epoch_ = wants_epoch_ || flights.is_broken();
}

void ProducerMachine::pump(TimePoint now) {
  if (is_up_ && attach_at_ && now >= *attach_at_) {
    on_session_up(incarnation_);
  }
  if (!is_ready() || is_asking_id_) {
    return;
  }
  if (wants_epoch_ && prepare_new_epoch()) {
    ask_for_epoch();
    return;
  }
  const std::vector<std::uint32_t> partitions(active_.begin(), active_.end());
  const std::size_t count = partitions.size();
  for (std::size_t i = 0; i < count; ++i) {
    pump_partition(partitions[(turn_ + i) % count], now);
  }
  ++turn_;
}

// A new epoch makes the broker forget the old one's sequences, which are the only proof of what was
// stored. So first everything that they can still answer is asked for. True when that is done.
bool ProducerMachine::prepare_new_epoch() {
  bool is_done = true;
  for (auto& [partition, flights] : partitions_) {
    is_done = is_done && flights.is_quiet() && (flights.is_broken() || !flights.has_uncertain());
  }
  return is_done;
}

void ProducerMachine::ask_for_epoch() {
  for (auto& [partition, flights] : partitions_) {
    for (Flight& flight : flights.take_uncertain()) {
      tell(flight, unknown_outcome("the broker lost track of this producer's sequence: the message "
                                   "may have been stored"));
      source_.release({flight.round, 0, flight.bytes});
    }
  }
  is_asking_id_ = true;
  port_.init_producer(producer_.id, producer_.epoch);
}

// Ends the holding of batches where it may end. False while they are held.
bool ProducerMachine::is_flowing(Flights& flights, TimePoint now) {
  if (flights.is_holding() && !flights.is_broken() && flights.is_quiet() &&
      now >= flights.resume_at()) {
    source_.release({0, 0, flights.resume(producer_, options_.compression)});
    wants_epoch_ = wants_epoch_ || flights.is_broken();
  }
  return !flights.is_holding();
}

void ProducerMachine::pump_partition(std::uint32_t partition, TimePoint now) {
  Flights& flights = this->flights(partition);
  if (!is_flowing(flights, now)) {
    return;
  }
  while (Flight* const flight = flights.next_to_send()) {
    if (flight->is_outdated()) {
      flights.hold(*flight);
      if (!is_flowing(flights, now)) {
        return;
      }
      continue;
    }
    const bool serves = !wants_epoch_ || flights.has_uncertain();
    if (!serves || !send(partition, flights, *flight, now)) {
      return;
    }
  }
  while (!wants_epoch_ && flights.size() < flights.window()) {
    const std::size_t bytes = source_.waiting_bytes(partition);
    if (bytes == 0 || !port_.has_room(bytes)) {
      break;
    }
    std::optional<WaitingBatch> batch = source_.take(partition, now);
    if (!batch) {
      break;
    }
    Flight& flight = flights.add(std::move(*batch), producer_, options_.compression);
    send(partition, flights, flight, now);
  }
  if (flights.empty() && source_.waiting_bytes(partition) == 0) {
    active_.erase(partition);
  }
}

bool ProducerMachine::send(std::uint32_t partition, Flights& flights, Flight& flight,
                           TimePoint now) {
  if (!port_.has_room(flight.batch->size())) {
    return false;
  }
  OutgoingBatch out;
  out.alias = *alias_;
  out.partition = partition;
  out.ordinal = flight.ordinal;
  out.messages = static_cast<std::uint32_t>(flight.count());
  // The patience of the most patient; without one when nobody waits any more and the batch is sent
  // for its sequence alone.
  if (flight.waiters.alive() != 0 && flight.waiters.latest() > now) {
    out.deadline_ms = remaining_ms(now, flight.waiters.latest());
  }
  out.batch = flight.batch;
  flights.on_left(flight);
  port_.send(std::move(out));
  return true;
}

// Answers those of each batch that `take` takes out of it with what `why` says of the batch.
template <class Take, class Why>
void ProducerMachine::answer_some(Take take, Why why) {
  std::vector<SendCallback> taken;
  for (const std::uint32_t partition : active_) {
    for (Flight& flight : flights(partition).all()) {
      taken.clear();
      take(flight.waiters, taken);
      if (taken.empty()) {
        continue;
      }
      const Result<SendReceipt> result(why(flight));
      for (SendCallback& callback : taken) {
        callback(result);
      }
      source_.release({flight.round, taken.size(), 0});
    }
  }
}

void ProducerMachine::expire(TimePoint now) {
  answer_some([now](WaiterList& waiters,
                    std::vector<SendCallback>& expired) { waiters.take_expired(now, expired); },
              timed_out);
}

void ProducerMachine::take_stopped() {
  answer_some([](WaiterList& waiters,
                 std::vector<SendCallback>& stopped) { waiters.take_stopped(stopped); },
              stopped);
}

std::optional<TimePoint> ProducerMachine::next_deadline() const {
  std::optional<TimePoint> next = is_up_ ? attach_at_ : std::nullopt;
  for (const std::uint32_t partition : active_) {
    const auto found = partitions_.find(partition);
    if (found == partitions_.end()) {
      continue;
    }
    const Flights& flights = found->second;
    if (is_ready() && !is_asking_id_ && flights.is_holding() && flights.is_quiet() &&
        !flights.is_broken()) {
      next = earlier(next, flights.resume_at());
    }
    for (const Flight& flight : flights.all()) {
      next = earlier(next, flight.waiters.earliest());
    }
  }
  return next;
}

bool ProducerMachine::is_idle() const {
  return std::ranges::all_of(partitions_, [](const auto& entry) { return entry.second.empty(); });
}

void ProducerMachine::abort() {
  for (auto& [partition, flights] : partitions_) {
    for (Flight& flight : flights.drop_all()) {
      tell(flight, flight.is_uncertain
                       ? unknown_outcome("closed before the answer came: it may have been stored")
                       : Error(ErrorCode::kCancelled, "closed before the message was stored"));
      source_.release({flight.round, 0, flight.bytes});
    }
  }
  active_.clear();
}

}  // namespace weir::sdk
