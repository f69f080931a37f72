#include "proto/batch/crc32c.hpp"

#include "proto/endian.hpp"

#include <array>
#include <cstddef>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir::proto {
namespace {

// The polynomial and every value below are bit-reflected: bit 31 stands for x^0.
constexpr std::uint32_t kPolynomial = 0x82f63b78U;

/// a * x modulo the polynomial.
constexpr std::uint32_t times_x(std::uint32_t a) {
  return (a >> 1U) ^ ((a & 1U) != 0 ? kPolynomial : 0U);
}

using SliceTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[k][b] is what byte b contributes when k more bytes follow it in the same eight.
consteval SliceTables make_slice_tables() {
  SliceTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = times_x(crc);
    }
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8U) ^ tables[0][before & 0xffU];
    }
  }
  return tables;
}

constexpr SliceTables kSlices = make_slice_tables();

std::uint32_t slice_by_8(std::uint32_t crc, const char* at, std::size_t size) {
  for (; size >= 8; at += 8, size -= 8) {
    const std::uint64_t word = load_le<std::uint64_t>(at) ^ crc;
    crc = 0;
    for (unsigned k = 0; k < 8; ++k) {
      crc ^= kSlices[7 - k][(word >> (8 * k)) & 0xffU];
    }
  }
  for (; size > 0; ++at, --size) {
    crc = (crc >> 8U) ^ kSlices[0][(crc ^ static_cast<unsigned char>(*at)) & 0xffU];
  }
  return crc;
}

#if defined(__x86_64__)

// The crc32 instruction takes three cycles but one can start every cycle, so three neighbouring
// stretches of equal length run side by side and are joined afterwards. Joining needs "this CRC,
// with n zero bytes behind it", that is a multiplication by x^(8n). A carry-less product of two
// reflected 32-bit values, read as a reflected 64-bit word, is their product times x, and crc32 of
// that word multiplies by x^32 and reduces: hence the constants x^(8n - 33).
constexpr std::size_t kStretchWordsMax = 256;
constexpr std::size_t kStretchWordsMin = 8;

using ShiftTable = std::array<std::uint32_t, 2 * kStretchWordsMax + 1>;

/// shifts[w] == x^(64 w - 33), for w words of eight bytes.
consteval ShiftTable make_shifts() {
  ShiftTable shifts{};
  std::uint32_t power = 1;  // x^31, which is x^(64 - 33): bit 0 is the highest power
  for (std::size_t words = 1; words < shifts.size(); ++words) {
    shifts[words] = power;
    for (int bit = 0; bit < 64; ++bit) {
      power = times_x(power);
    }
  }
  return shifts;
}

constexpr ShiftTable kShifts = make_shifts();

__attribute__((target("sse4.2,pclmul"))) std::uint64_t product(std::uint64_t crc,
                                                               std::uint32_t shift) {
  const __m128i both =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(crc)),
                           _mm_cvtsi64_si128(static_cast<long long>(std::uint64_t{shift})), 0);
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(both));
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t by_instruction(std::uint32_t start,
                                                                      const char* at,
                                                                      std::size_t size) {
  std::uint64_t crc = start;
  while (size >= 3 * 8 * kStretchWordsMin) {
    const std::size_t fit = size / (3 * 8);
    const std::size_t words = fit < kStretchWordsMax ? fit : kStretchWordsMax;
    const std::size_t stretch = words * 8;
    std::uint64_t middle = 0;
    std::uint64_t last = 0;
    for (const char* end = at + stretch; at != end; at += 8) {
      crc = _mm_crc32_u64(crc, load_le<std::uint64_t>(at));
      middle = _mm_crc32_u64(middle, load_le<std::uint64_t>(at + stretch));
      last = _mm_crc32_u64(last, load_le<std::uint64_t>(at + 2 * stretch));
    }
    const std::uint64_t joined = product(crc, kShifts[2 * words]) ^ product(middle, kShifts[words]);
    crc = _mm_crc32_u64(0, joined) ^ last;
    at += 2 * stretch;
    size -= 3 * stretch;
  }
  for (; size >= 8; at += 8, size -= 8) {
    crc = _mm_crc32_u64(crc, load_le<std::uint64_t>(at));
  }
  auto narrow = static_cast<std::uint32_t>(crc);
  for (; size > 0; ++at, --size) {
    narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
  }
  return narrow;
}

bool detect_instructions() noexcept {
  // Needed where a constructor of another library calls before the compiler's own has run.
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
}

bool has_instructions() noexcept {
  static const bool found = detect_instructions();
  return found;
}

#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
#if defined(__x86_64__)
  if (has_instructions()) [[likely]] {
    return ~by_instruction(~crc, bytes.data(), bytes.size());
  }
#endif
  return crc32c_software(crc, bytes);
}

std::string_view crc32c_implementation() {
#if defined(__x86_64__)
  if (has_instructions()) {
    return "sse4.2";
  }
#endif
  return "software";
}

std::uint32_t crc32c_software(std::uint32_t crc, std::string_view bytes) {
  return ~slice_by_8(~crc, bytes.data(), bytes.size());
}

}  // namespace weir::proto
