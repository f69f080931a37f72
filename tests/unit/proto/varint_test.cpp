#include "proto/batch/varint.hpp"

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

using test::varint;

template <class Int>
void expect_round_trip(Int value) {
  const std::string bytes = varint(value);
  EXPECT_EQ(bytes.size(), varint_bytes(value)) << value;
  Int read = 0;
  EXPECT_EQ(read_varint(bytes.data(), bytes.data() + bytes.size(), read),
            bytes.data() + bytes.size())
      << value;
  EXPECT_EQ(read, value);
  for (std::size_t kept = 0; kept < bytes.size(); ++kept) {
    EXPECT_EQ(read_varint(bytes.data(), bytes.data() + kept, read), nullptr) << value;
  }
}

template <class Int>
void expect_round_trips() {
  std::vector<Int> values = {0, -1, 1, std::numeric_limits<Int>::min(),
                             std::numeric_limits<Int>::max()};
  for (unsigned bit = 0; bit + 1 < sizeof(Int) * 8; ++bit) {
    const Int power = static_cast<Int>(Int{1} << bit);
    values.insert(values.end(), {power, static_cast<Int>(power - 1), static_cast<Int>(-power),
                                 static_cast<Int>(-power - 1)});
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    values.push_back(static_cast<Int>(random() >> (random() % 64)));
  }
  for (const Int value : values) {
    expect_round_trip(value);
  }
}

TEST(Varint, ReadsBackWhatItWrote) {
  expect_round_trips<std::int32_t>();
  expect_round_trips<std::int64_t>();
}

TEST(Varint, WritesTheBytesOfTheFormat) {
  EXPECT_EQ(varint(std::int32_t{0}), std::string("\x00", 1));
  EXPECT_EQ(varint(std::int32_t{-1}), "\x01");
  EXPECT_EQ(varint(std::int32_t{1}), "\x02");
  EXPECT_EQ(varint(std::int32_t{63}), "\x7e");
  EXPECT_EQ(varint(std::int32_t{64}), "\x80\x01");
  EXPECT_EQ(varint(std::numeric_limits<std::int32_t>::min()), "\xff\xff\xff\xff\x0f");
  EXPECT_EQ(varint(std::numeric_limits<std::int64_t>::min()),
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(Varint, RefusesMoreBitsThanTheTypeHas) {
  std::int32_t narrow = 0;
  for (const std::string_view bytes :
       {std::string_view("\xff\xff\xff\xff\x1f"), std::string_view("\x80\x80\x80\x80\x80\x01"),
        std::string_view("\x80\x80\x80\x80\x10")}) {
    EXPECT_EQ(read_varint(bytes.data(), bytes.data() + bytes.size(), narrow), nullptr);
  }
  std::int64_t wide = 0;
  for (const std::string_view bytes :
       {std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03"),
        std::string_view("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")}) {
    EXPECT_EQ(read_varint(bytes.data(), bytes.data() + bytes.size(), wide), nullptr);
  }
}

}  // namespace
}  // namespace weir::proto
