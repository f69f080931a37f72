#include "proto/handle.hpp"

#include "proto/lanes.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace weir::proto {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

ReceiptHandle random_handle(std::mt19937_64& random) {
  ReceiptHandle handle;
  handle.incarnation = static_cast<std::uint32_t>(random());
  handle.epoch = static_cast<std::uint32_t>(random());
  handle.queue = QueueId(random());
  handle.generation = static_cast<std::uint32_t>(random());
  handle.grant = GrantId(random());
  handle.index = static_cast<std::uint32_t>(random());
  handle.nonce = random();
  handle.base_offset = static_cast<Offset>(random());
  handle.shard = static_cast<std::uint32_t>(random());
  return handle;
}

void expect_invalid(std::string_view text) {
  const Result<ReceiptHandle> decoded = decode_handle(text);
  ASSERT_FALSE(decoded) << text;
  EXPECT_EQ(decoded.error().code, Errc::kReceiptInvalid);
}

TEST(ReceiptHandle, ComesBackFromItsText) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1'000; ++round) {
    const ReceiptHandle handle = random_handle(random);
    const std::string text = encode_handle(handle);
    ASSERT_EQ(text.size(), 76U);
    ASSERT_EQ(text.find_first_not_of(kAlphabet), std::string::npos) << text;
    const Result<ReceiptHandle> decoded = decode_handle(text);
    ASSERT_TRUE(decoded);
    ASSERT_EQ(*decoded, handle);
  }
}

TEST(ReceiptHandle, KeepsTheLayoutOfVersionOne) {
  ReceiptHandle handle;
  handle.incarnation = 0x01020304;
  handle.epoch = 0x05060708;
  handle.queue = QueueId(0x1112131415161718);
  handle.generation = 0x090a0b0c;
  handle.grant = GrantId(0x2122232425262728);
  handle.index = 0x0d0e0f10;
  handle.nonce = 0x3132333435363738;
  handle.base_offset = 0x4142434445464748;
  handle.shard = 0x51525354;
  // Computed once with Python's base64 and a bitwise CRC.
  EXPECT_EQ(encode_handle(handle),
            "AQECAwQFBgcIERITFBUWFxgJCgsMISIjJCUmJygNDg8QMTIzNDU2NzhBQkNERUZHSFFSU1QgpPPW");
}

TEST(ReceiptHandle, IsInvalidAfterAnyAlterationOfOneCharacter) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 5; ++round) {
    const std::string text = encode_handle(random_handle(random));
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string altered = text;
        altered[at] = static_cast<char>(byte);
        if (altered != text) {
          expect_invalid(altered);
        }
      }
    }
  }
}

TEST(ReceiptHandle, IsInvalidWithAnyOtherLength) {
  std::mt19937_64 random(3);
  const std::string text = encode_handle(random_handle(random));
  for (std::size_t size = 0; size < text.size(); ++size) {
    expect_invalid(std::string_view(text).substr(0, size));
  }
  for (const std::string_view behind : {"A", "=", "==", "\n", "AAAA"}) {
    expect_invalid(text + std::string(behind));
    expect_invalid(std::string(behind) + text);
  }
  expect_invalid(text + text);
}

TEST(ReceiptHandle, IsInvalidWhenTwoCharactersChangePlaces) {
  std::mt19937_64 random(4);
  const std::string text = encode_handle(random_handle(random));
  for (std::size_t left = 0; left < text.size(); ++left) {
    for (std::size_t right = left + 1; right < text.size(); ++right) {
      std::string altered = text;
      std::swap(altered[left], altered[right]);
      if (altered != text) {
        expect_invalid(altered);
      }
    }
  }
}

TEST(ReceiptHandle, IsInvalidWhenItIsOnlyNoise) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(76, 'A');
    for (char& c : noise) {
      c = kAlphabet[random() % kAlphabet.size()];
    }
    expect_invalid(noise);
  }
}

TEST(MessageId, IsPrintedAsAUuid) {
  EXPECT_EQ(message_id(0, 0, 0), "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(message_id(1, 2, 3), "00000001-0000-0000-0002-000000000003");
  EXPECT_EQ(message_id(0x01234567, 0xabcdef0123, 0x89'4567'89ab'cdef),
            "01234567-89ab-cdef-0123-456789abcdef");
  EXPECT_EQ(message_id(0xffffffff, 0xffffffffff, 0xff'ffff'ffff'ffff),
            "ffffffff-ffff-ffff-ffff-ffffffffffff");
}

TEST(MessageId, TakesTheLaneFromTheOffset) {
  EXPECT_EQ(message_id(1, 2, first_offset(0x1a) + 3), "00000001-1a00-0000-0002-000000000003");
  EXPECT_EQ(message_id(1, 0xabcd'7700'0000'0002, 0x7b00'0000'0000'0003), message_id(1, 2, 3));
}

TEST(MessageId, IsReadAsItWasWrittenAndNotOtherwise) {
  const auto place = parse_message_id(message_id(0x01234567, 0xabcdef0123, 0x89'4567'89ab'cdef));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->incarnation, 0x01234567U);
  EXPECT_EQ(place->object, 0xabcdef0123U);
  EXPECT_EQ(place->offset, 0x89'4567'89ab'cdef);
  for (const char* text :
       {"", "00000001-0000-0000-0002-00000000000", "00000001-0000-0000-0002-0000000000033",
        "00000001-0000-0000-0002-00000000000g", "00000001-0000-0000-0002_000000000003",
        "0000000A-0000-0000-0002-000000000003", "-0000001-0000-0000-0002-000000000003",
        "000000010000-0000--0002-000000000003"}) {
    EXPECT_FALSE(parse_message_id(text)) << text;
  }
}

}  // namespace
}  // namespace weir::proto
