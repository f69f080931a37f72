#include "client/session/teller.hpp"

#include "proto/wire_message.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir::sdk {
namespace {

LogLevel level_of(ClientEvent::Kind kind) {
  const bool is_trouble =
      kind == ClientEvent::Kind::kLost || kind == ClientEvent::Kind::kSubscriptionFailed;
  return is_trouble ? LogLevel::kWarning : LogLevel::kInfo;
}

}  // namespace

Teller::Teller(const ClientOptions& options)
    : on_event_(options.event_handler()),
      on_log_(options.log_handler()),
      on_metric_(options.metric_handler()) {}

// What the handlers throw must not pass through the session: noexcept ends the program there.

void Teller::log(LogLevel level, std::string_view line) const {
  if (on_log_) {
    [&]() noexcept { on_log_(level, line); }();
  }
}

void Teller::measure(Metric metric, std::string_view subject, double value) const {
  if (on_metric_) {
    [&]() noexcept { on_metric_(metric, subject, value); }();
  }
}

void Teller::tell(const ClientEvent& event) const {
  if (on_log_) {
    log(level_of(event.kind), event.to_string());
  }
  if (on_event_) {
    [&]() noexcept { on_event_(event); }();
  }
}

void Teller::tell_answer(const std::string& destination, const SendLedger::Origin& batch,
                         const proto::SentEntry& answer, TimePoint now) const {
  const bool is_stored = answer.code == 0;
  measure(Metric::kSendSeconds, destination,
          std::chrono::duration<double>(now - batch.left_at).count());
  measure(is_stored ? Metric::kMessagesStored : Metric::kMessagesRefused, destination,
          batch.messages);
  if (!is_stored && on_log_) {
    const std::string_view code = proto::name(proto::code_from_wire(answer.code));
    log(LogLevel::kDebug, "a batch of " + std::to_string(batch.messages) + " messages for '" +
                              destination + "' was refused: " + std::string(code));
  }
}

void Teller::tell_settled(const std::string& queue, const SettleLedger::Outcome& outcome) const {
  if (!on_metric_) {
    return;
  }
  std::uint64_t failed = 0;
  for (const proto::SettleFailure& failure : outcome.failures) {
    failed += failure.count;
  }
  failed = std::min(failed, outcome.messages);
  measure(Metric::kMessagesSettled, queue, static_cast<double>(outcome.messages - failed));
  if (failed != 0) {
    measure(Metric::kSettlesFailed, queue, static_cast<double>(failed));
  }
}

}  // namespace weir::sdk
