#include "client/session/participant.hpp"

namespace weir::sdk {

// Frames reach only those who asked for them; what comes for anybody else means nothing.

void Participant::on_sent(std::uint32_t, std::uint64_t, const proto::SentEntry&, TimePoint) {}

proto::Result<> Participant::on_deliver(const proto::Deliver&, TimePoint) {
  return proto::fail(proto::Errc::kMalformed, "a delivery for an alias that is no queue's");
}

proto::Result<> Participant::on_records(const proto::Records&) {
  return proto::fail(proto::Errc::kMalformed, "records for an alias that is no topic's");
}

void Participant::on_subscription_ended(const proto::Error&) {}

// NOLINTBEGIN(performance-unnecessary-value-param): who overrides these keeps what it is given

void Participant::on_settled(SettleBatch, const std::vector<proto::SettleFailure>&) {}

void Participant::take_back(std::vector<SettleBatch>) {}

// NOLINTEND(performance-unnecessary-value-param)

}  // namespace weir::sdk
