#pragma once

#include "proto/batch/record_batch.hpp"
#include "weir/message.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sdk {

/// The headers by which the broker knows what a message asks for.
class OwnHeaders {
 public:
  explicit OwnHeaders(const MessageView& message) {
    headers_.reserve(message.headers().size());  // nothing for a message that asks for nothing
    // The delay in front, where the batcher looks for it.
    if (message.delay()) {
      add(proto::kHeaderDelay, 0, message.delay()->count());
    }
    if (message.ttl()) {
      add(proto::kHeaderTtl, 1, message.ttl()->count());
    }
    if (message.deadline()) {
      add(proto::kHeaderDeadline, 2, message.deadline()->time_since_epoch().count());
    }
    if (message.priority()) {
      add(proto::kHeaderPriority, 3, *message.priority());
    }
    if (message.group()) {
      headers_.push_back({proto::kHeaderGroup, message.group()});
    }
    if (message.deduplication_id()) {
      headers_.push_back({proto::kHeaderDeduplicationId, message.deduplication_id()});
    }
  }
  /// Valid as long as this and the message.
  [[nodiscard]] std::vector<proto::Header>& headers() { return headers_; }

 private:
  void add(std::string_view name, std::size_t place, std::int64_t number) {
    texts_.at(place) = std::to_string(number);
    headers_.push_back({name, texts_.at(place)});
  }

  std::array<std::string, 4> texts_;
  std::vector<proto::Header> headers_;
};

}  // namespace weir::sdk
