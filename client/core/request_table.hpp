#pragma once

#include "client/core/backoff.hpp"
#include "client/core/random.hpp"
#include "client/core/time.hpp"
#include "proto/result.hpp"
#include "weir/function.hpp"
#include "weir/v1/protocol.pb.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

namespace weir::sdk {

/// How a request is to be treated.
struct RequestPolicy {
  TimePoint deadline = TimePoint::max();
  /// After so long without an answer it is sent again, under another id; zero: never.
  Duration try_timeout{0};
  /// An answer that never came leaves it open whether something was changed.
  bool changes_something = false;
  /// Means something on one session only: dropped without a word when that ends.
  bool is_for_session = false;
  /// For withdraw(); zero: it is never withdrawn.
  std::uint64_t ticket = 0;
};

/// Requests that wait to be sent or to be answered. Each ends exactly once: with the broker's
/// answer, or with an error when its time is up; retriable refusals are retried until then, on
/// whatever session there is.
class RequestTable {
 public:
  using Done = UniqueFunction<void(proto::Result<v1::Response>)>;
  using Sink = UniqueFunction<void(const v1::Request&)>;

  explicit RequestTable(std::uint64_t seed) : random_(seed) {}

  /// `request.id` and `request.deadline_ms` are filled in later.
  void add(v1::Request request, const RequestPolicy& policy, Done done);
  /// Hands out what is to be sent now.
  void send_ready(TimePoint now, Sink& sink);
  /// Whether a request of this number was ever sent.
  [[nodiscard]] bool was_sent(std::uint64_t id) const { return id >= 1 && id < next_id_; }
  /// False when nobody waits for it (any more).
  bool on_response(v1::Response response, TimePoint now);
  void on_session_lost();
  /// Ends what has run out of time. `unreachable` says why there is no session, if there is none.
  void expire(TimePoint now, const std::optional<proto::Error>& unreachable);
  /// Forgets a request that waits to be sent: then `done` is destroyed. One whose answer is
  /// outstanding stays. True when nothing came of the request and nothing will.
  bool withdraw(std::uint64_t ticket);
  /// Ends everything.
  void cancel_all(const proto::Error& error);

  /// When expire() or (with a session) send_ready() have something to do.
  [[nodiscard]] std::optional<TimePoint> next_deadline(bool has_session) const;
  /// True while a request that means something on this session alone is not answered.
  [[nodiscard]] bool has_any_for_session() const;
  /// True while an answer is outstanding on this session.
  [[nodiscard]] bool is_waiting_for_answers() const { return !open_.empty(); }
  [[nodiscard]] bool empty() const { return open_.empty() && waiting_.empty(); }

 private:
  struct Pending {
    v1::Request request;
    RequestPolicy policy;
    Done done;
    Backoff backoff{std::chrono::milliseconds(100), std::chrono::seconds(5)};
    TimePoint not_before{};
    TimePoint try_deadline = TimePoint::max();
    bool has_left = false;
    std::optional<proto::Error> refusal;
  };

  [[nodiscard]] static proto::Error timed_out(const Pending& pending, bool is_open,
                                              const std::optional<proto::Error>& unreachable);

  Random random_;
  std::uint64_t next_id_ = 1;
  std::uint64_t next_order_ = 1;
  std::map<std::uint64_t, Pending> waiting_;  // by order of arrival
  std::map<std::uint64_t, Pending> open_;     // by id
};

}  // namespace weir::sdk
