#include "proto/batch/compression.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace weir::proto {
namespace {

constexpr std::size_t kNoCap = std::size_t{100} << 20;

std::string packed(Compression codec, std::string_view bytes) {
  std::string out;
  compress(codec, bytes, out);
  return out;
}

Errc failure(Compression codec, std::string_view frame, std::size_t max_bytes = kNoCap) {
  std::string out;
  const Result<> done = decompress(codec, frame, max_bytes, out);
  return done ? Errc{0} : done.error().code;
}

std::string text_of(std::size_t size) {
  std::string text;
  while (text.size() < size) {
    text += "record " + std::to_string(text.size()) + ' ';
  }
  text.resize(size);
  return text;
}

/// `bytes` as a frame that does not tell its size, with the given window.
std::string zstd_stream(std::string_view bytes, int window_log) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_outBuffer output{frame.data(), frame.size(), 0};
  ZSTD_inBuffer first{bytes.data(), bytes.size(), 0};
  ZSTD_compressStream2(context, &output, &first, ZSTD_e_continue);
  ZSTD_inBuffer rest{bytes.data() + first.pos, bytes.size() - first.pos, 0};
  EXPECT_EQ(ZSTD_compressStream2(context, &output, &rest, ZSTD_e_end), 0U);
  ZSTD_freeCCtx(context);
  frame.resize(output.pos);
  return frame;
}

class Codec : public testing::TestWithParam<Compression> {};

