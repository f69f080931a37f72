#include "client/core/flights.hpp"

#include "proto/assert.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

// Sequences count records and begin again at 0 behind 2^31 - 1, as Kafka's do.
std::int32_t advance(std::int32_t sequence, std::int32_t count) {
  const auto sum = static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count);
  return static_cast<std::int32_t>(sum & 0x7FFFFFFFU);
}

// The broker may have stored the batch although it answers like this.
bool leaves_in_doubt(proto::Errc code) {
  return code == proto::Errc::kStorageFailed || code == proto::Errc::kInternal;
}

proto::BatchBuilder::Producer identity(Flights::Producer producer, std::int32_t sequence) {
  proto::BatchBuilder::Producer identity;
  identity.id = static_cast<std::int64_t>(producer.id);
  identity.epoch = static_cast<std::int16_t>(producer.epoch);
  identity.base_sequence = sequence;
  return identity;
}

void stamp(Flight& flight, Flights::Producer producer, std::int32_t sequence) {
  flight.sequence = sequence;
  // A copy: the bytes of the earlier try may still lie in an output queue.
  flight.batch = std::make_shared<std::string>(*flight.batch);
  proto::poke_producer(*flight.batch, static_cast<std::int64_t>(producer.id),
                       static_cast<std::int16_t>(producer.epoch), sequence);
}

}  // namespace

bool Flights::has_uncertain() const {
  return std::ranges::any_of(flights_, [](const Flight& flight) { return flight.is_uncertain; });
}

std::size_t Flights::window() const {
  return is_known_ ? proto::kMaxUnconfirmedBatches : 1;
}

Flight* Flights::next_to_send() {
  if (out_ >= proto::kMaxUnconfirmedBatches) {
    return nullptr;  // halves of batches may be more
  }
  for (Flight& flight : flights_) {
    if (!flight.is_out) {
      return &flight;
    }
  }
  return nullptr;
}

Flight& Flights::add(WaitingBatch batch, Producer producer, proto::Compression compression) {
  Flight& flight = flights_.emplace_back();
  flight.ordinal = next_ordinal_++;
  flight.waiters = std::move(batch.waiters);
  flight.bytes = batch.bytes;
  flight.round = batch.round;
  flight.sequence = next_sequence_;
  flight.batch = std::make_shared<std::string>(
      batch.builder.finish(identity(producer, flight.sequence), compression));
  next_sequence_ = advance(next_sequence_, flight.count());
  return flight;
}

void Flights::on_left(Flight& flight) {
  flight.is_out = true;
  ++out_;
}

Flight* Flights::find(std::uint64_t ordinal) {
  const auto found = std::ranges::find(flights_, ordinal, &Flight::ordinal);
  return found == flights_.end() ? nullptr : &*found;
}

void Flights::take_out(Flight& flight) {
  if (flight.is_out) {
    flight.is_out = false;
    --out_;
  }
}

Flight Flights::on_stored(Flight& flight) {
  take_out(flight);
  const auto at = std::ranges::find(flights_, flight.ordinal, &Flight::ordinal);
  Flight stored = std::move(*at);
  flights_.erase(at);
  stored_through_ = std::max(stored_through_, stored.ordinal);
  is_known_ = true;
  backoff_.reset();
  expected_sequence_ = advance(stored.sequence, stored.count());
  if (holding_ && stored.ordinal > first_refused_) {
    // Stored although one in front of it was not: that one's sequence is behind us for good.
    broken_ = true;
  }
  return stored;
}

void Flights::hold(const Flight& flight) {
  if (!std::exchange(holding_, true)) {
    first_refused_ = kNone;
    gap_at_ = kNone;
  }
  first_refused_ = std::min(first_refused_, flight.ordinal);
  if (!flight.is_uncertain) {
    // A refused batch that an earlier try has stored leaves no gap.
    gap_at_ = std::min(gap_at_, flight.ordinal);
  }
}

Flights::Refused Flights::on_refused(Flight& flight, const proto::Error& why, TimePoint now,
                                     Random& random) {
  take_out(flight);
  const bool is_gap = why.code == proto::Errc::kOutOfOrderSequence;
  if (is_gap && holding_ && flight.ordinal > first_refused_) {
    return {};  // because of the one in front of it
  }
  if (leaves_in_doubt(why.code)) {
    flight.is_uncertain = true;
  }
  hold(flight);
  flight.refusal = why;
  if (is_gap || why.code == proto::Errc::kProducerFenced || flight.ordinal < stored_through_) {
    broken_ = true;
    return {};
  }
  if (proto::is_retriable(why.code)) {
    const Duration asked = std::chrono::milliseconds(why.retry_after_ms);
    resume_at_ = std::max(resume_at_, now + std::max(asked, backoff_.next(random)));
    return {};
  }
  Refused refused;
  refused.is_unknown = flight.is_uncertain && !leaves_in_doubt(why.code);
  if (flight.is_uncertain) {
    broken_ = true;
  } else {
    renumber_ = true;
  }
  const auto at = std::ranges::find(flights_, flight.ordinal, &Flight::ordinal);
  refused.failed = std::move(*at);
  flights_.erase(at);
  return refused;
}

