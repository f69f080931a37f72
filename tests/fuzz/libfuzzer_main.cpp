#include "tests/fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

// What libFuzzer calls; WEIR_FUZZ_TARGET is one of targets.hpp.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::WEIR_FUZZ_TARGET(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
