#include "tests/hostile/hostile_frames.hpp"

#include "proto/batch/crc32c.hpp"
#include "proto/batch/header_layout.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/endian.hpp"
#include "proto/frame/frames.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "proto/wire_message.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::hostile {
namespace {

using proto::FrameType;

// More than any frame that was begun may lack, and no frame: a length of zero.
constexpr std::size_t kZerosThatEnd = 10'000;

std::string make_batch(std::string_view value, proto::Compression compression) {
  proto::BatchBuilder builder;
  for (int i = 0; i < 3; ++i) {
    proto::RecordInput record;
    record.key = "key";
    record.value = value;
    record.timestamp = 1'700'000'000'000 + i;
    builder.add(record);
  }
  return builder.finish({}, compression);
}

void fix_crc(std::string& batch) {
  proto::store_be<std::uint32_t>(
      batch.data() + proto::kCrcAt,
      proto::crc32c(0, std::string_view(batch).substr(proto::kAttributesAt)));
}

std::string frame(FrameType type, std::string_view body) {
  std::string bytes;
  proto::encode_frame(type, body, bytes);
  return bytes;
}

std::string with_length(std::uint32_t length, std::string_view rest) {
  std::string bytes(4, '\0');
  proto::store_le<std::uint32_t>(bytes.data(), length);
  return bytes.append(rest);
}

// Groups within groups that nobody knows.
std::string nested_groups(std::size_t depth) {
  return std::string(depth, '\x7b') + std::string(depth, '\x7c');  // field 15, begin and end
}

}  // namespace

HostileFrames::HostileFrames(std::uint64_t seed)
    : random_(seed),
      batch_(make_batch("a value of some bytes", proto::Compression::kNone)),
      compressed_(
          make_batch(std::string(proto::kMaxMessageBytes / 4, '\0'), proto::Compression::kZstd)) {}

std::string HostileFrames::before_hello() {
  weir::v1::Hello hello;
  hello.set_protocol_min(1);
  hello.set_protocol_max(1);
  switch (random_.between(0, 11)) {
    case 0:
      return with_length(0, {});
    case 1:
      return with_length(0x7fffffff, "\x01");
    case 2:
      return with_length(
          static_cast<std::uint32_t>(-static_cast<std::int32_t>(random_.between(1, 1000))), "\x01");
    case 3:
      return with_length(proto::kMaxFrameBytesBeforeHello + 1, "\x01");
    case 4:
      return with_length(2, std::string(1, static_cast<char>(random_.between(24, 255))) + "x");
    case 5:
      return frame(static_cast<FrameType>(random_.between(2, 8)), random_bytes(20));
    case 6:
      return frame(static_cast<FrameType>(random_.between(16, 23)), random_bytes(60));
    case 7:
      return frame(FrameType::kHello, "\xff" + random_bytes(random_.between(1, 100)));
    case 8:
      hello.set_protocol_min(static_cast<std::uint32_t>(random_.between(2, 99)));
      hello.set_protocol_max(99);
      return frame(FrameType::kHello, hello.SerializeAsString());
    case 9:
      hello.set_namespace_(some_name() + "/.." + some_name());
      return frame(FrameType::kHello, hello.SerializeAsString());
    case 10:
      return "GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n" + std::string(kZerosThatEnd, '\0');
    default:
      return random_bytes(random_.between(5, 300)) + std::string(kZerosThatEnd, '\0');
  }
}