void Flights::on_session_lost() {
  resume_at_ = TimePoint{};  // it was that broker that asked for a pause
  for (Flight& flight : flights_) {
    if (flight.is_out) {
      // What left behind a batch that is not stored is refused too: only the word of it was lost.
      const bool is_behind_gap = holding_ && flight.ordinal > gap_at_;
      flight.is_uncertain = flight.is_uncertain || !is_behind_gap;
      take_out(flight);
    }
  }
}

std::size_t Flights::prune(proto::Compression compression) {
  std::size_t freed_bytes = 0;
  std::erase_if(flights_, [&](Flight& flight) {
    if (!flight.is_outdated()) {
      return false;
    }
    renumber_ = true;
    if (flight.waiters.alive() == 0) {
      freed_bytes += flight.bytes;
      return true;
    }
    proto::BatchBuilder builder = rebuild_alive(*flight.batch, flight.waiters);
    flight.batch = std::make_shared<std::string>(builder.finish({}, compression));
    return false;
  });
  return freed_bytes;
}

/// What gathered while a queue was full may be more than the queue ever has room for. A part of it
/// fits as soon as anything does.
void Flights::halve_first(Producer producer, proto::Compression compression) {
  if (flights_.empty()) {
    return;
  }
  Flight& first = flights_.front();
  const std::size_t count = first.waiters.size();
  if (count < 2 || first.is_uncertain || !first.refusal ||
      first.refusal->code != proto::Errc::kQueueFull) {
    return;
  }
  const std::size_t half = count / 2;
  const auto finish = [&](std::size_t begin, std::size_t end, std::int32_t sequence) {
    return std::make_shared<std::string>(
        rebuild_range(*first.batch, begin, end).finish(identity(producer, sequence), compression));
  };
  Flight rest;
  rest.round = first.round;
  rest.refusal = first.refusal;
  rest.sequence = advance(first.sequence, static_cast<std::int32_t>(half));
  rest.batch = finish(half, count, rest.sequence);
  rest.bytes = first.bytes / 2;
  first.bytes -= rest.bytes;
  first.batch = finish(0, half, first.sequence);
  rest.waiters = first.waiters.split_off(half);
  flights_.insert(flights_.begin() + 1, std::move(rest));
  // Nothing is out, so no answer names one of the old ones.
  for (Flight& flight : flights_) {
    flight.ordinal = next_ordinal_++;
  }
}

std::size_t Flights::resume(Producer producer, proto::Compression compression) {
  WEIR_ASSERT(holding_ && out_ == 0 && !broken_, "nothing is out and sequences can be mended");
  const std::size_t freed_bytes = prune(compression);
  halve_first(producer, compression);
  holding_ = false;
  if (!std::exchange(renumber_, false)) {
    return freed_bytes;
  }
  std::int32_t sequence = expected_sequence_;
  for (Flight& flight : flights_) {
    if (flight.is_uncertain && flight.sequence != sequence) {
      // Under another sequence the broker could store it twice.
      hold(flight);
      broken_ = true;
      return freed_bytes;
    }
    if (!flight.is_uncertain) {
      stamp(flight, producer, sequence);
    }
    sequence = advance(sequence, flight.count());
  }
  next_sequence_ = sequence;
  return freed_bytes;
}

std::size_t Flights::restart(Producer producer, proto::Compression compression) {
  WEIR_ASSERT(out_ == 0 && !has_uncertain(), "every batch under way is known not to be stored");
  const std::size_t freed_bytes = prune(compression);
  holding_ = false;
  renumber_ = false;
  broken_ = false;
  is_known_ = false;
  expected_sequence_ = 0;
  next_sequence_ = 0;
  for (Flight& flight : flights_) {
    stamp(flight, producer, next_sequence_);
    next_sequence_ = advance(next_sequence_, flight.count());
  }
  return freed_bytes;
}

std::deque<Flight> Flights::take_uncertain() {
  std::deque<Flight> taken;
  for (Flight& flight : flights_) {
    if (flight.is_uncertain) {
      taken.push_back(std::move(flight));
    }
  }
  std::erase_if(flights_, [](const Flight& flight) { return flight.batch == nullptr; });
  return taken;
}

std::deque<Flight> Flights::drop_all() {
  if (!flights_.empty()) {
    on_session_lost();
    hold(flights_.front());
    broken_ = true;
  }
  return std::exchange(flights_, {});
}

}  // namespace weir::sdk
