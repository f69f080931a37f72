#include "proto/batch/record_batch.hpp"

#include "proto/limits.hpp"
#include "tests/unit/proto/batch_samples.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace weir::proto {
namespace {

using test::batch_of;
using test::batch_with_values;
using test::body_start;
using test::field;
using test::no_field;
using test::record_of;
using test::sealed;
using test::varint;
using test::with;

constexpr Offset kHighestOffset = std::numeric_limits<Offset>::max();

Errc refusal(std::string_view batch, BatchUse use = BatchUse::kQueue) {
  const Result<BatchColumns> checked = validate_batch(batch, use);
  return checked ? Errc{0} : checked.error().code;
}

std::string plain_body(std::int32_t index) {
  return body_start(index) + no_field() + field("v") + varint(std::int32_t{0});
}

std::string batch_with_headers(const std::vector<Header>& headers) {
  BatchBuilder builder;
  RecordInput record;
  record.value = "v";
  record.headers = headers;
  builder.add(record);
  return builder.finish(BatchBuilder::Producer{}, Compression::kNone);
}

TEST(ParseBatchHeader, RefusesEveryTruncation) {
  const std::string batch = batch_with_values({"a"});
  for (std::size_t size = 0; size < kBatchHeaderBytes; ++size) {
    ASSERT_EQ(parse_batch_header(std::string_view(batch).substr(0, size)).error().code,
              Errc::kMalformed)
        << size;
  }
  EXPECT_TRUE(parse_batch_header(std::string_view(batch).substr(0, kBatchHeaderBytes)));
}

TEST(ParseBatchHeader, RefusesWhatCannotBeAHeader) {
  const std::string batch = batch_with_values({"a"});
  for (const std::string& bad : {
           with<std::uint8_t>(batch, 16, 1),
           with<std::uint8_t>(batch, 16, 3),
           with<std::int32_t>(batch, 8, 48),
           with<std::int32_t>(batch, 8, -1),
           with<std::int64_t>(batch, 0, -1),
           with<std::int64_t>(batch, 0, kHighestOffset - 5),
           with<std::int32_t>(batch, 23, -1),
           with<std::int32_t>(batch, 57, -1),
       }) {
    const Result<BatchHeader> header = parse_batch_header(bad);
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, Errc::kMalformed);
  }
  EXPECT_TRUE(parse_batch_header(with<std::int32_t>(batch, 8, 49)));
}

TEST(PokeOffsetAndEpoch, LeavesTheChecksumValid) {
  std::string batch = batch_with_values({"a", "b", "c"});
  poke_offset_and_epoch(batch, 123'456'789'012, 7);
  const Result<BatchColumns> columns = validate_batch(batch, BatchUse::kQueue);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->header.base_offset, 123'456'789'012);
  EXPECT_EQ(columns->header.last_offset(), 123'456'789'014);
  EXPECT_EQ(columns->header.leader_epoch, 7);
}

TEST(ValidateBatch, TellsWhereEachRecordLies) {
  const std::vector<std::string> values = {"a", "", std::string(300, 'x'), "d"};
  const std::string batch = batch_with_values(values);
  for (const Result<BatchColumns>& columns :
       {validate_batch(batch, BatchUse::kQueue), read_columns(batch)}) {
    ASSERT_TRUE(columns);
    ASSERT_EQ(columns->records.size(), values.size());
    std::size_t next = kBatchHeaderBytes;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const RecordSpan span = columns->records[i];
      EXPECT_EQ(span.position, next);
      const Result<DecodedRecord> record =
          decode_record(std::string_view(batch).substr(span.position, span.bytes));
      ASSERT_TRUE(record);
      EXPECT_EQ(record->bytes, span.bytes);
      EXPECT_EQ(record->record.value, values[i]);
      EXPECT_EQ(record->record.offset_delta, static_cast<std::int32_t>(i));
      next += span.bytes;
    }
    EXPECT_EQ(next, batch.size());
  }
}

TEST(ValidateBatch, RefusesEveryTruncationAndBytesBehind) {
  const std::string batch = batch_with_values({"a", "b"});
  for (std::size_t size = 0; size < batch.size(); ++size) {
    ASSERT_EQ(refusal(batch.substr(0, size)), Errc::kMalformed) << size;
  }
  EXPECT_EQ(refusal(batch + "x"), Errc::kMalformed);
  EXPECT_EQ(refusal(batch + batch), Errc::kMalformed);
}

TEST(ValidateBatch, SeesEveryFlippedBitThatTheProducerWrote) {
  const std::string batch = batch_with_values({"hello", "world"});
  for (std::size_t bit = 12 * 8; bit < batch.size() * 8; ++bit) {
    if (bit / 8 < 16) {
      continue;  // the leader epoch, which a broker sets
    }
    std::string damaged = batch;
    damaged[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1U << (bit % 8)));
    const Errc code = refusal(damaged);
    ASSERT_TRUE(code == Errc::kCorruptBatch || code == Errc::kMalformed) << bit;
  }
}

