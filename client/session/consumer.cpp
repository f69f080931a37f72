#include "weir/consumer.hpp"

#include "client/session/consumer_front.hpp"

#include <utility>

namespace weir {

QueueConsumer::QueueConsumer(std::shared_ptr<sdk::ConsumerFront> front)
    : front_(std::move(front)) {}

Result<std::optional<Delivery>> QueueConsumer::next(const CallOptions& call) {
  return front_->next(call);
}

Future<std::optional<Delivery>> QueueConsumer::async_next(const CallOptions& call) {
  return front_->async_next(call);
}

void QueueConsumer::pause() {
  front_->set_paused(true);
}

void QueueConsumer::resume() {
  front_->set_paused(false);
}

void QueueConsumer::set_window(std::uint32_t messages, std::uint32_t bytes) {
  front_->set_window(messages, bytes);
}

void QueueConsumer::close() {
  front_->close();
}

Future<> QueueConsumer::async_close() {
  return front_->async_close();
}

Result<> QueueConsumer::status() const {
  return front_->status();
}

std::size_t QueueConsumer::buffered() const {
  return front_->buffered();
}

std::chrono::milliseconds QueueConsumer::redelivery_delay() const {
  return front_->redelivery_delay();
}

}  // namespace weir
