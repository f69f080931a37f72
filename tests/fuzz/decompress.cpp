#include "proto/assert.hpp"
#include "proto/batch/compression.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::fuzz {

void decompress(std::string_view bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  const auto codec = static_cast<proto::Compression>(how & 7U);
  const std::size_t cap = std::size_t{1} << (how >> 3U);  // 1 byte to 2 GiB
  const std::size_t max_bytes = std::min(cap, std::size_t{1} << 20);
  const std::string_view frame = input.rest();
  std::string out;
  const proto::Result<> done = proto::decompress(codec, frame, max_bytes, out);
  WEIR_ASSERT(out.size() <= max_bytes, "the output is capped, whatever a frame claims");
  WEIR_ASSERT(out.capacity() <= 2 * std::max(max_bytes, sizeof(std::string)),
              "and so is its memory");
  if (!proto::is_known_codec(codec)) {
    WEIR_ASSERT(!done, "an unknown codec is refused");
    return;
  }
  // What was unpacked, or else the frame itself, comes back whole when it is packed.
  const std::string plain = done ? out : std::string(frame);
  std::string packed;
  proto::compress(codec, plain, packed);
  const proto::Result<> again = proto::decompress(codec, packed, plain.size(), out);
  WEIR_ASSERT(again && out == plain, "what is packed is unpacked as it was");
  if (!plain.empty()) {
    WEIR_ASSERT(!proto::decompress(codec, packed, plain.size() - 1, out), "a byte too much");
  }
}

}  // namespace weir::fuzz
