#pragma once

#include "proto/error.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Frames of the native protocol: u32 length | u8 type | body, little-endian; the length counts type
// and body. Frames that carry messages or settle them have fixed layouts (this file); everything
// else is a protobuf message of package weir.v1 (Hello, Welcome, Request, Response, GoAway,
// SubscriptionEnded).
namespace weir::proto {

inline constexpr std::uint16_t kProtocolMin = 1;
inline constexpr std::uint16_t kProtocolMax = 2;
/// From this one on a settlement may carry reasons, and the kinds behind kStarted exist.
inline constexpr std::uint16_t kProtocolWithReasons = 2;

enum class FrameType : std::uint8_t {
  kHello = 1,              // client first: weir.v1.Hello
  kWelcome = 2,            // broker's answer: weir.v1.Welcome, or GoAway and close
  kRequest = 3,            // weir.v1.Request
  kResponse = 4,           // weir.v1.Response
  kPing = 5,               // empty body; either side, any time after Hello
  kPong = 6,               // empty body
  kGoAway = 7,             // weir.v1.GoAway: the broker drains or closes, with the reason
  kSubscriptionEnded = 8,  // weir.v1.SubscriptionEnded: the broker ended one, with the reason
  kSend = 16,
  kSent = 17,
  kDeliver = 18,
  kSettle = 19,
  kSettled = 20,
  kCredit = 21,
  kSendCredit = 22,
  kRecords = 23,
};

/// True when a client (or a broker) may send this type at all.
bool is_known_type(std::uint8_t type);

/// Producer -> broker: one RecordBatch for one destination.
///   u32 alias | u32 partition | u64 send_number | u32 deadline_ms | batch
/// `alias` comes from Attach; `partition` is 0 for queues. Send numbers count 1, 2, 3 … per
/// connection. `deadline_ms` is what remains of the caller's patience; 0 means none.
struct Send {
  std::uint32_t alias = 0;
  std::uint32_t partition = 0;
  std::uint64_t send_number = 0;
  std::uint32_t deadline_ms = 0;
  std::string_view batch;
};

/// Broker -> producer: outcomes of sends, one frame a commit and connection.
///   u32 count | count x (u64 send_number | u16 code (0 = stored) | u16 flags | u32 retry_after_ms
///   | i64 base_offset | i64 append_time)
///   | where some have other places: two lists, each u32 count | count x (u32 entry | u32 index |
///   i64 offset): messages that were stored before, and messages that went to other lanes
/// `entry` counts the outcomes of the frame from 0, `index` the messages of its batch; those that
/// are in neither list have offsets from base_offset on, one behind the other.
struct SentEntry {
  static constexpr std::uint16_t kDuplicate = 1;  // stored before; the original offset is given

  std::uint64_t send_number = 0;
  std::uint16_t code = 0;
  std::uint16_t flags = 0;
  std::uint32_t retry_after_ms = 0;
  Offset base_offset = -1;
  TimeMs append_time = 0;
  /// A message of the batch that is not where the others are.
  struct Place {
    std::uint32_t index = 0;
    Offset offset = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  std::vector<Place> known = {};      // by its deduplication id, and stored before; by index
  std::vector<Place> elsewhere = {};  // in another lane of the queue; by index
  friend bool operator==(const SentEntry&, const SentEntry&) = default;
};
struct Sent {
  std::vector<SentEntry> entries;
};

/// Broker -> consumer: one grant, that is one lease over one slice of one batch.
///   u32 alias | u32 first_index | u32 span | u32 count | u32 lease_ms | u64 grant | u64 nonce |
///   i64 base_offset | i64 base_timestamp | u16 attempts | u16 failures | u16 losses |
///   u32 generation | u64 origin | records
/// `base_offset` is the batch's. The slice is `span` places of it from `first_index` on, of which
/// `count` have a message; each record's offset delta is its place. What is between them was done
/// before, and is not in `records`.
/// `attempts` is how often each of these messages was begun before, `failures` how many of those
/// count against the queue's max_receive_count, `losses` how many of the failures came without a
/// word from the handler.
/// `origin` is the object id of the queue and `generation` its life: for message ids and handles.
struct Deliver {
  std::uint32_t alias = 0;
  std::uint32_t first_index = 0;
  std::uint32_t span = 0;
  std::uint32_t count = 0;
  std::uint32_t lease_ms = 0;
  GrantId grant;
  std::uint64_t nonce = 0;
  Offset base_offset = 0;
  TimeMs base_timestamp = 0;
  std::uint16_t attempts = 0;
  std::uint16_t failures = 0;
  std::uint16_t losses = 0;
  std::uint32_t generation = 0;
  std::uint64_t origin = 0;
  std::string_view records;
};
/// Bytes of a Deliver body before its records.
inline constexpr std::size_t kDeliverFixedBytes = 5 * 4 + 8 * 2 + 8 * 2 + 3 * 2 + 4 + 8;

/// What a consumer says about messages it holds. An attempt counts from when it began; what counts
/// against the queue's max_receive_count are failures alone.
enum class SettleKind : std::uint8_t {
  kAck = 1,        // done, forget it
  kNack = 2,       // failed: a failure
  kRelease = 3,    // not handled: no failure, and no attempt unless one was begun
  kExtend = 4,     // the lease now ends lease_ms from now
  kStarted = 5,    // the handler begins: count the attempt
  kPoison = 6,     // can never be handled: a failure, and the last one
  kTransient = 7,  // could not be handled for a reason that passes: no failure
  kNotNow = 8,     // is not to be handled before the delay is over: no failure
};

/// The delay of a kNack or kTransient that is left to the queue's redelivery policy.
inline constexpr std::uint32_t kDelayByPolicy = UINT32_MAX;
/// A longer reason is cut by who writes it.
inline constexpr std::size_t kMaxReasonBytes = 1024;

/// Consumer -> broker: ranges of grants, each settled in one way.
///   u64 settle_number | u32 alias | u32 count |
///   count x (u8 kind | u64 grant | u64 nonce | i64 base_offset | u32 first_index | u32 count | u32
///   value)
///   [ | u32 reason_count | reason_count x (u32 range | u16 bytes | text) ]
/// `value` is lease_ms for kExtend, delay_ms (or kDelayByPolicy) for the kinds that hand a message
/// out again, else 0. Settle numbers count 1, 2, 3 … per connection. A reason says why, for people:
/// `range` counts from 0, and rises; from protocol 2 on.
struct SettleRange {
  SettleKind kind = SettleKind::kAck;
  GrantId grant;
  std::uint64_t nonce = 0;
  Offset base_offset = 0;
  std::uint32_t first_index = 0;
  std::uint32_t count = 0;
  std::uint32_t value = 0;
  std::uint32_t reason = 0;  // which of the frame's reasons it has, counted from 1; 0: none
  friend bool operator==(const SettleRange&, const SettleRange&) = default;
};
struct Settle {
  std::uint64_t settle_number = 0;
  std::uint32_t alias = 0;
  std::vector<SettleRange> ranges;
  std::vector<std::string> reasons = {};

