#include "client/session/receive.hpp"

#include "client/core/convert.hpp"
#include "client/core/grant.hpp"
#include "client/session/engine.hpp"
#include "client/session/pending_call.hpp"
#include "client/session/settle_channel.hpp"
#include "client/session/wire_convert.hpp"

#include <cstddef>
#include <memory>
#include <utility>

namespace weir::sdk {
namespace {

// The deliveries of one answer. MALFORMED when its records are not what they should be.
Result<std::vector<Delivery>> deliveries_of(const v1::Received& received, std::size_t max_messages,
                                            const Session::Broker& broker,
                                            const std::shared_ptr<SettleChannel>& channel) {
  GrantOrigin origin;
  origin.incarnation = broker.incarnation;
  origin.epoch = broker.epoch;
  origin.shard = broker.shard;
  origin.queue = received.id();
  origin.generation = received.generation();
  std::vector<Delivery> deliveries;
  for (const v1::Grant& wire : received.grants()) {
    proto::Deliver frame;
    frame.grant = proto::GrantId(wire.grant());
    frame.nonce = wire.nonce();
    frame.base_offset = wire.base_offset();
    frame.first_index = wire.first_index();
    frame.span = wire.span();
    frame.count = wire.count();
    frame.attempts = static_cast<std::uint16_t>(wire.attempts());
    frame.failures = static_cast<std::uint16_t>(wire.failures());
    frame.base_timestamp = wire.base_timestamp();
    frame.lease_ms = static_cast<std::uint32_t>(received.lease_ms());
    frame.records = wire.records();
    if (!is_sound(frame) || frame.count > max_messages - deliveries.size()) {
      return Error(ErrorCode::kMalformed, "the broker's answer holds what nobody asked for");
    }
    const auto grant = std::make_shared<Grant>(frame, origin, channel);
    if (const proto::Result<> read = grant->read_indexes(); !read) {
      return to_public(read.error());
    }
    for (std::uint32_t i = 0; i < frame.count; ++i) {
      proto::Result<Delivery> delivery = grant->next();
      if (!delivery) {
        return to_public(delivery.error());
      }
      deliveries.push_back(std::move(*delivery));
    }
  }
  return deliveries;
}

}  // namespace

bool receive(Engine& engine, std::string queue, const ReceiveOptions& options,
             const RequestPolicy& policy, ReceiveCallback done) {
  v1::Request request;
  v1::Receive& wire = *request.mutable_receive();
  wire.set_queue(queue);
  wire.set_max_messages(options.max_messages());
  wire.set_wait_ms(static_cast<std::uint32_t>(options.wait().count()));
  set_lease(wire, options.lease());
  wire.set_max_bytes(options.max_bytes());
  const std::size_t max_messages = options.max_messages();
  return engine.post([request = std::move(request), policy, max_messages,
                      channel = engine.received_from(queue),
                      done = std::move(done)](Session& session) mutable {
    session.request(
        std::move(request), policy,
        [&session, max_messages, channel = std::move(channel),
         done = std::move(done)](proto::Result<v1::Response> response) mutable {
          if (!response) {
            done(to_public(response.error()));
          } else if (!response->has_received()) {
            done(Error(ErrorCode::kMalformed, "the broker's answer lacks its content"));
          } else {
            done(deliveries_of(response->received(), max_messages, session.broker(), channel));
          }
        });
  });
}

Future<std::vector<Delivery>> receive(const std::shared_ptr<Engine>& engine, std::string queue,
                                      const ReceiveOptions& options, const CallOptions& call) {
  const auto pending =
      std::make_shared<PendingCall<std::vector<Delivery>>>(/*changes_something=*/false);
  Future<std::vector<Delivery>> future = pending->future();
  RequestPolicy policy;
  policy.deadline = engine->deadline_of(call, options.wait() + engine->options().request_timeout());
  policy.ticket = engine->next_ticket();
  static_cast<void>(receive(
      *engine, std::move(queue), options, policy,
      [pending](Result<std::vector<Delivery>> received) { pending->answer(std::move(received)); }));
  pending->stop_by(call.stop_token(), engine, policy.ticket);
  return future;
}

}  // namespace weir::sdk
