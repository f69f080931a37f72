#include "weir/producer.hpp"

#include "client/session/producer_front.hpp"

#include <utility>

namespace weir {

Producer::Producer(std::shared_ptr<sdk::ProducerFront> front) : front_(std::move(front)) {}

Result<> Producer::send(const MessageView& message, SendCallback callback,
                        const CallOptions& call) {
  return front_->send(message, call, /*may_block=*/true, std::move(callback));
}

Result<> Producer::send(const Message& message, SendCallback callback, const CallOptions& call) {
  std::vector<HeaderView> headers;
  return send(message.view(headers), std::move(callback), call);
}

Result<> Producer::try_send(const MessageView& message, SendCallback callback,
                            const CallOptions& call) {
  return front_->send(message, call, /*may_block=*/false, std::move(callback));
}

Result<> Producer::try_send(const Message& message, SendCallback callback,
                            const CallOptions& call) {
  std::vector<HeaderView> headers;
  return try_send(message.view(headers), std::move(callback), call);
}

Future<SendReceipt> Producer::async_send(const MessageView& message, const CallOptions& call) {
  return front_->send(message, call, /*may_block=*/false);
}

Future<SendReceipt> Producer::async_send(const Message& message, const CallOptions& call) {
  std::vector<HeaderView> headers;
  return async_send(message.view(headers), call);
}

Result<SendReceipt> Producer::send(const MessageView& message, const CallOptions& call) {
  return front_->send_and_wait(message, call);
}

Result<SendReceipt> Producer::send(const Message& message, const CallOptions& call) {
  std::vector<HeaderView> headers;
  return send(message.view(headers), call);
}

Result<> Producer::flush(const CallOptions& call) {
  return front_->flush(call);
}

Future<> Producer::async_flush(const CallOptions& call) {
  return front_->async_flush(call);
}

void Producer::close() {
  front_->close();
}

std::size_t Producer::buffered_messages() const {
  return front_->buffered_messages();
}

std::size_t Producer::buffered_bytes() const {
  return front_->buffered_bytes();
}

std::uint32_t Producer::partitions() const {
  return front_->partitions();
}

}  // namespace weir
