#include "weir/options.hpp"

#include <string>
#include <string_view>
#include <utility>

// What an application is told of its client.
namespace weir {

ClientEvent::ClientEvent(Kind event_kind, std::string event_subject)
    : kind(event_kind), subject(std::move(event_subject)) {}
ClientEvent::ClientEvent(Kind event_kind, std::string event_subject, Error event_error)
    : kind(event_kind), subject(std::move(event_subject)), error(std::move(event_error)) {}

std::string ClientEvent::to_string() const {
  const std::string why = error ? ": " + error->to_string() : std::string();
  switch (kind) {
    case Kind::kConnected:
      return "connected to " + subject;
    case Kind::kLost:
      return "lost " + subject + why;
    case Kind::kRestored:
      return "restored what stood before at " + subject;
    case Kind::kDraining:
      return subject + " drains" + why;
    case Kind::kSubscriptionFailed:
      return "the subscription to '" + subject + "' failed" + why;
  }
  return subject + why;
}

std::string_view name(ClientEvent::Kind kind) {
  switch (kind) {
    case ClientEvent::Kind::kConnected:
      return "connected";
    case ClientEvent::Kind::kLost:
      return "lost";
    case ClientEvent::Kind::kRestored:
      return "restored";
    case ClientEvent::Kind::kDraining:
      return "draining";
    case ClientEvent::Kind::kSubscriptionFailed:
      return "subscription_failed";
  }
  return "unknown";
}

std::string_view name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

std::string_view name(Metric metric) {
  switch (metric) {
    case Metric::kConnects:
      return "weir_client_connects_total";
    case Metric::kLosses:
      return "weir_client_losses_total";
    case Metric::kMessagesStored:
      return "weir_client_messages_stored_total";
    case Metric::kMessagesRefused:
      return "weir_client_messages_refused_total";
    case Metric::kSendSeconds:
      return "weir_client_send_seconds";
    case Metric::kMessagesArrived:
      return "weir_client_messages_arrived_total";
    case Metric::kMessagesSettled:
      return "weir_client_messages_settled_total";
    case Metric::kSettlesFailed:
      return "weir_client_settles_failed_total";
  }
  return "weir_client_unknown";
}

}  // namespace weir
