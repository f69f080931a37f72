#include "tests/faults/hand_client.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/handle.hpp"

#include <utility>

namespace weir::faults {
namespace {

weir::v1::Request receive_request(const std::string& queue, std::uint32_t count,
                                  std::uint32_t wait_ms) {
  weir::v1::Request request;
  request.mutable_receive()->set_queue(queue);
  request.mutable_receive()->set_max_messages(count);
  request.mutable_receive()->set_wait_ms(wait_ms);
  return request;
}

}  // namespace

HandClient::HandClient()
    : session_([this](const proto::RawFrame& frame) -> proto::Result<> {
        const proto::Result<weir::v1::Response> response = proto::parse_response(frame.body);
        if (!response || response->has_error()) {
          return response ? proto::from_wire(response->error()) : response.error();
        }
        received_ = messages_of(response->received());
        return {};
      }) {}

proto::Result<> HandClient::create_queue(const std::string& name, std::uint64_t lease_ms) {
  weir::v1::Request request;
  request.mutable_create_queue()->set_name(name);
  request.mutable_create_queue()->mutable_settings()->set_lease_ms(lease_ms);
  const auto made = session_.call(std::move(request));
  return made ? proto::Result<>() : made.error();
}

std::vector<HandClient::Message> HandClient::messages_of(const weir::v1::Received& received) const {
  const weir::v1::Welcome& welcome = session_.welcome();
  std::vector<Message> messages;
  for (const weir::v1::Grant& grant : received.grants()) {
    const auto add = [&](const proto::RecordView& record) {
      messages.push_back(
          {.handle = proto::encode_handle({.incarnation = welcome.incarnation(),
                                           .epoch = welcome.epoch(),
                                           .queue = proto::QueueId(received.id()),
                                           .generation = received.generation(),
                                           .grant = proto::GrantId(grant.grant()),
                                           .index = static_cast<std::uint32_t>(record.offset_delta),
                                           .nonce = grant.nonce(),
                                           .base_offset = grant.base_offset(),
                                           .shard = welcome.shard()}),
           .body = std::string(record.value.value_or(""))});
    };
    (void)proto::for_each_record(grant.records(), static_cast<std::int32_t>(grant.count()), add);
  }
  return messages;
}

proto::Result<std::vector<HandClient::Message>> HandClient::receive(const std::string& queue,
                                                                    std::uint32_t count,
                                                                    std::uint32_t wait_ms) {
  const auto response = session_.call(receive_request(queue, count, wait_ms));
  if (!response) {
    return response.error();
  }
  return messages_of(response->received());
}

void HandClient::ask(const std::string& queue, std::uint32_t count, std::uint32_t wait_ms) {
  received_.reset();
  weir::v1::Request request = receive_request(queue, count, wait_ms);
  request.set_id(~std::uint64_t{0});  // call() counts from 1
  proto::append_frame(proto::FrameType::kRequest, request, session_.out());
}

proto::Result<> HandClient::ack(const std::string& handle) {
  weir::v1::Request request;
  request.mutable_settle_by_handle()->set_handle(handle);
  request.mutable_settle_by_handle()->set_action(weir::v1::SETTLE_ACTION_ACK);
  const auto settled = session_.call(std::move(request));
  return settled ? proto::Result<>() : settled.error();
}

proto::Result<> HandClient::serve() {
  if (proto::Result<> written = session_.write(); !written) {
    return written;
  }
  return session_.read();
}

}  // namespace weir::faults