TEST(ValidateBatch, RefusesCountsThatDoNotFit) {
  const std::string two = record_of(plain_body(0)) + record_of(plain_body(1));
  EXPECT_EQ(refusal(batch_of(two, 2)), Errc{0});
  EXPECT_EQ(refusal(batch_of(two, 1)), Errc::kMalformed);
  EXPECT_EQ(refusal(batch_of(two, 3)), Errc::kMalformed);
  EXPECT_EQ(refusal(batch_of(two, 0)), Errc::kMalformed);
  EXPECT_EQ(refusal(batch_of(two, 9'999)), Errc::kMalformed);
  EXPECT_EQ(refusal(sealed(with<std::int32_t>(batch_of(two, 2), 23, 2))), Errc::kMalformed);
  EXPECT_EQ(refusal(batch_of("", 1)), Errc::kMalformed);
  EXPECT_EQ(read_columns(batch_of(two, 2'000'000'000)).error().code, Errc::kMalformed);
}

TEST(ValidateBatch, RefusesMalformedRecords) {
  const std::string start = body_start(0);
  const std::string none = varint(std::int32_t{0});
  const std::vector<std::string> bodies = {
      "",
      std::string(1, '\0'),
      start,
      start + no_field(),
      start + no_field() + field("v"),                              // no header count
      start + no_field() + field("v") + none + "x",                 // longer than its fields
      start + varint(std::int32_t{-2}) + field("v") + none,         // key length
      start + no_field() + varint(std::int32_t{-2}) + none,         // value length
      start + no_field() + varint(std::int32_t{100}) + "v" + none,  // value beyond the record
      start + no_field() + field("v") + varint(std::int32_t{-1}),   // header count
      start + no_field() + field("v") + varint(std::int32_t{1}),    // no header there
      start + no_field() + field("v") + varint(std::int32_t{1'000'000'000}),
      start + no_field() + field("v") + varint(std::int32_t{1}) + no_field() + field("x"),
      start + no_field() + field("v") + varint(std::int32_t{1}) + field("k"),
      start + no_field() + field("v") + varint(std::int32_t{1}) + field("k") +
          varint(std::int32_t{-2}),
      start + no_field() + field("v") + varint(std::int32_t{1}) + field("k") +
          varint(std::int32_t{9}) + "x",
  };
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const std::string batch = batch_of(record_of(bodies[i]), 1);
    EXPECT_EQ(refusal(batch), Errc::kMalformed) << i;
    EXPECT_FALSE(read_columns(batch)) << i;
    EXPECT_FALSE(decode_record(record_of(bodies[i]))) << i;
  }
  const std::string good = record_of(plain_body(0));
  EXPECT_EQ(refusal(batch_of(good + "\x01", 1)), Errc::kMalformed) << "negative length";
  EXPECT_EQ(refusal(batch_of(good + std::string(10, '\xff'), 1)), Errc::kMalformed);
  EXPECT_FALSE(decode_record("\x01"));
  EXPECT_FALSE(decode_record(""));
  EXPECT_FALSE(decode_record(good.substr(0, good.size() - 1)));
}

TEST(ValidateBatch, RefusesOffsetsThatAreNotDense) {
  for (const std::int32_t second : {0, 2, -1}) {
    const std::string batch = batch_of(record_of(plain_body(0)) + record_of(plain_body(second)), 2);
    EXPECT_EQ(refusal(batch), Errc::kMalformed) << second;
    EXPECT_FALSE(read_columns(batch)) << second;
  }
}

TEST(ValidateBatch, RefusesTimestampsThatOverflow) {
  const std::string record = record_of(body_start(0, std::numeric_limits<std::int64_t>::max()) +
                                       no_field() + field("v") + varint(std::int32_t{0}));
  EXPECT_TRUE(read_columns(batch_of(record, 1)));
  EXPECT_EQ(refusal(sealed(with<std::int64_t>(batch_of(record, 1), 27, 1))), Errc::kMalformed);
}

TEST(ValidateBatch, RefusesWhatOnlyBrokersMaySay) {
  const std::string batch = batch_with_values({"a"});
  const auto attributes = [&](std::uint16_t bits) {
    return refusal(sealed(with<std::uint16_t>(batch, 21, bits)));
  };
  EXPECT_EQ(attributes(0x20), Errc::kInvalidArgument) << "control";
  EXPECT_EQ(attributes(0x30), Errc::kInvalidArgument) << "control of a transaction";
  EXPECT_EQ(attributes(0x08), Errc::kInvalidArgument) << "time of the append";
  EXPECT_EQ(attributes(0x40), Errc::kUnsupported) << "delete horizon";
  EXPECT_EQ(attributes(0x8000), Errc::kUnsupported);
  EXPECT_EQ(attributes(0x10), Errc::kUnsupported) << "transactional";
}

TEST(ValidateBatch, RefusesReservedHeadersOfProducersOnly) {
  const std::string reserved = batch_with_headers({{"a", "1"}, {"weir.id", "x"}});
  EXPECT_EQ(refusal(reserved), Errc::kInvalidArgument);
  EXPECT_TRUE(read_columns(reserved));
  EXPECT_EQ(refusal(batch_with_headers({{"weir", "x"}, {"Weir.id", "x"}, {"", "x"}})), Errc{0});
}

TEST(ValidateBatch, ReadsTheDelaysThatMessagesAskFor) {
  BatchBuilder builder;
  const auto add = [&](std::vector<Header> headers) {
    RecordInput record;
    record.value = "v";
    record.headers = headers;
    builder.add(record);
  };
  add({});
  add({{"a", "1"}, {kHeaderDelay, "0"}});
  add({{kHeaderDelay, "2592000000"}});
  add({{"b", "2"}});
  const std::string batch = builder.finish({}, Compression::kNone);
  const Result<BatchColumns> columns = validate_batch(batch, BatchUse::kQueue);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->delays_ms, (std::vector<std::int64_t>{BatchColumns::kNoDelay, 0, kMaxDelayMs,
                                                           BatchColumns::kNoDelay}));
  EXPECT_EQ(refusal(batch, BatchUse::kTopic), Errc::kInvalidArgument);
  EXPECT_TRUE(
      validate_batch(batch_with_headers({{"a", "1"}}), BatchUse::kQueue)->delays_ms.empty());
}

TEST(ValidateBatch, RefusesDelaysThatAreNone) {
  for (const char* text :
       {"", " 1", "1 ", "+1", "-1", "1.5", "0x1", "1s", "2592000001", "99999999999999999999"}) {
    EXPECT_EQ(refusal(batch_with_headers({{kHeaderDelay, text}})), Errc::kInvalidArgument) << text;
  }
  EXPECT_EQ(refusal(batch_with_headers({{kHeaderDelay, std::nullopt}})), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(batch_with_headers({{kHeaderDelay, "1"}, {kHeaderDelay, "1"}})),
            Errc::kInvalidArgument);
  EXPECT_EQ(refusal(batch_with_headers({{kHeaderDelay, "1"}, {"weir.id", "x"}})),
            Errc::kInvalidArgument);
}

TEST(ValidateBatch, ReadsTheGroupsAndIdsThatMessagesHave) {
  BatchBuilder builder;
  const auto add = [&](const std::vector<Header>& headers) {
    RecordInput record;
    record.value = "v";
    record.headers = headers;
    builder.add(record);
  };
  const std::string longest(128, 'g');
  add({});
  add({{kHeaderGroup, "a"}, {kHeaderDeduplicationId, "one"}});
  add({{kHeaderDeduplicationId, longest}, {"x", "y"}});
  add({{kHeaderGroup, longest}});
  const std::string batch = builder.finish({}, Compression::kNone);
  const Result<BatchColumns> columns = validate_batch(batch, BatchUse::kQueue);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->groups,
            (std::vector<std::uint64_t>{kNoGroup, group_hash("a"), kNoGroup, group_hash(longest)}));
  std::vector<std::string> ids;
  for (const RecordSpan& span : columns->deduplication_ids) {
    ids.push_back(batch.substr(span.position, span.bytes));
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"", "one", longest, ""}));
  EXPECT_EQ(read_columns(batch)->groups, columns->groups) << "as they are read from the store";
  EXPECT_EQ(refusal(batch, BatchUse::kTopic), Errc::kInvalidArgument);
  EXPECT_TRUE(validate_batch(batch_with_headers({{"a", "1"}}), BatchUse::kQueue)->groups.empty());
}

TEST(ValidateBatch, ReadsThePrioritiesThatMessagesName) {
  BatchBuilder builder;
  for (const char* priority : {"", "9", "4", "0"}) {
    const std::array<Header, 1> headers = {{{kHeaderPriority, priority}}};
    RecordInput record;
    record.value = "v";
    if (*priority != 0) {
      record.headers = headers;
    }
    builder.add(record);
  }
  const std::string batch = builder.finish({}, Compression::kNone);
  const Result<BatchColumns> columns = validate_batch(batch, BatchUse::kQueue);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->priorities, (std::vector<std::uint8_t>{4, 9, 4, 0}));
  EXPECT_EQ(columns->priority_of(1), 9);
  EXPECT_EQ(refusal(batch, BatchUse::kTopic), Errc::kInvalidArgument);
  const auto plain = validate_batch(batch_with_headers({{kHeaderPriority, "4"}}), BatchUse::kQueue);
  EXPECT_TRUE(plain->priorities.empty()) << "it says what is so anyway";
  EXPECT_EQ(plain->priority_of(0), kDefaultPriority);
}

TEST(ValidateBatch, RefusesPrioritiesThatAreNone) {
  for (const char* text : {"", "10", "-1", "a", " 1", "1 ", "/", ":"}) {
    EXPECT_EQ(refusal(batch_with_headers({{kHeaderPriority, text}})), Errc::kInvalidArgument)
        << text;
  }
  EXPECT_EQ(refusal(batch_with_headers({{kHeaderPriority, std::nullopt}})), Errc::kInvalidArgument);
  EXPECT_EQ(refusal(batch_with_headers({{kHeaderPriority, "1"}, {kHeaderPriority, "1"}})),
            Errc::kInvalidArgument);
}

// The published test vectors of FNV-1a, 64 bits.
TEST(GroupHash, IsFnv1a) {
  EXPECT_EQ(group_hash("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(group_hash("foobar"), 0x85944171f73967e8U);
  EXPECT_NE(group_hash(""), kNoGroup);
}

TEST(ValidateBatch, RefusesGroupsAndIdsThatAreNone) {
  const std::string too_long(129, 'g');
  for (const std::string_view name : {kHeaderGroup, kHeaderDeduplicationId}) {
    EXPECT_EQ(refusal(batch_with_headers({{name, ""}})), Errc::kInvalidArgument);
    EXPECT_EQ(refusal(batch_with_headers({{name, std::nullopt}})), Errc::kInvalidArgument);
    EXPECT_EQ(refusal(batch_with_headers({{name, too_long}})), Errc::kInvalidArgument);
    EXPECT_EQ(refusal(batch_with_headers({{name, "a"}, {name, "a"}})), Errc::kInvalidArgument);
  }
}

TEST(ValidateBatch, HoldsProducersToTheLimitsOfHeaders) {
  std::vector<Header> headers(kMaxHeaders, Header{"k", "v"});
  EXPECT_EQ(refusal(batch_with_headers(headers)), Errc{0});
  headers.push_back(Header{"k", "v"});
  EXPECT_EQ(refusal(batch_with_headers(headers)), Errc::kLimitExceeded);
  EXPECT_TRUE(read_columns(batch_with_headers(headers)));

  const std::string large(kMaxHeaderBytes - 3, 'x');
  EXPECT_EQ(refusal(batch_with_headers({{"k", large}, {"ab", std::nullopt}})), Errc{0});
  EXPECT_EQ(refusal(batch_with_headers({{"k", large}, {"abc", std::nullopt}})),
            Errc::kLimitExceeded);
  EXPECT_TRUE(read_columns(batch_with_headers({{"k", large}, {"abc", std::nullopt}})));
}

TEST(ValidateBatch, HoldsProducersToTheLimitsOfSize) {
  const std::string largest(kMaxMessageBytes, 'x');
  EXPECT_EQ(refusal(batch_with_values({largest})), Errc{0});
  EXPECT_EQ(refusal(batch_with_values({largest + "x"})), Errc::kMessageTooLarge);
  EXPECT_TRUE(read_columns(batch_with_values({largest + "x"})));

  EXPECT_EQ(refusal(batch_with_values({largest, largest, largest, largest})),
            Errc::kMessageTooLarge);
  EXPECT_EQ(refusal(batch_with_values(std::vector<std::string>(kMaxBatchRecords, ""))), Errc{0});
  const std::string many = batch_with_values(std::vector<std::string>(kMaxBatchRecords + 1, ""));
  EXPECT_EQ(refusal(many), Errc::kLimitExceeded);
  EXPECT_EQ(read_columns(many)->records.size(), kMaxBatchRecords + 1);
}

TEST(ValidateBatch, TakesCompressedBatchesForTopicsOnly) {
  const std::vector<std::string> values(20, "the same value again and again");
  for (const Compression codec : {Compression::kLz4, Compression::kZstd}) {
    const std::string batch = batch_with_values(values, codec);
    const Result<BatchColumns> columns = validate_batch(batch, BatchUse::kTopic);
    ASSERT_TRUE(columns);
    EXPECT_TRUE(columns->records.empty());
    EXPECT_EQ(columns->count(), 20U);
    EXPECT_EQ(refusal(batch, BatchUse::kQueue), Errc::kInvalidArgument);
    EXPECT_EQ(read_columns(batch).error().code, Errc::kInvalidArgument);
  }
  const std::string plain = batch_with_values(values);
  for (const int codec : {1, 2, 5, 6, 7}) {
    const std::string batch =
        sealed(with<std::uint16_t>(plain, 21, static_cast<std::uint16_t>(codec)));
    EXPECT_EQ(refusal(batch, BatchUse::kTopic), Errc::kUnsupported) << codec;
    EXPECT_EQ(refusal(batch, BatchUse::kQueue), Errc::kUnsupported) << codec;
  }
}

TEST(CheckRecord, AgreesWithTheBroker) {
  const std::string largest(kMaxMessageBytes, 'x');
  const std::vector<Header> reserved = {{"weir.id", "x"}};
  const std::vector<Header> too_many(kMaxHeaders + 1, Header{"k", "v"});
  const std::vector<Header> small = {{"k", "v"}};
  const std::vector<Header> delayed = {{kHeaderDelay, "5"}};
  const std::vector<Header> never = {{kHeaderDelay, "never"}};
  std::vector<RecordInput> inputs(8);
  inputs[1].value = largest;
  inputs[2].value = largest;
  inputs[2].key = "k";
  inputs[3].headers = reserved;
  inputs[4].headers = too_many;
  inputs[5].value = largest;
  inputs[5].headers = small;
  inputs[6].headers = delayed;
  inputs[7].headers = never;
  const std::vector<Errc> expected = {Errc{0},
                                      Errc{0},
                                      Errc::kMessageTooLarge,
                                      Errc::kInvalidArgument,
                                      Errc::kLimitExceeded,
                                      Errc::kMessageTooLarge,
                                      Errc{0},
                                      Errc::kInvalidArgument};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    BatchBuilder builder;
    builder.add(inputs[i]);
    const Result<> checked = check_record(inputs[i], BatchUse::kQueue);
    EXPECT_EQ(checked ? Errc{0} : checked.error().code, expected[i]) << i;
    EXPECT_EQ(refusal(builder.finish({}, Compression::kNone)), expected[i]) << i;
  }
}

TEST(ForEachRecord, RefusesBytesBehindTheLastRecord) {
  const std::string records = record_of(plain_body(0)) + record_of(plain_body(1));
  int seen = 0;
  const auto count = [&](const RecordView&) { ++seen; };
  EXPECT_TRUE(for_each_record(records, 2, count));
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(for_each_record(records, 1, count).error().code, Errc::kMalformed);
  EXPECT_EQ(for_each_record(records, 3, count).error().code, Errc::kMalformed);
  EXPECT_EQ(for_each_record(records, -1, count).error().code, Errc::kMalformed);
}

TEST(DecodeRecord, TellsNullFromEmpty) {
  const std::vector<Header> headers = {{"a", std::nullopt}, {"a", ""}, {"", "x"}};
  BatchBuilder builder;
  RecordInput tombstone;
  tombstone.key = "";
  tombstone.headers = headers;
  builder.add(tombstone);
  const std::string batch = builder.finish({}, Compression::kNone);
  const Result<DecodedRecord> decoded =
      decode_record(std::string_view(batch).substr(kBatchHeaderBytes));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->record.key, "");
  EXPECT_EQ(decoded->record.value, std::nullopt);
  EXPECT_EQ(decoded->record.headers, headers);
}

TEST(BatchRecords, RefusesABatchThatIsCutOff) {
  const std::string batch = batch_with_values({"a"});
  std::string scratch;
  const Result<std::string_view> records =
      batch_records(std::string_view(batch).substr(0, batch.size() - 1), *parse_batch_header(batch),
                    100, scratch);
  EXPECT_EQ(records.error().code, Errc::kMalformed);
}

// Messages of different senders come into one batch when they are due: no two may be too far apart.
TEST(ValidateBatch, RefusesTimestampsOutOfAllTime) {
  const auto batch_at = [](std::vector<TimeMs> timestamps) {
    BatchBuilder builder;
    for (const TimeMs timestamp : timestamps) {
      RecordInput record;
      record.timestamp = timestamp;
      builder.add(record);
    }
    return builder.finish({}, Compression::kNone);
  };
  constexpr TimeMs kLast = kMaxTimestampMs;
  const std::string widest = batch_at({-kLast, kLast, 0});
  EXPECT_TRUE(validate_batch(widest, BatchUse::kQueue));
  EXPECT_TRUE(read_columns(widest));
  for (const TimeMs bad : {kLast + 1, -kLast - 1, std::numeric_limits<TimeMs>::min(),
                           std::numeric_limits<TimeMs>::max()}) {
    EXPECT_EQ(refusal(batch_at({bad})), Errc::kInvalidArgument) << bad;
    EXPECT_EQ(refusal(batch_at({bad}), BatchUse::kTopic), Errc::kInvalidArgument) << bad;
    RecordInput record;
    record.timestamp = bad;
    EXPECT_EQ(check_record(record, BatchUse::kQueue).error().code, Errc::kInvalidArgument) << bad;
  }
}

TEST(ValidateBatch, SurvivesRandomDamageBehindAValidChecksum) {
  std::mt19937_64 random(7);
  const std::vector<Header> headers = {{"type", "order"}, {"none", std::nullopt}};
  BatchBuilder builder;
  for (int i = 0; i < 5; ++i) {
    RecordInput record;
    record.key = "key";
    record.value = "a value";
    record.headers = headers;
    record.timestamp = 1000 - i;
    builder.add(record);
  }
  const std::string batch = builder.finish({}, Compression::kNone);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = batch;
    const std::uint64_t changes = 1 + random() % 3;
    for (std::uint64_t i = 0; i < changes; ++i) {
      const std::size_t at = kBatchHeaderBytes + random() % (damaged.size() - kBatchHeaderBytes);
      damaged[at] = static_cast<char>(random() & 0xffU);
    }
    damaged = sealed(damaged);
    const Result<BatchColumns> columns = validate_batch(damaged, BatchUse::kQueue);
    const Result<> decoded = for_each_record(std::string_view(damaged).substr(kBatchHeaderBytes), 5,
                                             [](const RecordView&) {});
    if (columns) {
      ++accepted;
      ASSERT_TRUE(decoded) << "a reader refuses what the broker took";
    }
    ASSERT_LE(read_columns(damaged) ? 1 : 0, decoded ? 1 : 0);
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace weir::proto
