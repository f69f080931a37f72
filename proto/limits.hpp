#pragma once

#include <cstddef>
#include <cstdint>

// Limits that both sides of the wire agree on. Each is enforced by the broker; the SDK checks the
// same numbers first, so that a mistake is answered without a round trip.
namespace weir::proto {

inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 20;  // with key and headers
inline constexpr std::size_t kMaxBatchBytes = std::size_t{4} << 20;
inline constexpr std::uint32_t kMaxBatchRecords = 10'000;
inline constexpr std::size_t kMaxHeaders = 64;
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{16} << 10;
/// Of the name of a message's group.
inline constexpr std::size_t kMaxGroupBytes = 128;
/// Of what a message is known by when it is sent twice.
inline constexpr std::size_t kMaxDeduplicationIdBytes = 128;

inline constexpr std::size_t kMaxFrameBytesBeforeHello = std::size_t{8} << 10;
inline constexpr std::size_t kMaxFrameBytes = std::size_t{16} << 20;
/// A protobuf request: parsed, a hostile one takes up to thirty times its bytes.
inline constexpr std::size_t kMaxRequestBytes = std::size_t{256} << 10;
/// Bulk data leaves in pieces of at most this, so that a replay never holds up a send beside it.
inline constexpr std::size_t kMaxPieceBytes = std::size_t{256} << 10;

inline constexpr std::uint32_t kMaxConnections = 10'000;
inline constexpr std::uint32_t kMaxSubscriptionsPerConnection = 1'000;
inline constexpr std::uint64_t kMaxObjects = 1'000'000;
inline constexpr std::uint64_t kMaxNamespaces = 10'000;
inline constexpr std::uint32_t kMaxPartitionsPerTopic = 1'000;
/// Of a list of queues or topics one answer holds, and looks at, at most so many.
inline constexpr std::uint32_t kMaxPageResults = 1'000;
inline constexpr std::size_t kMaxPatternBytes = 249;
/// Receipt handles in one request.
inline constexpr std::size_t kMaxSettlesPerRequest = 1'000;
inline constexpr std::uint32_t kMaxInFlightPerQueue = 120'000;

inline constexpr std::int64_t kMaxWaitMs = 20'000;
/// Of a message's time to live, and of a queue's retention.
inline constexpr std::int64_t kMaxTtlMs = std::int64_t{30} * 24 * 3600 * 1000;
inline constexpr std::int64_t kMinRetentionMs = 60 * 1000;
inline constexpr std::int64_t kMaxRetentionMs = std::int64_t{14} * 24 * 3600 * 1000;
/// Of a message's own timestamp, before 1970 as well: the difference of two never overflows.
inline constexpr std::int64_t kMaxTimestampMs = std::int64_t{1} << 60;
inline constexpr std::int64_t kMaxDelayMs = std::int64_t{30} * 24 * 3600 * 1000;
/// For how long a FIFO queue knows what was sent.
inline constexpr std::int64_t kMinDeduplicationMs = 1000;
inline constexpr std::int64_t kMaxDeduplicationMs = std::int64_t{24} * 3600 * 1000;
inline constexpr std::int64_t kDefaultDeduplicationMs = std::int64_t{5} * 60 * 1000;
inline constexpr std::int64_t kMaxLeaseMs = std::int64_t{12} * 3600 * 1000;
inline constexpr std::uint32_t kMaxReceiveCountLimit = 1'000;
/// Means that there is no budget.
inline constexpr std::int64_t kMaxRedeliveryBudgetPercent = 1'000'000;
/// The largest bounds that a queue may be given.
inline constexpr std::int64_t kMaxQueueMessagesLimit = 1'000'000'000'000;
inline constexpr std::int64_t kMaxQueueBytesLimit = std::int64_t{1} << 50;

inline constexpr std::uint16_t kDefaultPort = 7340;
inline constexpr std::uint16_t kDefaultHttpPort = 7341;
inline constexpr std::int64_t kDefaultLeaseMs = 30'000;
inline constexpr std::uint32_t kDefaultMaxReceiveCount = 10;
inline constexpr std::int64_t kDefaultRedeliveryBudgetPercent = 20;
inline constexpr std::uint32_t kDefaultCreditMessages = 1'000;
inline constexpr std::uint32_t kDefaultCreditBytes = std::uint32_t{8} << 20;
inline constexpr std::int64_t kHeartbeatMs = 10'000;
inline constexpr std::int64_t kDeadAfterMs = 30'000;
inline constexpr std::int64_t kHelloTimeoutMs = 5'000;
/// No broker may be told to wait longer for its clients when it stops.
inline constexpr std::int64_t kMaxDrainMs = 600'000;

/// A producer has at most this many unconfirmed batches per destination, because the broker
/// remembers that many of each (Kafka's rule for idempotent producers).
inline constexpr std::uint32_t kMaxUnconfirmedBatches = 5;

}  // namespace weir::proto