std::string HostileFrames::refused(Standing& standing) {
  const std::array aliases = {standing.queue, standing.topic, standing.other};
  switch (random_.between(0, 9)) {
    case 0:
    case 1:
    case 2:
      return send(standing, aliases[random_.between(0, 2)], broken_batch());
    case 3:
      return send(standing, aliases[random_.between(0, 2)], batch_,
                  static_cast<std::uint32_t>(random_.between(1, 0xffffffff)));
    case 4:  // packed, for a queue
      return send(standing, random_.percent(50) ? standing.queue : standing.other, compressed_);
    case 5:
    case 6:
      return forged_settle(standing);
    case 7: {
      std::string bytes;
      proto::encode(proto::Credit{.alias = standing.subscription,
                                  .window_messages = static_cast<std::uint32_t>(random_.next()),
                                  .window_bytes = static_cast<std::uint32_t>(random_.next()),
                                  .consumed_messages = random_.next(),
                                  .consumed_bytes = random_.next()},
                    bytes);
      return bytes;
    }
    default:
      return random_.percent(2) ? bomb() : bad_request(standing);
  }
}

std::string HostileFrames::mutated(Standing& standing) {
  std::string bytes = valid(standing);
  constexpr std::size_t kHead = 5;
  for (std::uint64_t changes = random_.between(1, 4); changes > 0; --changes) {
    const std::size_t at = random_.between(4, bytes.size() - 1);
    switch (random_.between(0, 4)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_.between(0, 7)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random_.next());
        break;
      case 2:
        bytes.resize(std::max(at, kHead));
        break;
      case 3:
        bytes += random_bytes(random_.between(1, 40));
        break;
      default:
        bytes.insert(at, random_bytes(random_.between(1, 8)));
        break;
    }
  }
  // Mostly the length fits; else the frame takes of what follows, or gives a piece of itself.
  const std::uint32_t lie =
      random_.percent(10) ? static_cast<std::uint32_t>(random_.between(0, 64)) : 0;
  const auto length = static_cast<std::uint32_t>(bytes.size() - 4);
  proto::store_le<std::uint32_t>(
      bytes.data(), random_.percent(50) ? length + lie : length - std::min(lie, length));
  return bytes;
}

std::string HostileFrames::fatal(Standing& standing) {
  switch (random_.between(0, 5)) {
    case 0:
      return with_length(0, {});
    case 1:
      return with_length(
          static_cast<std::uint32_t>(random_.between(proto::kMaxFrameBytes + 1, 0xffffffff)),
          "\x10");
    case 2:
      return with_length(2, std::string(1, static_cast<char>(random_.between(24, 255))) + "x");
    case 3: {
      constexpr std::array kOfBrokers = {
          FrameType::kWelcome, FrameType::kResponse,          FrameType::kGoAway,
          FrameType::kSent,    FrameType::kSubscriptionEnded, FrameType::kDeliver,
          FrameType::kSettled, FrameType::kSendCredit,        FrameType::kRecords,
          FrameType::kHello};
      return frame(kOfBrokers[random_.between(0, kOfBrokers.size() - 1)], random_bytes(40));
    }
    default:
      return random_.next() % 4'000 == 0 ? overrun(standing) : fatal_body(standing);
  }
}

