#pragma once

#include "client/core/settle_ledger.hpp"
#include "client/core/time.hpp"
#include "proto/frame/frames.hpp"
#include "proto/result.hpp"
#include "weir/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk {

class Session;

/// How long handlers may have the I/O thread before everything else gets its turn.
inline constexpr Duration kHandlerSlice = std::chrono::milliseconds(2);

/// Something that lives on a client's connection: a producer, a consumer, a reader. Known to the
/// session by a number. All of this is called on the I/O thread.
class Participant {
 public:
  explicit Participant(std::uint64_t id) : id_(id) {}
  virtual ~Participant() = default;
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }

  /// The name of its queue or topic.
  [[nodiscard]] virtual const std::string& subject() const = 0;
  /// A session stands (again).
  virtual void on_session_up() = 0;
  virtual void on_session_lost() = 0;
  /// Called once a turn after something happened to it, or when its deadline has come.
  virtual void on_turn(TimePoint now) = 0;
  [[nodiscard]] virtual std::optional<TimePoint> next_deadline() = 0;
  /// True when closing must not wait for it.
  [[nodiscard]] virtual bool is_settled() = 0;
  /// True when the session may forget it.
  [[nodiscard]] virtual bool is_finished() = 0;
  /// The client closes: nothing new is taken; what is under way may still end.
  virtual void on_closing() = 0;
  /// The client is closed: whoever still waits is told.
  virtual void on_closed(const Error& why) = 0;

  virtual void on_sent(std::uint32_t partition, std::uint64_t ordinal,
                       const proto::SentEntry& entry, TimePoint now);
  virtual proto::Result<> on_deliver(const proto::Deliver& frame, TimePoint now);
  virtual proto::Result<> on_records(const proto::Records& frame);
  /// The broker has ended its subscription; the session is as it was.
  virtual void on_subscription_ended(const proto::Error& why);
  virtual void on_settled(SettleBatch batch, const std::vector<proto::SettleFailure>& failures);
  /// Settlements of the session before that are not durable; comes before on_session_lost().
  virtual void take_back(std::vector<SettleBatch> batches);

 protected:
  /// Of which it is a part; from Session::add() to on_closed().
  [[nodiscard]] Session& session() { return *session_; }

 private:
  friend class Session;

  const std::uint64_t id_;
  Session* session_ = nullptr;
  bool is_ready_ = false;
  std::optional<TimePoint> timer_;
};

}  // namespace weir::sdk
