#pragma once

#include "proto/batch/record_batch.hpp"
#include "proto/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

// The codecs of the records of a batch: LZ4 in its frame format and Zstandard.
namespace weir::proto {

/// Frames that need a larger window are refused: it is memory that the sender chooses.
inline constexpr unsigned kZstdWindowLog = 23;  // 8 MiB

/// True for the codecs that compress() and decompress() know: kLz4 and kZstd.
[[nodiscard]] bool is_known_codec(Compression codec);

/// Appends `bytes` as one frame to `out`. The codec must be a known one.
void compress(Compression codec, std::string_view bytes, std::string& out);

/// Replaces `out` by what the one frame `frame` holds. `out` grows with what has been decompressed
/// so far, never by what the frame claims; the decoder itself takes no more than the window. After
/// an error `out` holds anything. UNSUPPORTED: another codec, or a window over the limit;
/// MESSAGE_TOO_LARGE: more than `max_bytes`; MALFORMED: damaged, cut off, or followed by more
/// bytes.
[[nodiscard]] Result<> decompress(Compression codec, std::string_view frame, std::size_t max_bytes,
                                  std::string& out);

}  // namespace weir::proto
