#pragma once

#include "client/core/backoff.hpp"
#include "client/core/batcher.hpp"
#include "client/core/time.hpp"
#include "client/core/waiters.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/error.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace weir::sdk {

/// A batch that was given a sequence, until it is known to be stored or known not to be.
struct Flight {
  std::uint64_t ordinal = 0;  // rises within a partition and is never changed
  std::shared_ptr<std::string> batch;
  WaiterList waiters;
  std::size_t bytes = 0;  // of the buffer
  std::uint64_t round = 0;
  std::int32_t sequence = 0;
  bool is_out = false;  // left on this session and is unanswered
  /// It may have been stored: it left and no answer can come any more, or none that says so. Stays
  /// until the broker confirms it: a later refusal speaks of the later try alone.
  bool is_uncertain = false;
  std::optional<proto::Error> refusal;  // the last one

  [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(waiters.size()); }
  /// Somebody was told that his message is not stored: as it is, the batch must not leave any more.
  [[nodiscard]] bool is_outdated() const {
    return !is_uncertain && waiters.alive() < waiters.size();
  }
};

/// The batches of one partition that are under way, in the order of their sequences, and the rules
/// that keep these without a gap. The broker takes a batch only with the sequence that follows the
/// last one it stored, so when one is refused, those behind it are refused as well: then everything
/// waits until each of them is answered (*holding*) and goes out again, renumbered if a batch fell
/// out. What can not be made whole like this is *broken* and needs a new epoch of the producer.
class Flights {
 public:
  struct Producer {
    std::uint64_t id = 0;
    std::uint16_t epoch = 0;
  };

  explicit Flights(Backoff backoff) : backoff_(backoff) {}

  [[nodiscard]] bool empty() const { return flights_.empty(); }
  [[nodiscard]] bool is_broken() const { return broken_; }
  /// True when no batch is unanswered on this session.
  [[nodiscard]] bool is_quiet() const { return out_ == 0; }
  /// True while a batch may have been stored and its sequence can still tell.
  [[nodiscard]] bool has_uncertain() const;
  /// How many batches may be under way together: one until the broker knows the producer's
  /// sequence.
  [[nodiscard]] std::size_t window() const;
  [[nodiscard]] std::size_t size() const { return flights_.size(); }
  [[nodiscard]] bool is_holding() const { return holding_; }
  [[nodiscard]] TimePoint resume_at() const { return resume_at_; }
  [[nodiscard]] std::deque<Flight>& all() { return flights_; }
  [[nodiscard]] const std::deque<Flight>& all() const { return flights_; }

  /// The first batch that is to leave (again); nullptr when all are out, or as many as may be.
  [[nodiscard]] Flight* next_to_send();
  /// Gives the batch the next sequence and puts it behind the others.
  Flight& add(WaitingBatch batch, Producer producer, proto::Compression compression);
  void on_left(Flight& flight);

  [[nodiscard]] Flight* find(std::uint64_t ordinal);
  /// The broker stored it. Gives the batch away.
  Flight on_stored(Flight& flight);
  /// What to do about a batch that was refused.
  struct Refused {
    std::optional<Flight> failed;  // fell out: its waiters are to be told
    bool is_unknown = false;       // … that it may have been stored all the same
  };
  Refused on_refused(Flight& flight, const proto::Error& why, TimePoint now, Random& random);
  /// No answer comes any more to what is out.
  void on_session_lost();

  /// Holds because of a batch that is outdated.
  void hold(const Flight& flight);
  /// When holding is over (no batch is out, the pause has passed): drops and shortens batches that
  /// nobody waits for, halves the first if a full queue refused it, renumbers, and goes on. Gives
  /// back how many bytes the dropped ones had.
  std::size_t resume(Producer producer, proto::Compression compression);
  /// With a new epoch (or id): all sequences begin again. No batch may be out or uncertain.
  std::size_t restart(Producer producer, proto::Compression compression);
  /// Takes out what may have been stored, of a broken partition.
  std::deque<Flight> take_uncertain();
  /// Takes out everything; what is out or was before is uncertain. Broken if there was anything.
  std::deque<Flight> drop_all();

 private:
  std::size_t prune(proto::Compression compression);
  void halve_first(Producer producer, proto::Compression compression);
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  void take_out(Flight& flight);

  std::deque<Flight> flights_;
  Backoff backoff_;
  std::uint64_t next_ordinal_ = 1;
  std::uint64_t stored_through_ = 0;    // the highest ordinal that was stored
  std::int32_t expected_sequence_ = 0;  // follows the last batch stored
  std::int32_t next_sequence_ = 0;      // follows the last batch under way
  std::size_t out_ = 0;
  bool is_known_ = false;  // the broker stored a batch of this epoch
  bool holding_ = false;
  bool renumber_ = false;
  bool broken_ = false;
  std::uint64_t first_refused_ = kNone;  // while holding
  std::uint64_t gap_at_ = kNone;         // while holding: the first that is known not to be stored
  TimePoint resume_at_{};
};

}  // namespace weir::sdk
