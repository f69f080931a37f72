#include "storage/rocks/crc32c_override.hpp"

#include "proto/batch/crc32c.hpp"

#include <atomic>
#include <cstddef>
#include <string_view>

namespace {

// The one global that changes: the symbol below is a free function that the library calls.
constinit std::atomic<std::uint64_t> override_calls{0};

}  // namespace

namespace rocksdb::crc32c {

// Not declared in any header that RocksDB installs; the signature is part of its ABI (7.8).
// NOLINTNEXTLINE(readability-identifier-naming): the library's own name for it
__attribute__((visibility("default"), used)) std::uint32_t Extend(std::uint32_t crc,
                                                                  const char* data,
                                                                  std::size_t size);

std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size) {
  override_calls.fetch_add(1, std::memory_order_relaxed);
  return weir::proto::crc32c(crc, std::string_view(data, size));
}

}  // namespace rocksdb::crc32c

#if defined(__SANITIZE_THREAD__)
#define WEIR_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_THREAD_SANITIZER 1
#endif
#endif

#ifdef WEIR_THREAD_SANITIZER
// The library's lock-free lists use atomics that the sanitizer does not see, because the library is
// not built with it; it sees only their memcpy. This file is in every executable that uses the
// library, and the sanitizer looks for this name there.
extern "C" __attribute__((visibility("default"), used)) const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:librocksdb.so\n";
}
#endif

namespace weir::storage {

std::uint64_t crc32c_override_calls() {
  return override_calls.load(std::memory_order_relaxed);
}

bool crc32c_override_is_exact() {
  constexpr std::uint32_t kCheckValue = 0xe3069283U;  // CRC-32C of "123456789"
  return proto::crc32c(0, "123456789") == kCheckValue &&
         proto::crc32c(proto::crc32c(0, "1234"), "56789") == kCheckValue;
}

}  // namespace weir::storage
