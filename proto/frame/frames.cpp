#include "proto/frame/frames.hpp"

#include "proto/frame/wire_io.hpp"

#include <optional>

namespace weir::proto {
namespace {

constexpr std::size_t kSendFixedBytes = 4 + 4 + 8 + 4;
constexpr std::size_t kSentEntryBytes = 8 + 2 + 2 + 4 + 8 + 8;
constexpr std::size_t kSentPlaceBytes = 4 + 4 + 8;
constexpr std::size_t kSettleFixedBytes = 8 + 4 + 4;
constexpr std::size_t kSettleRangeBytes = 1 + 8 + 8 + 8 + 4 + 4 + 4;
constexpr std::size_t kSettleReasonFixedBytes = 4 + 2;
constexpr std::size_t kSettledFixedBytes = 8 + 4;
constexpr std::size_t kSettleFailureBytes = 8 + 8 + 4 + 4 + 2;
static_assert(kSettledFixedBytes + Settled::kMaxFailures * kSettleFailureBytes < kMaxFrameBytes);
constexpr std::size_t kCreditBytes = 4 + 4 + 4 + 8 + 8;
constexpr std::size_t kSendCreditBytes = 4;

Error malformed(const char* frame) {
  return fail(Errc::kMalformed, std::string("the bytes are no ") + frame + " frame");
}

bool is_settle_kind(std::uint8_t kind) {
  switch (static_cast<SettleKind>(kind)) {
    case SettleKind::kAck:
    case SettleKind::kNack:
    case SettleKind::kRelease:
    case SettleKind::kExtend:
    case SettleKind::kStarted:
    case SettleKind::kPoison:
    case SettleKind::kTransient:
    case SettleKind::kNotNow:
      return true;
  }
  return false;
}

/// At least one: what says nothing is not written.
bool take_reasons(WireReader& reader, Settle& frame) {
  const std::size_t count = reader.take_leading_count(kSettleReasonFixedBytes);
  std::size_t next = 0;
  bool is_sound = count > 0;
  for (std::size_t i = 0; i < count && is_sound; ++i) {
    const auto range = reader.take<std::uint32_t>();
    const auto bytes = reader.take<std::uint16_t>();
    is_sound =
        range >= next && range < frame.ranges.size() && bytes > 0 && bytes <= kMaxReasonBytes;
    if (is_sound) {
      // Mostly one after the other fails for the same reason: then they can go back together.
      const std::string_view reason = reader.take_bytes(bytes);
      if (frame.reasons.empty() || frame.reasons.back() != reason) {
        frame.reasons.emplace_back(reason);
      }
      frame.ranges[range].reason = static_cast<std::uint32_t>(frame.reasons.size());
      next = std::size_t{range} + 1;
    }
  }
  return is_sound && reader.ok();
}

}  // namespace

bool is_known_type(std::uint8_t type) {
  switch (static_cast<FrameType>(type)) {
    case FrameType::kHello:
    case FrameType::kWelcome:
    case FrameType::kRequest:
    case FrameType::kResponse:
    case FrameType::kPing:
    case FrameType::kPong:
    case FrameType::kGoAway:
    case FrameType::kSubscriptionEnded:
    case FrameType::kSend:
    case FrameType::kSent:
    case FrameType::kDeliver:
    case FrameType::kSettle:
    case FrameType::kSettled:
    case FrameType::kCredit:
    case FrameType::kSendCredit:
    case FrameType::kRecords:
      return true;
  }
  return false;
}

void encode_frame(FrameType type, std::string_view body, std::string& out) {
  out.reserve(out.size() + kFrameHeadBytes + body.size());
  {
    const FrameWriter head(type, 0, body.size(), out);
  }
  out.append(body);
}

void encode(const Send& frame, std::string& out) {
  out.reserve(out.size() + kFrameHeadBytes + kSendFixedBytes + frame.batch.size());
  {
    FrameWriter writer(FrameType::kSend, kSendFixedBytes, frame.batch.size(), out);
    writer.put<std::uint32_t>(frame.alias);
    writer.put<std::uint32_t>(frame.partition);
    writer.put<std::uint64_t>(frame.send_number);
    writer.put<std::uint32_t>(frame.deadline_ms);
  }
  out.append(frame.batch);
}

namespace {

using Places = std::vector<SentEntry::Place> SentEntry::*;

std::size_t count_of(const Sent& frame, Places places) {
  std::size_t count = 0;
  for (const SentEntry& entry : frame.entries) {
    count += (entry.*places).size();
  }
  return count;
}

void put_places(FrameWriter& writer, const Sent& frame, Places places) {
  writer.put<std::uint32_t>(static_cast<std::uint32_t>(count_of(frame, places)));
  for (std::uint32_t i = 0; i < frame.entries.size(); ++i) {
    for (const SentEntry::Place& message : frame.entries[i].*places) {
      writer.put<std::uint32_t>(i);
      writer.put<std::uint32_t>(message.index);
      writer.put<std::int64_t>(message.offset);
    }
  }
}

}  // namespace

void encode(const Sent& frame, std::string& out) {
  const std::size_t places =
      count_of(frame, &SentEntry::known) + count_of(frame, &SentEntry::elsewhere);
  const std::size_t place_bytes =
      places > 0 ? 2 * sizeof(std::uint32_t) + places * kSentPlaceBytes : 0;
  FrameWriter writer(FrameType::kSent, 4 + frame.entries.size() * kSentEntryBytes + place_bytes, 0,
                     out);
  writer.put<std::uint32_t>(static_cast<std::uint32_t>(frame.entries.size()));
  for (const SentEntry& entry : frame.entries) {
    writer.put<std::uint64_t>(entry.send_number);
    writer.put<std::uint16_t>(entry.code);
    writer.put<std::uint16_t>(entry.flags);
    writer.put<std::uint32_t>(entry.retry_after_ms);
    writer.put<std::int64_t>(entry.base_offset);
    writer.put<std::int64_t>(entry.append_time);
  }
  if (places > 0) {
    put_places(writer, frame, &SentEntry::known);
    put_places(writer, frame, &SentEntry::elsewhere);
  }
}

void encode_head(const Deliver& frame, std::string& out) {
  FrameWriter writer(FrameType::kDeliver, kDeliverFixedBytes, frame.records.size(), out);
  writer.put<std::uint32_t>(frame.alias);
  writer.put<std::uint32_t>(frame.first_index);
  writer.put<std::uint32_t>(frame.span);
  writer.put<std::uint32_t>(frame.count);
  writer.put<std::uint32_t>(frame.lease_ms);
  writer.put<std::uint64_t>(frame.grant.value);
  writer.put<std::uint64_t>(frame.nonce);
  writer.put<std::int64_t>(frame.base_offset);
  writer.put<std::int64_t>(frame.base_timestamp);
  writer.put<std::uint16_t>(frame.attempts);
  writer.put<std::uint16_t>(frame.failures);
  writer.put<std::uint16_t>(frame.losses);
  writer.put<std::uint32_t>(frame.generation);
  writer.put<std::uint64_t>(frame.origin);
}

void encode(const Deliver& frame, std::string& out) {
  out.reserve(out.size() + kFrameHeadBytes + kDeliverFixedBytes + frame.records.size());
  encode_head(frame, out);
  out.append(frame.records);
}

void encode(const Settle& frame, std::string& out) {
  std::size_t reasons = 0;
  std::size_t reason_bytes = 0;
  for (const SettleRange& range : frame.ranges) {
    if (range.reason != 0) {
      ++reasons;
      reason_bytes += kSettleReasonFixedBytes + frame.reason_of(range).size();
    }
  }
  reason_bytes += reasons > 0 ? sizeof(std::uint32_t) : 0;
  FrameWriter writer(FrameType::kSettle,
                     kSettleFixedBytes + frame.ranges.size() * kSettleRangeBytes + reason_bytes, 0,
                     out);
  writer.put<std::uint64_t>(frame.settle_number);
  writer.put<std::uint32_t>(frame.alias);
  writer.put<std::uint32_t>(static_cast<std::uint32_t>(frame.ranges.size()));
  for (const SettleRange& range : frame.ranges) {
    writer.put<std::uint8_t>(static_cast<std::uint8_t>(range.kind));
    writer.put<std::uint64_t>(range.grant.value);
    writer.put<std::uint64_t>(range.nonce);
    writer.put<std::int64_t>(range.base_offset);
    writer.put<std::uint32_t>(range.first_index);
    writer.put<std::uint32_t>(range.count);
    writer.put<std::uint32_t>(range.value);
  }
  if (reasons == 0) {
    return;
  }
  writer.put<std::uint32_t>(static_cast<std::uint32_t>(reasons));
  for (std::uint32_t i = 0; i < frame.ranges.size(); ++i) {
    if (const std::string_view reason = frame.reason_of(frame.ranges[i]); !reason.empty()) {
      writer.put<std::uint32_t>(i);
      writer.put<std::uint16_t>(static_cast<std::uint16_t>(reason.size()));
      writer.put_bytes(reason);
    }
  }
}

void encode(const Settled& frame, std::string& out) {
  FrameWriter writer(FrameType::kSettled,
                     kSettledFixedBytes + frame.failed.size() * kSettleFailureBytes, 0, out);
  writer.put<std::uint64_t>(frame.up_to);
  writer.put<std::uint32_t>(static_cast<std::uint32_t>(frame.failed.size()));
  for (const SettleFailure& failure : frame.failed) {
    writer.put<std::uint64_t>(failure.settle_number);
    writer.put<std::uint64_t>(failure.grant.value);
    writer.put<std::uint32_t>(failure.first_index);
    writer.put<std::uint32_t>(failure.count);
    writer.put<std::uint16_t>(failure.code);
  }
}

void encode(const Credit& frame, std::string& out) {
  FrameWriter writer(FrameType::kCredit, kCreditBytes, 0, out);
  writer.put<std::uint32_t>(frame.alias);
  writer.put<std::uint32_t>(frame.window_messages);
  writer.put<std::uint32_t>(frame.window_bytes);
  writer.put<std::uint64_t>(frame.consumed_messages);
  writer.put<std::uint64_t>(frame.consumed_bytes);
}

void encode(const SendCredit& frame, std::string& out) {
  FrameWriter writer(FrameType::kSendCredit, kSendCreditBytes, 0, out);
  writer.put<std::uint32_t>(frame.window_bytes);
}

void encode_head(const Records& frame, std::string& out) {
  FrameWriter writer(FrameType::kRecords, kRecordsFixedBytes, frame.bytes.size(), out);
  writer.put<std::uint32_t>(frame.alias);
  writer.put<std::uint32_t>(frame.partition);
  writer.put<std::int64_t>(frame.next_offset);
  writer.put<std::int64_t>(frame.high_watermark);
}

void encode(const Records& frame, std::string& out) {
  out.reserve(out.size() + kFrameHeadBytes + kRecordsFixedBytes + frame.bytes.size());
  encode_head(frame, out);
  out.append(frame.bytes);
}

Result<Send> decode_send(std::string_view body) {
  WireReader reader(body);
  Send frame;
  frame.alias = reader.take<std::uint32_t>();
  frame.partition = reader.take<std::uint32_t>();
  frame.send_number = reader.take<std::uint64_t>();
  frame.deadline_ms = reader.take<std::uint32_t>();
  frame.batch = reader.take_rest();
  if (!reader.done()) {
    return malformed("Send");
  }
  return frame;
}

namespace {

/// One list of messages with other places; nullopt where it cannot be one, else how long it is.
std::optional<std::size_t> take_places(WireReader& reader, Sent& frame, Places places) {
  const std::size_t count = reader.take_leading_count(kSentPlaceBytes);
  std::uint32_t last_entry = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = reader.take<std::uint32_t>();
    const auto index = reader.take<std::uint32_t>();
    const auto offset = reader.take<std::int64_t>();
    if (entry < last_entry || entry >= frame.entries.size() || index >= kMaxBatchRecords ||
        offset < 0) {
      return std::nullopt;
    }
    std::vector<SentEntry::Place>& taken = frame.entries[entry].*places;
    if (!taken.empty() && taken.back().index >= index) {
      return std::nullopt;
    }
    taken.push_back({index, offset});
    last_entry = entry;
  }
  return count;
}

/// Both lists, which are there where one of them is not empty.
bool take_places(WireReader& reader, Sent& frame) {
  const auto known = take_places(reader, frame, &SentEntry::known);
  const auto elsewhere = known ? take_places(reader, frame, &SentEntry::elsewhere) : std::nullopt;
  return elsewhere && *known + *elsewhere > 0;
}

}  // namespace

