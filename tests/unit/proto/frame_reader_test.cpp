#include "proto/frame/frame_reader.hpp"

#include "proto/endian.hpp"
#include "proto/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::proto {
namespace {

using Frames = std::vector<std::pair<FrameType, std::string>>;

/// Feeds at most as much as there is room for; returns how much that was.
std::size_t feed(FrameReader& reader, std::string_view bytes) {
  const std::span<char> room = reader.prepare();
  EXPECT_GE(room.size(), 1U);
  const std::size_t count = std::min(room.size(), bytes.size());
  std::memcpy(room.data(), bytes.data(), count);
  reader.commit(count);
  return count;
}

/// Takes what is complete; false when the stream is malformed.
bool take_all(FrameReader& reader, Frames& frames) {
  for (;;) {
    const Result<std::optional<RawFrame>> next = reader.next();
    if (!next) {
      EXPECT_EQ(next.error().code, Errc::kMalformed);
      return false;
    }
    if (!*next) {
      return true;
    }
    frames.emplace_back((*next)->type, std::string((*next)->body));
  }
}

Frames sample_frames() {
  return {{FrameType::kHello, "hello"},
          {FrameType::kPing, ""},
          {FrameType::kSend, std::string(100'000, 's')},
          {FrameType::kPong, ""},
          {FrameType::kRecords, std::string(1'500'000, 'r')},
          {FrameType::kCredit, std::string(28, 'c')}};
}

std::string stream_of(const Frames& frames) {
  std::string stream;
  for (const auto& [type, body] : frames) {
    encode_frame(type, body, stream);
  }
  return stream;
}

std::string length_field(std::uint32_t length) {
  std::string bytes(4, '\0');
  store_le<std::uint32_t>(bytes.data(), length);
  return bytes;
}

TEST(FrameReader, CutsAStreamThatComesByteByByte) {
  const Frames expected = sample_frames();
  const std::string stream = stream_of(expected);
  FrameReader reader(kMaxFrameBytes);
  Frames frames;
  for (const char& byte : stream) {
    ASSERT_EQ(feed(reader, std::string_view(&byte, 1)), 1U);
    ASSERT_TRUE(take_all(reader, frames));
  }
  EXPECT_EQ(frames, expected);
  EXPECT_EQ(reader.buffered(), 0U);
}

TEST(FrameReader, CutsAStreamInPiecesOfAnySize) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; ++round) {
    Frames expected = sample_frames();
    for (int i = 0; i < 200; ++i) {
      expected.emplace_back(FrameType::kSend, std::string(random() % 5'000, 'x'));
    }
    const std::string stream = stream_of(expected);
    FrameReader reader(kMaxFrameBytes);
    Frames frames;
    for (std::string_view rest = stream; !rest.empty();) {
      const std::size_t size_max = std::size_t{1} << (random() % 22);
      rest.remove_prefix(feed(reader, rest.substr(0, 1 + random() % size_max)));
      if (random() % 3 != 0) {
        ASSERT_TRUE(take_all(reader, frames));
      }
    }
    ASSERT_TRUE(take_all(reader, frames));
    EXPECT_EQ(frames, expected);
  }
}

TEST(FrameReader, GivesFramesOfTheLimitAndRefusesMore) {
  FrameReader reader(100);
  Frames frames;
  feed(reader, stream_of({{FrameType::kSend, std::string(99, 'x')}}));
  EXPECT_TRUE(take_all(reader, frames));
  EXPECT_EQ(frames.size(), 1U);
  feed(reader, length_field(101));
  EXPECT_FALSE(take_all(reader, frames));

  FrameReader raised(100);
  raised.set_max_frame_bytes(200);
  feed(raised, stream_of({{FrameType::kSend, std::string(199, 'x')}}));
  EXPECT_TRUE(take_all(raised, frames));
  EXPECT_EQ(frames.size(), 2U);
}

TEST(FrameReader, RefusesLengthsBeforeTheirBytesCome) {
  for (const std::uint32_t length : {0U, 0x01000001U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    FrameReader reader(kMaxFrameBytes);
    Frames frames;
    feed(reader, length_field(length).substr(0, 3));
    EXPECT_TRUE(take_all(reader, frames));
    feed(reader, length_field(length).substr(3));
    EXPECT_FALSE(take_all(reader, frames)) << length;
  }
}

TEST(FrameReader, RefusesUnknownTypesBeforeTheirBodyComes) {
  for (const char type : {'\0', '\x09', '\x0f', '\x18', '\xff'}) {
    FrameReader reader(kMaxFrameBytes);
    Frames frames;
    feed(reader, length_field(1000) + type);
    EXPECT_FALSE(take_all(reader, frames)) << int{type};
  }
}

TEST(FrameReader, GivesNothingMoreAfterAnError) {
  FrameReader reader(kMaxFrameBytes);
  Frames frames;
  feed(reader,
       stream_of({{FrameType::kPing, ""}}) + length_field(0) + stream_of({{FrameType::kPing, ""}}));
  EXPECT_FALSE(take_all(reader, frames));
  feed(reader, stream_of({{FrameType::kPing, ""}}));
  EXPECT_FALSE(take_all(reader, frames));
  EXPECT_EQ(frames.size(), 1U);
}

TEST(FrameReader, HoldsLittleForALengthThatIsOnlyClaimed) {
  FrameReader reader(kMaxFrameBytes);
  Frames frames;
  feed(reader, length_field(kMaxFrameBytes) + static_cast<char>(FrameType::kSend) + "12345");
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(take_all(reader, frames));
    static_cast<void>(reader.prepare());
    EXPECT_LE(reader.capacity(), 3 * FrameReader::kReadBytesMin);
  }
  EXPECT_EQ(reader.buffered(), 10U);
}

TEST(FrameReader, HoldsInProportionToWhatHasArrived) {
  const std::string stream = stream_of({{FrameType::kSend, std::string(8'000'000, 'x')}});
  FrameReader reader(kMaxFrameBytes);
  Frames frames;
  std::size_t arrived = 0;
  std::size_t moved = 0;
  std::size_t capacity = 0;
  for (std::string_view rest = stream; !rest.empty();) {
    const std::size_t count = feed(reader, rest.substr(0, 3'000));
    rest.remove_prefix(count);
    if (reader.capacity() != capacity) {
      moved += arrived;
      capacity = reader.capacity();
    }
    arrived += count;
    ASSERT_LE(reader.capacity(), 2 * arrived + FrameReader::kReadBytesMax);
    ASSERT_TRUE(take_all(reader, frames));
  }
  EXPECT_EQ(frames.size(), 1U);
  EXPECT_LE(moved, 3 * stream.size()) << "copied more than growing by doubling would";
}

TEST(FrameReader, LetsGoOfTheMemoryOfABurst) {
  FrameReader reader(kMaxFrameBytes);
  Frames frames;
  const std::string large = stream_of({{FrameType::kSend, std::string(10'000'000, 'x')}});
  for (std::string_view rest = large; !rest.empty();) {
    rest.remove_prefix(feed(reader, rest));
    ASSERT_TRUE(take_all(reader, frames));
  }
  static_cast<void>(reader.prepare());
  EXPECT_LE(reader.capacity(), 4 * FrameReader::kReadBytesMax);
  for (int heartbeat = 0; heartbeat < 10; ++heartbeat) {
    feed(reader, stream_of({{FrameType::kPing, ""}}));
    ASSERT_TRUE(take_all(reader, frames));
  }
  static_cast<void>(reader.prepare());
  EXPECT_LE(reader.capacity(), 4 * FrameReader::kReadBytesMin);
  EXPECT_EQ(frames.size(), 11U);
}

TEST(FrameReader, ReadsInLargerPiecesWhileTheyAreFull) {
  FrameReader reader(kMaxFrameBytes);
  Frames frames;
  EXPECT_EQ(reader.prepare().size(), FrameReader::kReadBytesMin);
  const std::string ping = stream_of({{FrameType::kPing, ""}});
  std::string pings;
  for (int i = 0; i < 500'000; ++i) {
    pings += ping;
  }
  for (std::string_view rest = pings; !rest.empty();) {
    rest.remove_prefix(feed(reader, rest));
    ASSERT_TRUE(take_all(reader, frames));
  }
  EXPECT_GE(reader.prepare().size(), FrameReader::kReadBytesMax / 2);
  EXPECT_EQ(frames.size(), 500'000U);
}

TEST(FrameReader, SurvivesNoise) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 2'000; ++round) {
    FrameReader reader(kMaxFrameBytesBeforeHello);
    Frames frames;
    std::string noise(random() % 64, '\0');
    for (char& byte : noise) {
      byte = static_cast<char>(random() % 4 == 0 ? random() & 0xffU : random() % 3);
    }
    feed(reader, noise);
    static_cast<void>(take_all(reader, frames));
    ASSERT_LE(reader.buffered(), noise.size());
  }
}

}  // namespace
}  // namespace weir::proto