  /// Empty: none was given.
  [[nodiscard]] std::string_view reason_of(const SettleRange& range) const {
    return range.reason != 0 ? std::string_view(reasons[range.reason - 1]) : std::string_view();
  }
};

/// Broker -> consumer: every settle up to and including `up_to` is durable, except for what
/// `failed` names.
///   u64 up_to | u32 count | count x (u64 settle_number | u64 grant | u32 first_index | u32 count |
///   u16 code)
struct SettleFailure {
  std::uint64_t settle_number = 0;
  GrantId grant;
  std::uint32_t first_index = 0;
  std::uint32_t count = 0;
  std::uint16_t code = 0;
  friend bool operator==(const SettleFailure&, const SettleFailure&) = default;
};
struct Settled {
  /// More do not fit into a frame.
  static constexpr std::size_t kMaxFailures = 600'000;

  std::uint64_t up_to = 0;
  std::vector<SettleFailure> failed;
};

/// Consumer -> broker: how much may be outstanding on a subscription. Set, not added; zero pauses.
///   u32 alias | u32 window_messages | u32 window_bytes | u64 consumed_messages | u64
///   consumed_bytes
/// For a queue, what is delivered and not settled counts against the window and the consumed
/// fields are 0. For a topic, what is delivered beyond `consumed` (running totals since Subscribe)
/// counts. A batch of a topic travels whole, so the window may be overdrawn by at most one batch.
struct Credit {
  std::uint32_t alias = 0;
  std::uint32_t window_messages = 0;
  std::uint32_t window_bytes = 0;
  std::uint64_t consumed_messages = 0;
  std::uint64_t consumed_bytes = 0;
};

/// Broker -> producer: bytes of Send bodies that may be unanswered on this connection. Set, not
/// added. A single Send may exceed it while nothing else is unanswered.
///   u32 window_bytes
struct SendCredit {
  std::uint32_t window_bytes = 0;
};

/// Broker -> topic reader: the next bytes of a partition's sequence of whole RecordBatches; batches
/// may be cut anywhere between frames. `next_offset` is the offset behind the last batch that is
/// complete with this piece, `high_watermark` the partition's end at that moment.
///   u32 alias | u32 partition | i64 next_offset | i64 high_watermark | bytes
struct Records {
  std::uint32_t alias = 0;
  std::uint32_t partition = 0;
  Offset next_offset = 0;
  Offset high_watermark = 0;
  std::string_view bytes;
};
inline constexpr std::size_t kRecordsFixedBytes = 4 * 2 + 8 * 2;

// Encoding appends a whole frame, length and type included, to `out`.
void encode_frame(FrameType type, std::string_view body, std::string& out);
void encode(const Send& frame, std::string& out);
void encode(const Sent& frame, std::string& out);
void encode(const Deliver& frame, std::string& out);
void encode(const Settle& frame, std::string& out);
void encode(const Settled& frame, std::string& out);
void encode(const Credit& frame, std::string& out);
void encode(const SendCredit& frame, std::string& out);
void encode(const Records& frame, std::string& out);

/// As encode(), but only up to where the payload begins: length and type are those of the whole
/// frame, the caller sends `frame.records` (or `frame.bytes`) itself right behind it.
void encode_head(const Deliver& frame, std::string& out);
void encode_head(const Records& frame, std::string& out);

// Decoding a body (without length and type). Views point into `body`. MALFORMED when bytes are
// missing or left over, a count does not fit the size, or an enum value is unknown.
Result<Send> decode_send(std::string_view body);
Result<Sent> decode_sent(std::string_view body);
Result<Deliver> decode_deliver(std::string_view body);
Result<Settle> decode_settle(std::string_view body);
Result<Settled> decode_settled(std::string_view body);
Result<Credit> decode_credit(std::string_view body);
Result<SendCredit> decode_send_credit(std::string_view body);
Result<Records> decode_records(std::string_view body);

}  // namespace weir::proto
