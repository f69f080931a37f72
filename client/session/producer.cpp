#include "weir/producer.hpp"

#include "client/session/producer_front.hpp"

#include <utility>

namespace weir {

Producer::Producer(std::shared_ptr<sdk::ProducerFront> front) : front_(std::move(front)) {}

Result<> Producer::send(const MessageView& message, SendCallback callback) {
  return front_->send(message, front_->send_timeout(), /*may_block=*/true, std::move(callback));
}

Result<> Producer::send(const Message& message, SendCallback callback) {
  std::vector<HeaderView> headers;
  return send(message.view(headers), std::move(callback));
}

Result<> Producer::try_send(const MessageView& message, SendCallback callback) {
  return front_->send(message, front_->send_timeout(), /*may_block=*/false, std::move(callback));
}

Result<> Producer::try_send(const Message& message, SendCallback callback) {
  std::vector<HeaderView> headers;
  return try_send(message.view(headers), std::move(callback));
}

Result<SendReceipt> Producer::send(const MessageView& message) {
  return front_->send_and_wait(message, front_->send_timeout());
}

Result<SendReceipt> Producer::send(const Message& message) {
  return send(message, front_->send_timeout());
}

Result<SendReceipt> Producer::send(const MessageView& message, std::chrono::milliseconds timeout) {
  return front_->send_and_wait(message, timeout);
}

Result<SendReceipt> Producer::send(const Message& message, std::chrono::milliseconds timeout) {
  std::vector<HeaderView> headers;
  return front_->send_and_wait(message.view(headers), timeout);
}

Result<> Producer::flush() {
  return front_->flush(front_->send_timeout());
}

Result<> Producer::flush(std::chrono::milliseconds timeout) {
  return front_->flush(timeout);
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
