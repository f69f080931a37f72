#include "proto/frame/frames.hpp"

#include "proto/endian.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::proto {
namespace {

constexpr std::uint64_t kLarge = 0xf1e2d3c4b5a69788U;
constexpr Offset kOffset = 0x1122334455667788;

Send send_sample() {
  return {1, 2, kLarge, 4, "a batch"};
}

Sent sent_sample() {
  return {{SentEntry{1, 0, SentEntry::kDuplicate, 0, kOffset, 1'700'000'000'000},
           SentEntry{2, 27, 0, 500, -1, 0}}};
}

Deliver deliver_sample() {
  Deliver frame;
  frame.alias = 1;
  frame.first_index = 2;
  frame.span = 4;
  frame.count = 3;
  frame.lease_ms = 30'000;
  frame.grant = GrantId(kLarge);
  frame.nonce = kLarge - 1;
  frame.base_offset = kOffset;
  frame.base_timestamp = -5;
  frame.attempts = 6;
  frame.failures = 7;
  frame.losses = 5;
  frame.generation = 8;
  frame.origin = 9;
  frame.records = "records";
  return frame;
}

Settle settle_sample() {
  Settle frame{7, 8, {}};
  for (const SettleKind kind :
       {SettleKind::kAck, SettleKind::kNack, SettleKind::kRelease, SettleKind::kExtend,
        SettleKind::kStarted, SettleKind::kPoison, SettleKind::kTransient, SettleKind::kNotNow}) {
    frame.ranges.push_back(SettleRange{kind, GrantId(kLarge), 3, kOffset, 4, 5, 6, 0});
  }
  return frame;
}

Settled settled_sample() {
  return {kLarge, {SettleFailure{1, GrantId(2), 3, 4, 16}, SettleFailure{5, GrantId(6), 7, 8, 15}}};
}

Credit credit_sample() {
  return {1, 2, 3, kLarge, kLarge - 1};
}

Records records_sample() {
  return {1, 2, kOffset, kOffset + 1, "pieces of batches"};
}

template <class Frame>
std::string whole(const Frame& frame) {
  std::string bytes;
  encode(frame, bytes);
  return bytes;
}

/// The body, after a check of length and type.
std::string_view body_of(std::string_view bytes, FrameType type) {
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data()), bytes.size() - 4);
  EXPECT_EQ(static_cast<std::uint8_t>(bytes[4]), static_cast<std::uint8_t>(type));
  return bytes.substr(5);
}

/// Each kind of frame with its decoder, and how many bytes it has before what may have any length.
struct Kind {
  std::string name;
  std::string body;
  bool has_payload;
  std::size_t fixed_bytes;
  std::function<Result<>(std::string_view)> decode;
};

template <class Frame>
Kind kind_of(const char* name, const Frame& frame, bool has_payload, std::size_t fixed_bytes,
             Result<Frame> (*decode)(std::string_view)) {
  return Kind{name, whole(frame).substr(5), has_payload, fixed_bytes,
              [decode](std::string_view body) -> Result<> {
                const Result<Frame> decoded = decode(body);
                if (!decoded) {
                  return decoded.error();
                }
                return {};
              }};
}

std::vector<Kind> all_kinds() {
  return {
      kind_of("Send", send_sample(), true, 20, decode_send),
      kind_of("Sent", sent_sample(), false, 4 + 2 * 32, decode_sent),
      kind_of("Deliver", deliver_sample(), true, kDeliverFixedBytes, decode_deliver),
      kind_of("Settle", settle_sample(), false, 16 + 8 * 37, decode_settle),
      kind_of("Settled", settled_sample(), false, 12 + 2 * 26, decode_settled),
      kind_of("Credit", credit_sample(), false, 28, decode_credit),
      kind_of("SendCredit", SendCredit{12}, false, 4, decode_send_credit),
      kind_of("Records", records_sample(), true, kRecordsFixedBytes, decode_records),
  };
}

TEST(Frames, SendComesBack) {
  const std::string bytes = whole(send_sample());
  const Result<Send> frame = decode_send(body_of(bytes, FrameType::kSend));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->alias, 1U);
  EXPECT_EQ(frame->partition, 2U);
  EXPECT_EQ(frame->send_number, kLarge);
  EXPECT_EQ(frame->deadline_ms, 4U);
  EXPECT_EQ(frame->batch, "a batch");
}

TEST(Frames, SentComesBack) {
  const std::string bytes = whole(sent_sample());
  const Result<Sent> frame = decode_sent(body_of(bytes, FrameType::kSent));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->entries, sent_sample().entries);
}

