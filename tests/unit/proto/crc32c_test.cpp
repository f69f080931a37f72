#include "proto/batch/crc32c.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace weir::proto {
namespace {

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random() & 0xffU);
  }
  return bytes;
}

/// The definition, one bit at a time.
std::uint32_t by_definition(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    }
  }
  return ~crc;
}

TEST(Crc32c, GivesThePublishedCheckValues) {
  // The check value of the catalogue, and the vectors of RFC 3720, B.4.
  std::string ascending;
  std::string descending;
  for (int i = 0; i < 32; ++i) {
    ascending.push_back(static_cast<char>(i));
    descending.push_back(static_cast<char>(31 - i));
  }
  for (const auto& sum : {crc32c, crc32c_software}) {
    EXPECT_EQ(sum(0, ""), 0U);
    EXPECT_EQ(sum(0, "123456789"), 0xe3069283U);
    EXPECT_EQ(sum(0, std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(sum(0, std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(sum(0, ascending), 0x46dd794eU);
    EXPECT_EQ(sum(0, descending), 0x113fdb5cU);
  }
}

TEST(Crc32c, BothFormsAgreeWithTheDefinitionAtEveryLengthAndAlignment) {
  std::mt19937_64 random(1);
  const std::string bytes = random_bytes(random, 900);
  for (std::size_t size = 0; size <= 880; ++size) {
    const std::string_view part = std::string_view(bytes).substr(size % 16, size);
    const std::uint32_t expected = by_definition(part);
    ASSERT_EQ(crc32c(0, part), expected) << size;
    ASSERT_EQ(crc32c_software(0, part), expected) << size;
  }
}

TEST(Crc32c, BothFormsAgreeAroundTheLengthsWhereStretchesChange) {
  std::mt19937_64 random(2);
  const std::string bytes = random_bytes(random, 40'000);
  for (const std::size_t middle :
       {192UL, 216UL, 3072UL, 6120UL, 6144UL, 6168UL, 12'288UL, 36'000UL}) {
    for (std::size_t size = middle - 30; size < middle + 30; ++size) {
      const std::string_view part(bytes.data() + size % 7, size);
      ASSERT_EQ(crc32c(0, part), crc32c_software(0, part)) << size;
    }
  }
  EXPECT_EQ(crc32c(0, bytes), by_definition(bytes));
}

TEST(Crc32c, GoesOnFromWhatPrecedes) {
  std::mt19937_64 random(3);
  const std::string bytes = random_bytes(random, 10'000);
  const std::string_view whole = bytes;
  const std::uint32_t expected = crc32c(0, whole);
  for (int round = 0; round < 500; ++round) {
    const std::size_t cut = random() % (whole.size() + 1);
    ASSERT_EQ(crc32c(crc32c(0, whole.substr(0, cut)), whole.substr(cut)), expected) << cut;
    ASSERT_EQ(crc32c_software(crc32c(0, whole.substr(0, cut)), whole.substr(cut)), expected) << cut;
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  std::string bytes(300, 'x');
  const std::uint32_t expected = crc32c(0, bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<unsigned char>(1U << (bit % 8));
    bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ mask);
    ASSERT_NE(crc32c(0, bytes), expected) << bit;
    bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ mask);
  }
}

// Runs while other objects of the program are still being built.
const std::uint32_t kBeforeMain = crc32c(0, "123456789");

TEST(Crc32c, WorksBeforeMain) {
  EXPECT_EQ(kBeforeMain, 0xe3069283U);
}

TEST(Crc32c, NamesWhatItRuns) {
  const std::string_view name = crc32c_implementation();
  EXPECT_TRUE(name == "sse4.2" || name == "software") << name;
}

}  // namespace
}  // namespace weir::proto