Result<Sent> decode_sent(std::string_view body) {
  WireReader reader(body);
  Sent frame;
  frame.entries.resize(reader.take_leading_count(kSentEntryBytes));
  for (SentEntry& entry : frame.entries) {
    entry.send_number = reader.take<std::uint64_t>();
    entry.code = reader.take<std::uint16_t>();
    entry.flags = reader.take<std::uint16_t>();
    entry.retry_after_ms = reader.take<std::uint32_t>();
    entry.base_offset = reader.take<std::int64_t>();
    entry.append_time = reader.take<std::int64_t>();
  }
  if (!reader.is_empty() && !take_places(reader, frame)) {
    return malformed("Sent");
  }
  if (!reader.done()) {
    return malformed("Sent");
  }
  return frame;
}

Result<Deliver> decode_deliver(std::string_view body) {
  WireReader reader(body);
  Deliver frame;
  frame.alias = reader.take<std::uint32_t>();
  frame.first_index = reader.take<std::uint32_t>();
  frame.span = reader.take<std::uint32_t>();
  frame.count = reader.take<std::uint32_t>();
  frame.lease_ms = reader.take<std::uint32_t>();
  frame.grant = GrantId(reader.take<std::uint64_t>());
  frame.nonce = reader.take<std::uint64_t>();
  frame.base_offset = reader.take<std::int64_t>();
  frame.base_timestamp = reader.take<std::int64_t>();
  frame.attempts = reader.take<std::uint16_t>();
  frame.failures = reader.take<std::uint16_t>();
  frame.losses = reader.take<std::uint16_t>();
  frame.generation = reader.take<std::uint32_t>();
  frame.origin = reader.take<std::uint64_t>();
  frame.records = reader.take_rest();
  if (!reader.done()) {
    return malformed("Deliver");
  }
  return frame;
}