TEST(Frames, SentTellsWhatIsInOtherLanes) {
  Sent sample = sent_sample();
  sample.entries[1].elsewhere = {{0, 5}, {9, kOffset}};
  EXPECT_EQ(decode_sent(whole(sample).substr(5))->entries, sample.entries);
  sample.entries[0].known = {{0, 7}};
  EXPECT_EQ(decode_sent(whole(sample).substr(5))->entries, sample.entries);
  sample.entries[1].elsewhere[0].index = 9;
  EXPECT_FALSE(decode_sent(whole(sample).substr(5))) << "it comes twice";
}

TEST(Frames, SentTellsWhatWasStoredBefore) {
  Sent sample = sent_sample();
  sample.entries[0].known = {{0, 5}, {9, kOffset}};
  sample.entries[1].known = {{3, 0}};
  const std::string bytes = whole(sample);
  const Result<Sent> frame = decode_sent(body_of(bytes, FrameType::kSent));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->entries, sample.entries);

  const auto refuses = [&](const auto& change) {
    Sent other = sample;
    change(other);
    return !decode_sent(whole(other).substr(5));
  };
  EXPECT_TRUE(refuses([](Sent& sent) { sent.entries[0].known[1].index = 0; })) << "it comes twice";
  EXPECT_TRUE(refuses([](Sent& sent) { sent.entries[0].known[1].index = kMaxBatchRecords; }));
  EXPECT_TRUE(refuses([](Sent& sent) { sent.entries[1].known[0].offset = -1; }));
  const std::string body = whole(sample).substr(5);
  for (std::size_t bytes_left = 4 + 2 * 32 + 1; bytes_left < body.size(); ++bytes_left) {
    EXPECT_FALSE(decode_sent(body.substr(0, bytes_left))) << bytes_left;
  }
  std::string of_no_entry = body;
  store_le<std::uint32_t>(of_no_entry.data() + 4 + 2 * 32 + 4, 2);
  EXPECT_FALSE(decode_sent(of_no_entry));
}

TEST(Frames, DeliverComesBack) {
  const Deliver sample = deliver_sample();
  const std::string bytes = whole(sample);
  const Result<Deliver> frame = decode_deliver(body_of(bytes, FrameType::kDeliver));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->alias, sample.alias);
  EXPECT_EQ(frame->first_index, sample.first_index);
  EXPECT_EQ(frame->count, sample.count);
  EXPECT_EQ(frame->lease_ms, sample.lease_ms);
  EXPECT_EQ(frame->grant, sample.grant);
  EXPECT_EQ(frame->nonce, sample.nonce);
  EXPECT_EQ(frame->base_offset, sample.base_offset);
  EXPECT_EQ(frame->base_timestamp, sample.base_timestamp);
  EXPECT_EQ(frame->attempts, sample.attempts);
  EXPECT_EQ(frame->failures, sample.failures);
  EXPECT_EQ(frame->generation, sample.generation);
  EXPECT_EQ(frame->origin, sample.origin);
  EXPECT_EQ(frame->records, sample.records);
}

TEST(Frames, SettleComesBack) {
  const std::string bytes = whole(settle_sample());
  const Result<Settle> frame = decode_settle(body_of(bytes, FrameType::kSettle));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->settle_number, 7U);
  EXPECT_EQ(frame->alias, 8U);
  EXPECT_EQ(frame->ranges, settle_sample().ranges);
}

Settle settle_with_reasons() {
  Settle frame = settle_sample();
  frame.reasons = {"the database is away", std::string(kMaxReasonBytes, 'x')};
  frame.ranges[1].reason = 1;
  frame.ranges[5].reason = 2;
  return frame;
}

TEST(Frames, SettleComesBackWithItsReasons) {
  const std::string bytes = whole(settle_with_reasons());
  const Result<Settle> frame = decode_settle(body_of(bytes, FrameType::kSettle));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->ranges, settle_with_reasons().ranges);
  EXPECT_EQ(frame->reasons, settle_with_reasons().reasons);
  EXPECT_EQ(frame->reason_of(frame->ranges[1]), "the database is away");
  EXPECT_EQ(frame->reason_of(frame->ranges[0]), "");
  const std::string body = bytes.substr(5);
  for (std::size_t size = whole(settle_sample()).size() - 5 + 1; size < body.size(); ++size) {
    EXPECT_FALSE(decode_settle(body.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_settle(body + "x"));
}

TEST(Frames, AReasonOfSeveralRangesIsWrittenForEach) {
  Settle frame = settle_sample();
  frame.reasons = {"away"};
  frame.ranges[1].reason = 1;
  frame.ranges[2].reason = 1;
  const Result<Settle> again = decode_settle(whole(frame).substr(5));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->reason_of(again->ranges[1]), "away");
  EXPECT_EQ(again->reason_of(again->ranges[2]), "away");
  EXPECT_EQ(again->ranges, frame.ranges) << "which have it together";
}

