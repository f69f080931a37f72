#pragma once

#include "broker/core/command.hpp"
#include "broker/core/queue/queue.hpp"
#include "proto/ids.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

// Messages that a FIFO queue takes once, however often they are sent within its time. What was sent
// is known by rows, so that memory does not follow it; a send that is to be looked up waits for a
// read. Rows lie in parts by the time when they came, and go a part at a time.
namespace weir::core {

/// The ids by which the messages of a send are known to that queue; nullopt for those that are
/// not. Empty where none is.
[[nodiscard]] std::vector<std::optional<DeduplicationId>> deduplication_ids(const Queue& queue,
                                                                            const SendBatch& send);

/// A message that came with an id, and when.
struct KnownMessage {
  proto::Offset offset = 0;
  proto::TimeMs time = 0;
  friend bool operator==(const KnownMessage&, const KnownMessage&) = default;
};

/// Where a decision finds what came with an id: whatever the driver keeps in memory, and has read.
class KnownIds {
 public:
  /// It has to be read.
  struct Unknown {};
  using Found = std::variant<Unknown, std::optional<KnownMessage>>;

  virtual ~KnownIds() = default;
  /// The newest message with that id in that life of the queue; nullopt: there is none.
  [[nodiscard]] virtual Found find(proto::QueueId queue, std::uint32_t generation,
                                   const DeduplicationId& id) const = 0;
};

/// What has to be read for a send: the newest row of each id in any of the parts.
struct NeedIds {
  proto::QueueId queue;
  std::uint32_t generation = 0;
  std::vector<proto::TimeMs> parts;  // oldest first
  std::vector<DeduplicationId> ids;
};

/// All ids of a send: what is known of some of them now may be forgotten until the others are read.
[[nodiscard]] NeedIds need_all(const Queue& queue, const SendBatch& send);

/// The part in which what comes now is to be kept, and the first one that is still needed then.
struct DeduplicationParts {
  proto::TimeMs current = 0;
  proto::TimeMs first = 0;
};
[[nodiscard]] DeduplicationParts parts_at(const Queue& queue, proto::TimeMs now);

}  // namespace weir::core
