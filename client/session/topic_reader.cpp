#include "weir/topic_reader.hpp"

#include "client/session/reader_front.hpp"

#include <utility>

namespace weir {

TopicReader::TopicReader(std::shared_ptr<sdk::ReaderFront> front) : front_(std::move(front)) {}

Result<std::optional<Record>> TopicReader::next(const CallOptions& call) {
  return front_->next(call);
}

Future<std::optional<Record>> TopicReader::async_next(const CallOptions& call) {
  return front_->async_next(call);
}

bool TopicReader::finished() const {
  return front_->finished();
}

Result<bool> TopicReader::wait_finished(const CallOptions& call) {
  return front_->wait_finished(call);
}

Future<bool> TopicReader::async_wait_finished(const CallOptions& call) {
  return front_->async_wait_finished(call);
}

std::vector<PartitionPosition> TopicReader::positions() const {
  return front_->positions();
}

Result<> TopicReader::status() const {
  return front_->status();
}

void TopicReader::close() {
  front_->close();
}

Future<> TopicReader::async_close() {
  return front_->async_close();
}

}  // namespace weir