TEST(Frames, ReasonsThatLieAreMalformed) {
  const auto is_taken = [](const std::vector<std::pair<std::uint32_t, std::string>>& reasons) {
    std::string body = whole(settle_sample()).substr(5);
    const auto append = [&body](auto number) {
      body.append(sizeof(number), ' ');
      store_le<decltype(number)>(body.data() + body.size() - sizeof(number), number);
    };
    append(static_cast<std::uint32_t>(reasons.size()));
    for (const auto& [range, text] : reasons) {
      append(range);
      append(static_cast<std::uint16_t>(text.size()));
      body += text;
    }
    return decode_settle(body).has_value();
  };
  EXPECT_TRUE(is_taken({{7, "last"}}));
  EXPECT_TRUE(is_taken({{0, "first"}, {7, "last"}}));
  EXPECT_FALSE(is_taken({{8, "of no range"}}));
  EXPECT_FALSE(is_taken({{2, "one"}, {2, "two"}}));
  EXPECT_FALSE(is_taken({{2, "one"}, {1, "two"}}));
  EXPECT_FALSE(is_taken({{2, ""}}));
  EXPECT_FALSE(is_taken({{2, std::string(kMaxReasonBytes + 1, 'x')}}));
  EXPECT_FALSE(is_taken({})) << "no reasons are not written";
}

TEST(Frames, SettledComesBack) {
  const std::string bytes = whole(settled_sample());
  const Result<Settled> frame = decode_settled(body_of(bytes, FrameType::kSettled));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->up_to, kLarge);
  EXPECT_EQ(frame->failed, settled_sample().failed);
}

TEST(Frames, CreditsComeBack) {
  const std::string credit_bytes = whole(credit_sample());
  const Result<Credit> credit = decode_credit(body_of(credit_bytes, FrameType::kCredit));
  ASSERT_TRUE(credit);
  EXPECT_EQ(credit->alias, 1U);
  EXPECT_EQ(credit->window_messages, 2U);
  EXPECT_EQ(credit->window_bytes, 3U);
  EXPECT_EQ(credit->consumed_messages, kLarge);
  EXPECT_EQ(credit->consumed_bytes, kLarge - 1);

  const std::string send_bytes = whole(SendCredit{12});
  const Result<SendCredit> send_credit =
      decode_send_credit(body_of(send_bytes, FrameType::kSendCredit));
  ASSERT_TRUE(send_credit);
  EXPECT_EQ(send_credit->window_bytes, 12U);
}

TEST(Frames, RecordsComesBack) {
  const std::string bytes = whole(records_sample());
  const Result<Records> frame = decode_records(body_of(bytes, FrameType::kRecords));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->alias, 1U);
  EXPECT_EQ(frame->partition, 2U);
  EXPECT_EQ(frame->next_offset, kOffset);
  EXPECT_EQ(frame->high_watermark, kOffset + 1);
  EXPECT_EQ(frame->bytes, "pieces of batches");
}

TEST(Frames, ListsMayBeEmpty) {
  EXPECT_TRUE(decode_sent(whole(Sent{}).substr(5))->entries.empty());
  EXPECT_TRUE(decode_settle(whole(Settle{}).substr(5))->ranges.empty());
  EXPECT_TRUE(decode_settled(whole(Settled{}).substr(5))->failed.empty());
}

TEST(Frames, KeepTheirLayout) {
  EXPECT_EQ(whole(SendCredit{0x01020304}), std::string("\x05\0\0\0\x16\x04\x03\x02\x01", 9));
  const std::string send = whole(Send{1, 2, 3, 4, "xy"});
  EXPECT_EQ(send, std::string("\x17\0\0\0\x10"
                              "\x01\0\0\0\x02\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0xy",
                              27));
}

TEST(Frames, AppendToWhatIsThere) {
  std::string out = "before";
  encode(SendCredit{1}, out);
  encode(send_sample(), out);
  encode_frame(FrameType::kPing, "", out);
  encode_frame(FrameType::kRequest, "body", out);
  EXPECT_EQ(out, "before" + whole(SendCredit{1}) + whole(send_sample()) +
                     std::string("\x01\0\0\0\x05", 5) +
                     std::string("\x05\0\0\0\x03"
                                 "body",
                                 9));
}