std::string HostileFrames::fatal_body(Standing& standing) {
  switch (random_.between(0, 9)) {
    case 0:  // a number that is not the next
      standing.sends += random_.between(1, 1'000'000);
      return send(standing, standing.queue, batch_);
    case 1:
      return send(standing, static_cast<std::uint32_t>(random_.between(50, 0xffffffff)), batch_);
    case 2:
      return frame(FrameType::kSend, random_bytes(random_.between(0, 19)));
    case 3:
      standing.settles += random_.between(1, 1'000'000);
      return forged_settle(standing);
    case 4:  // a topic has nothing to settle
      standing.subscription = standing.other = standing.topic;
      return forged_settle(standing);
    case 5:  // a count without its entries
      return frame(FrameType::kSettle, std::string(12, '\1') + "\xff\xff\xff\x7f");
    case 6:
      return frame(FrameType::kCredit, random_bytes(random_.between(0, 27)));
    case 7: {
      std::string bytes;
      proto::encode(proto::Credit{.alias = random_.percent(50) ? 0U : 0xffffU}, bytes);
      return bytes;
    }
    case 8: {
      // Nested too deep, an overlong number, a length that lies, text that is none.
      const std::array<std::string, 4> bodies = {
          nested_groups(random_.between(17, 60'000)), "\x08" + std::string(11, '\xff'),
          std::string("\x52\xff\xff\xff\xff\x07"), std::string("\x5a\x04\x0a\x02\xc3\x28")};
      return frame(FrameType::kRequest, bodies[random_.between(0, bodies.size() - 1)]);
    }
    default:
      return frame(FrameType::kRequest,
                   std::string(proto::kMaxRequestBytes + random_.between(1, 1000), '\0'));
  }
}

std::string HostileFrames::overrun(Standing& standing) {
  const std::string large = make_batch(std::string(300'000, 'v'), proto::Compression::kNone);
  std::string bytes;
  for (std::size_t sent = 0; sent < std::size_t{9} << 20; sent += large.size()) {
    bytes += send(standing, standing.queue, large);
  }
  return bytes + with_length(0, {});
}

std::string HostileFrames::junk() {
  std::string bytes;
  for (std::uint64_t count = random_.between(0, 5); count > 0; --count) {
    bytes += random_bytes(random_.between(1, 400));
  }
  return bytes + std::string(kZerosThatEnd, '\0');
}

// ---- pieces

std::string HostileFrames::valid(Standing& standing) {
  std::string bytes;
  switch (random_.between(0, 6)) {
    case 0:
    case 1:
      return send(standing, random_.percent(50) ? standing.queue : standing.topic, batch_);
    case 2:
    case 3:
      return forged_settle(standing);
    case 4:
      proto::encode(proto::Credit{.alias = standing.subscription, .window_messages = 10}, bytes);
      return bytes;
    case 5:
      return frame(random_.percent(50) ? FrameType::kPing : FrameType::kPong, {});
    default:
      return bad_request(standing);
  }
}

std::string HostileFrames::send(Standing& standing, std::uint32_t alias, std::string_view batch,
                                std::uint32_t partition) {
  std::string bytes;
  proto::encode(proto::Send{.alias = alias,
                            .partition = partition,
                            .send_number = ++standing.sends,
                            .deadline_ms = static_cast<std::uint32_t>(random_.between(0, 2)),
                            .batch = batch},
                bytes);
  return bytes;
}

std::string HostileFrames::broken_batch() {
  std::string batch = batch_;
  if (random_.percent(50)) {  // its checksum does not fit
    const std::size_t at = random_.between(proto::kAttributesAt, batch.size() - 1);
    batch[at] = static_cast<char>(batch[at] ^ (1 << random_.between(0, 7)));
    return batch;
  }
  // Its checksum fits, and its header says what its records do not.
  constexpr std::array<std::size_t, 3> kFields = {proto::kRecordCountAt, proto::kLastOffsetDeltaAt,
                                                  proto::kBatchLengthAt};
  proto::store_be<std::uint32_t>(batch.data() + kFields[random_.between(0, 2)],
                                 static_cast<std::uint32_t>(random_.between(1'000, 0xffffffff)));
  fix_crc(batch);
  return batch;
}

// Grants that somebody else holds, or nobody.
std::string HostileFrames::forged_settle(Standing& standing) {
  proto::Settle settle;
  settle.settle_number = ++standing.settles;
  settle.alias = random_.percent(50) ? standing.subscription : standing.other;
  for (std::uint64_t count = random_.between(1, 20); count > 0; --count) {
    proto::SettleRange range;
    range.kind = static_cast<proto::SettleKind>(random_.between(1, 5));
    range.grant = proto::GrantId(random_.between(0, 100'000));
    range.nonce = random_.next();
    range.base_offset = static_cast<proto::Offset>(random_.percent(90) ? random_.between(0, 100'000)
                                                                       : random_.next());
    range.first_index =
        static_cast<std::uint32_t>(random_.percent(90) ? random_.between(0, 3) : random_.next());
    range.count =
        static_cast<std::uint32_t>(random_.percent(90) ? random_.between(0, 3) : random_.next());
    range.value = static_cast<std::uint32_t>(random_.next());
    settle.ranges.push_back(range);
  }
  std::string bytes;
  proto::encode(settle, bytes);
  return bytes;
}

std::string HostileFrames::bad_request(Standing& standing) {
  weir::v1::Request request;
  request.set_id(++standing.requests);
  switch (random_.between(0, 9)) {
    case 0:
      request.mutable_create_queue()->set_name(some_name());
      break;
    case 1:
      request.mutable_create_topic()->set_name("hostile-topic");
      request.mutable_create_topic()->mutable_settings()->set_partitions(
          static_cast<std::uint32_t>(random_.between(1'001, 0xffffffff)));
      break;
    case 2:
      request.mutable_attach()->set_topic(some_name());
      break;
    case 3:
      request.mutable_receive()->set_queue(some_name());
      request.mutable_receive()->set_max_messages(static_cast<std::uint32_t>(random_.next()));
      break;
    case 4:
      request.mutable_unsubscribe()->set_alias(static_cast<std::uint32_t>(random_.next()));
      break;
    case 5: {
      proto::ReceiptHandle handle;
      handle.incarnation = 1;
      handle.queue = proto::QueueId(random_.between(0, 20));
      handle.generation = 1;
      handle.grant = proto::GrantId(random_.between(0, 100'000));
      handle.nonce = random_.next();
      std::string text = proto::encode_handle(handle);
      if (random_.percent(50)) {
        text[random_.between(0, text.size() - 1)] = static_cast<char>(random_.between(33, 126));
      }
      request.mutable_settle_by_handle()->set_handle(text);
      request.mutable_settle_by_handle()->set_action(
          static_cast<weir::v1::SettleAction>(random_.between(0, 9)));
      break;
    }
    case 6:
      request.mutable_init_producer()->set_previous_id(random_.next());
      request.mutable_init_producer()->set_previous_epoch(
          static_cast<std::uint32_t>(random_.next()));
      break;
    case 7:
      request.mutable_list_offsets()->set_topic(some_name());
      request.mutable_list_offsets()->add_partitions()->set_partition(7);
      break;
    case 8:
      request.mutable_read_backup()->set_backup(random_.between(1, 0xffffffff));
      request.mutable_read_backup()->set_block(random_.between(0, 3));
      break;
    default:
      break;  // no method that this version knows
  }
  return frame(FrameType::kRequest, request.SerializeAsString());
}

// As many empty messages as a request holds.
std::string HostileFrames::bomb() {
  const std::size_t count = (proto::kMaxRequestBytes - 20) / 2;
  std::string inner;
  for (std::size_t i = 0; i < count; ++i) {
    inner += std::string_view("\x12\0", 2);  // an empty PartitionStart
  }
  std::string body = "\xaa\x01";  // ListOffsets, its length
  for (std::size_t size = inner.size(); size > 0; size >>= 7) {
    body += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
  }
  return frame(FrameType::kRequest, "\x08\x07" + body + inner);
}

std::string HostileFrames::random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random_.next());
  }
  return bytes;
}

// A name that no object may have: a path, controls, escapes of terminals, too long, reserved.
std::string HostileFrames::some_name() {
  constexpr std::array<std::string_view, 10> kNames = {
      "",          "../../etc/passwd", std::string_view("a\0b", 3), "%2e%2e",
      "a/b",       "weir.x",           "\x1b[2J\x1b[31mred",        "__internal",
      "\u202eabc", "a b\r\nc"};
  const std::uint64_t which = random_.between(0, kNames.size());
  return which == kNames.size() ? std::string(random_.between(250, 4'000), 'n')
                                : std::string(kNames[which]);
}

}  // namespace weir::hostile