Result<Settle> decode_settle(std::string_view body) {
  WireReader reader(body);
  Settle frame;
  frame.settle_number = reader.take<std::uint64_t>();
  frame.alias = reader.take<std::uint32_t>();
  frame.ranges.resize(reader.take_leading_count(kSettleRangeBytes));
  bool kinds_known = true;
  for (SettleRange& range : frame.ranges) {
    const auto kind = reader.take<std::uint8_t>();
    kinds_known = kinds_known && is_settle_kind(kind);
    range.kind = static_cast<SettleKind>(kind);
    range.grant = GrantId(reader.take<std::uint64_t>());
    range.nonce = reader.take<std::uint64_t>();
    range.base_offset = reader.take<std::int64_t>();
    range.first_index = reader.take<std::uint32_t>();
    range.count = reader.take<std::uint32_t>();
    range.value = reader.take<std::uint32_t>();
  }
  if (!reader.is_empty() && !take_reasons(reader, frame)) {
    return malformed("Settle");
  }
  if (!reader.done() || !kinds_known) {
    return malformed("Settle");
  }
  return frame;
}

Result<Settled> decode_settled(std::string_view body) {
  WireReader reader(body);
  Settled frame;
  frame.up_to = reader.take<std::uint64_t>();
  frame.failed.resize(reader.take_count(kSettleFailureBytes));
  for (SettleFailure& failure : frame.failed) {
    failure.settle_number = reader.take<std::uint64_t>();
    failure.grant = GrantId(reader.take<std::uint64_t>());
    failure.first_index = reader.take<std::uint32_t>();
    failure.count = reader.take<std::uint32_t>();
    failure.code = reader.take<std::uint16_t>();
  }
  if (!reader.done()) {
    return malformed("Settled");
  }
  return frame;
}

Result<Credit> decode_credit(std::string_view body) {
  WireReader reader(body);
  Credit frame;
  frame.alias = reader.take<std::uint32_t>();
  frame.window_messages = reader.take<std::uint32_t>();
  frame.window_bytes = reader.take<std::uint32_t>();
  frame.consumed_messages = reader.take<std::uint64_t>();
  frame.consumed_bytes = reader.take<std::uint64_t>();
  if (!reader.done()) {
    return malformed("Credit");
  }
  return frame;
}

Result<SendCredit> decode_send_credit(std::string_view body) {
  WireReader reader(body);
  SendCredit frame;
  frame.window_bytes = reader.take<std::uint32_t>();
  if (!reader.done()) {
    return malformed("SendCredit");
  }
  return frame;
}

Result<Records> decode_records(std::string_view body) {
  WireReader reader(body);
  Records frame;
  frame.alias = reader.take<std::uint32_t>();
  frame.partition = reader.take<std::uint32_t>();
  frame.next_offset = reader.take<std::int64_t>();
  frame.high_watermark = reader.take<std::int64_t>();
  frame.bytes = reader.take_rest();
  if (!reader.done()) {
    return malformed("Records");
  }
  return frame;
}

}  // namespace weir::proto
