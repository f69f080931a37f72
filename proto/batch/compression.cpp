#include "proto/batch/compression.hpp"

#include "proto/assert.hpp"
#include "proto/planted_bugs.hpp"

#include <lz4frame.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>

namespace weir::proto {
namespace {

constexpr std::size_t kFirstOutputBytes = std::size_t{4} << 10;

/// What one step of a decoder came to.
struct Step {
  std::size_t taken = 0;
  std::size_t made = 0;
  bool ended = false;
};

class Lz4Decoder {
 public:
  Lz4Decoder() {
    LZ4F_dctx* context = nullptr;
    const std::size_t code = LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
    WEIR_ASSERT(LZ4F_isError(code) == 0, "out of memory");
    context_.reset(context);
  }

  Result<Step> step(std::string_view in, char* to, std::size_t room) {
    Step done{in.size(), room, false};
    const std::size_t code =
        LZ4F_decompress(context_.get(), to, &done.made, in.data(), &done.taken, nullptr);
    if (LZ4F_isError(code) != 0) {
      return fail(Errc::kMalformed, std::string("lz4: ") + LZ4F_getErrorName(code));
    }
    done.ended = code == 0;
    return done;
  }

 private:
  struct Free {
    void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
  };
  std::unique_ptr<LZ4F_dctx, Free> context_;
};

class ZstdDecoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    WEIR_ASSERT(context_ != nullptr, "out of memory");
    const std::size_t code = ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax,
                                                    static_cast<int>(kZstdWindowLog));
    WEIR_ASSERT(ZSTD_isError(code) == 0, "the window limit is within zstd's bounds");
  }

  Result<Step> step(std::string_view in, char* to, std::size_t room) {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{to, room, 0};
    const std::size_t code = ZSTD_decompressStream(context_.get(), &output, &input);
    if (ZSTD_isError(code) != 0) {
      if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) {
        return fail(Errc::kUnsupported, "zstd: the frame needs a window of more than 8 MiB");
      }
      return fail(Errc::kMalformed, std::string("zstd: ") + ZSTD_getErrorName(code));
    }
    return Step{input.pos, output.pos, code == 0};
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
};

template <class Decoder>
Result<> decode_one_frame(Decoder decoder, std::string_view frame, std::size_t max_bytes,
                          std::string& out) {
  out.clear();
  std::size_t made = 0;
  for (;;) {
    // At the cap a single byte of room tells a frame that ends here from one that goes on.
    char beyond = 0;
    const bool full = made == max_bytes;
    if (!full && made == out.size()) {
      const std::size_t larger = std::max({kFirstOutputBytes, frame.size(), out.size() * 2});
      out.resize(std::min(larger, max_bytes));
    }
    const Result<Step> step = full ? decoder.step(frame, &beyond, 1)
                                   : decoder.step(frame, out.data() + made, out.size() - made);
    if (!step) {
      return step.error();
    }
    if (full && step->made > 0 && WEIR_PLANTED(unpack_without_bound)) {
      out.resize(out.size() * 2);
      max_bytes = out.size();
      out[made] = beyond;
    } else if (full && step->made > 0) {
      return fail(Errc::kMessageTooLarge,
                  "the records take more than " + std::to_string(max_bytes) + " bytes");
    }
    made += step->made;
    frame.remove_prefix(step->taken);
    if (step->ended) {
      break;
    }
    if (step->taken == 0 && step->made == 0) {
      return fail(Errc::kMalformed, "the compressed records are cut off");
    }
  }
  if (!frame.empty()) {
    return fail(Errc::kMalformed, "bytes after the compressed records");
  }
  out.resize(made);
  return {};
}

void compress_lz4(std::string_view bytes, std::string& out) {
  // Independent blocks of 64 KiB, as other implementations of the format expect them.
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentSize = bytes.size();
  const std::size_t before = out.size();
  out.resize(before + LZ4F_compressFrameBound(bytes.size(), &preferences));
  const std::size_t written = LZ4F_compressFrame(out.data() + before, out.size() - before,
                                                 bytes.data(), bytes.size(), &preferences);
  WEIR_ASSERT(LZ4F_isError(written) == 0, "the output has room for any input");
  out.resize(before + written);
}

void compress_zstd(std::string_view bytes, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + ZSTD_compressBound(bytes.size()));
  const std::size_t written = ZSTD_compress(out.data() + before, out.size() - before, bytes.data(),
                                            bytes.size(), ZSTD_CLEVEL_DEFAULT);
  WEIR_ASSERT(ZSTD_isError(written) == 0, "the output has room for any input");
  out.resize(before + written);
}

}  // namespace

bool is_known_codec(Compression codec) {
  return codec == Compression::kLz4 || codec == Compression::kZstd;
}

void compress(Compression codec, std::string_view bytes, std::string& out) {
  WEIR_ASSERT(is_known_codec(codec), "only lz4 and zstd are written");
  if (codec == Compression::kLz4) {
    compress_lz4(bytes, out);
  } else {
    compress_zstd(bytes, out);
  }
}

Result<> decompress(Compression codec, std::string_view frame, std::size_t max_bytes,
                    std::string& out) {
  switch (codec) {
    case Compression::kLz4:
      return decode_one_frame(Lz4Decoder(), frame, max_bytes, out);
    case Compression::kZstd:
      return decode_one_frame(ZstdDecoder(), frame, max_bytes, out);
    case Compression::kNone:
    case Compression::kGzip:
    case Compression::kSnappy:
      break;
  }
  return fail(Errc::kUnsupported, "records are compressed with a codec that is not lz4 or zstd");
}

}  // namespace weir::proto
