#pragma once

#include "client/core/send_ledger.hpp"
#include "client/core/settle_ledger.hpp"
#include "client/core/time.hpp"
#include "proto/frame/frames.hpp"
#include "weir/options.hpp"

#include <string>
#include <string_view>

namespace weir::sdk {

/// Tells the application what happens to its client, in events, log lines and measurements, as far
/// as it wants to hear of it. I/O thread.
class Teller {
 public:
  Teller() = default;
  explicit Teller(const ClientOptions& options);

  /// The event, and a line about it.
  void tell(const ClientEvent& event) const;
  /// What the broker said about a batch of this destination.
  void tell_answer(const std::string& destination, const SendLedger::Origin& batch,
                   const proto::SentEntry& answer, TimePoint now) const;
  /// What the broker said about settlements of messages of this queue.
  void tell_settled(const std::string& queue, const SettleLedger::Outcome& outcome) const;

  void log(LogLevel level, std::string_view line) const;
  void measure(Metric metric, std::string_view subject, double value) const;

 private:
  ClientOptions::EventHandler on_event_;
  ClientOptions::LogHandler on_log_;
  ClientOptions::MetricHandler on_metric_;
};

}  // namespace weir::sdk