TEST_P(Codec, GivesBackWhatItTook) {
  std::mt19937_64 random(1);
  std::string noise(300'000, '\0');
  for (char& byte : noise) {
    byte = static_cast<char>(random() & 0xffU);
  }
  for (const std::string& bytes : {std::string(), std::string("x"), text_of(70), text_of(65'536),
                                   text_of(1'000'000), std::string(3'000'000, 'z'), noise}) {
    std::string out = "whatever was there";
    ASSERT_TRUE(decompress(GetParam(), packed(GetParam(), bytes), kNoCap, out));
    EXPECT_EQ(out, bytes);
  }
}

TEST_P(Codec, AppendsToWhatIsThere) {
  std::string out = "front";
  compress(GetParam(), "bytes", out);
  EXPECT_EQ(out.substr(0, 5), "front");
  std::string back;
  ASSERT_TRUE(decompress(GetParam(), std::string_view(out).substr(5), kNoCap, back));
  EXPECT_EQ(back, "bytes");
}

TEST_P(Codec, StopsAtTheCapExactly) {
  for (const std::size_t size : {1UL, 100UL, 4096UL, 65'536UL, 200'000UL, 5'000'000UL}) {
    const std::string frame = packed(GetParam(), text_of(size));
    EXPECT_EQ(failure(GetParam(), frame, size), Errc{0}) << size;
    EXPECT_EQ(failure(GetParam(), frame, size + 1), Errc{0}) << size;
    EXPECT_EQ(failure(GetParam(), frame, size - 1), Errc::kMessageTooLarge) << size;
    EXPECT_EQ(failure(GetParam(), frame, size / 2), Errc::kMessageTooLarge) << size;
    EXPECT_EQ(failure(GetParam(), frame, 0), Errc::kMessageTooLarge) << size;
  }
  EXPECT_EQ(failure(GetParam(), packed(GetParam(), ""), 0), Errc{0});
}

TEST_P(Codec, HoldsLittleWhenABombStopsAtTheCap) {
  const std::string bomb = packed(GetParam(), std::string(std::size_t{64} << 20, '\0'));
  EXPECT_LT(bomb.size(), std::size_t{300} << 10);
  std::string out;
  EXPECT_FALSE(decompress(GetParam(), bomb, 100'000, out));
  EXPECT_LE(out.capacity(), 400'000U);
}

TEST_P(Codec, RefusesEveryTruncation) {
  const std::string frame = packed(GetParam(), text_of(3000));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    ASSERT_EQ(failure(GetParam(), std::string_view(frame).substr(0, size)), Errc::kMalformed)
        << size;
  }
}

TEST_P(Codec, RefusesBytesBehindTheFrame) {
  const std::string frame = packed(GetParam(), text_of(3000));
  EXPECT_EQ(failure(GetParam(), frame + "x"), Errc::kMalformed);
  EXPECT_EQ(failure(GetParam(), frame + frame), Errc::kMalformed);
}

TEST_P(Codec, SurvivesDamage) {
  std::mt19937_64 random(2);
  const std::string frame = packed(GetParam(), text_of(5000));
  for (int round = 0; round < 5'000; ++round) {
    std::string damaged = frame;
    damaged[random() % damaged.size()] = static_cast<char>(random() & 0xffU);
    if (round % 2 == 0) {
      damaged[random() % 20] = static_cast<char>(random() & 0xffU);
    }
    std::string out;
    const Result<> done = decompress(GetParam(), damaged, 20'000, out);
    if (done) {
      ASSERT_LE(out.size(), 20'000U);
    }
  }
}

TEST_P(Codec, RefusesForeignBytes) {
  EXPECT_EQ(failure(GetParam(), "this is no frame at all, of no codec"), Errc::kMalformed);
  const Compression other =
      GetParam() == Compression::kLz4 ? Compression::kZstd : Compression::kLz4;
  EXPECT_EQ(failure(GetParam(), packed(other, text_of(100))), Errc::kMalformed);
}

std::string codec_name(const testing::TestParamInfo<Compression>& codec) {
  return codec.param == Compression::kLz4 ? "Lz4" : "Zstd";
}

INSTANTIATE_TEST_SUITE_P(All, Codec, testing::Values(Compression::kLz4, Compression::kZstd),
                         codec_name);

TEST(Compression, KnowsTwoCodecs) {
  EXPECT_TRUE(is_known_codec(Compression::kLz4));
  EXPECT_TRUE(is_known_codec(Compression::kZstd));
  for (const Compression codec : {Compression::kNone, Compression::kGzip, Compression::kSnappy}) {
    EXPECT_FALSE(is_known_codec(codec));
    EXPECT_EQ(failure(codec, "x"), Errc::kUnsupported);
  }
}

TEST(Compression, ReadsZstdFramesThatDoNotTellTheirSize) {
  const std::string text = text_of(500'000);
  const std::string frame = zstd_stream(text, 20);
  ASSERT_EQ(ZSTD_getFrameContentSize(frame.data(), frame.size()), ZSTD_CONTENTSIZE_UNKNOWN);
  std::string out;
  ASSERT_TRUE(decompress(Compression::kZstd, frame, text.size(), out));
  EXPECT_EQ(out, text);
  EXPECT_EQ(failure(Compression::kZstd, frame, text.size() - 1), Errc::kMessageTooLarge);
}

TEST(Compression, LimitsTheWindowOfZstd) {
  const std::string text = text_of(100'000);
  EXPECT_EQ(failure(Compression::kZstd, zstd_stream(text, 23)), Errc{0});
  EXPECT_EQ(failure(Compression::kZstd, zstd_stream(text, 24)), Errc::kUnsupported);
}

TEST(Compression, WritesLz4InTheFormOtherReadersExpect) {
  const std::string frame = packed(Compression::kLz4, text_of(200'000));
  EXPECT_EQ(frame.substr(0, 4), "\x04\x22\x4d\x18");
  const auto flags = static_cast<unsigned char>(frame[4]);
  EXPECT_EQ(flags >> 6U, 1U) << "version";
  EXPECT_EQ(flags & 0x20U, 0x20U) << "independent blocks";
  EXPECT_EQ(flags & 0x01U, 0U) << "no dictionary";
  EXPECT_EQ(static_cast<unsigned char>(frame[5]), 0x40U) << "64 KiB";
}

}  // namespace
}  // namespace weir::proto