TEST(Frames, HeadsAreWholeFramesWithoutThePayload) {
  std::string head;
  encode_head(deliver_sample(), head);
  EXPECT_EQ(head.size(), 5 + kDeliverFixedBytes);
  EXPECT_EQ(head + std::string(deliver_sample().records), whole(deliver_sample()));
  head.clear();
  encode_head(records_sample(), head);
  EXPECT_EQ(head.size(), 5 + kRecordsFixedBytes);
  EXPECT_EQ(head + std::string(records_sample().bytes), whole(records_sample()));
}

TEST(Frames, EveryTruncationIsMalformed) {
  for (const Kind& kind : all_kinds()) {
    for (std::size_t size = 0; size < kind.fixed_bytes; ++size) {
      const Result<> decoded = kind.decode(std::string_view(kind.body).substr(0, size));
      ASSERT_FALSE(decoded) << kind.name << ' ' << size;
      EXPECT_EQ(decoded.error().code, Errc::kMalformed);
    }
    EXPECT_TRUE(kind.decode(kind.body)) << kind.name;
    EXPECT_EQ(kind.body.size() > kind.fixed_bytes, kind.has_payload) << kind.name;
  }
}

TEST(Frames, BytesBehindAreMalformed) {
  for (const Kind& kind : all_kinds()) {
    if (kind.has_payload) {
      continue;
    }
    for (const std::size_t extra : {1UL, 4UL, 26UL, 32UL, 37UL, 1000UL}) {
      const Result<> decoded = kind.decode(kind.body + std::string(extra, '\0'));
      ASSERT_FALSE(decoded) << kind.name << ' ' << extra;
      EXPECT_EQ(decoded.error().code, Errc::kMalformed);
    }
  }
}

TEST(Frames, CountsThatLieAreMalformed) {
  struct List {
    std::string body;
    std::size_t count_at;
    Errc (*decode)(std::string_view);
  };
  const auto code = [](const auto& decoded) { return decoded ? Errc{0} : decoded.error().code; };
  static const auto kCode = code;
  const std::vector<List> lists = {
      {whole(sent_sample()).substr(5), 0,
       [](std::string_view body) { return kCode(decode_sent(body)); }},
      {whole(settle_sample()).substr(5), 12,
       [](std::string_view body) { return kCode(decode_settle(body)); }},
      {whole(settled_sample()).substr(5), 8,
       [](std::string_view body) { return kCode(decode_settled(body)); }},
  };
  for (const List& list : lists) {
    EXPECT_EQ(list.decode(list.body), Errc{0});
    const auto truth = load_le<std::uint32_t>(list.body.data() + list.count_at);
    for (const std::uint32_t lie : {0U, truth - 1, truth + 1, 0x08000000U, 0x80000000U,
                                    std::numeric_limits<std::uint32_t>::max()}) {
      std::string body = list.body;
      store_le<std::uint32_t>(body.data() + list.count_at, lie);
      EXPECT_EQ(list.decode(body), Errc::kMalformed) << lie;
    }
  }
}

TEST(Frames, UnknownKindsOfSettlingAreMalformed) {
  const std::string body = whole(settle_sample()).substr(5);
  for (int kind = 0; kind < 256; ++kind) {
    std::string changed = body;
    changed[16 + 2 * 37] = static_cast<char>(kind);
    EXPECT_EQ(decode_settle(changed).has_value(), kind >= 1 && kind <= 8) << kind;
  }
}

TEST(Frames, KnowTheirTypes) {
  for (int type = 0; type < 256; ++type) {
    const bool expected = (type >= 1 && type <= 8) || (type >= 16 && type <= 23);
    EXPECT_EQ(is_known_type(static_cast<std::uint8_t>(type)), expected) << type;
  }
}

TEST(Frames, RefusesPlacesThatAreNotInTheOrderOfTheirEntries) {
  Sent frame;
  frame.entries.resize(2);
  frame.entries[0].known = {{1, 10}};
  frame.entries[1].known = {{1, 11}};
  std::string out;
  encode(frame, out);
  std::string body = out.substr(5);
  ASSERT_TRUE(decode_sent(body));
  constexpr std::size_t kPlaceBytes = 16;
  const std::size_t first = body.size() - sizeof(std::uint32_t) - 2 * kPlaceBytes;
  std::rotate(body.begin() + static_cast<std::ptrdiff_t>(first),
              body.begin() + static_cast<std::ptrdiff_t>(first + kPlaceBytes),
              body.begin() + static_cast<std::ptrdiff_t>(first + 2 * kPlaceBytes));
  EXPECT_FALSE(decode_sent(body));
}

}  // namespace
}  // namespace weir::proto
