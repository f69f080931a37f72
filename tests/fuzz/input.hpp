#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::fuzz {

/// Takes a fuzzer's bytes apart from the front. What is not there is zero, so that every input
/// means something and a longer one means the same to begin with.
class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) {
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  bool flag() { return (byte() & 1U) != 0; }
  template <std::integral T>
  T number() {
    T value{};
    const std::size_t have = std::min(sizeof(T), rest_.size());
    if (have > 0) {
      std::memcpy(&value, rest_.data(), have);
      rest_.remove_prefix(have);
    }
    return value;
  }
  /// In [0, bound); `bound` is 1 to 256.
  std::size_t below(std::size_t bound) { return byte() % bound; }
  template <class T, std::size_t N>
  const T& pick(const std::array<T, N>& list) {
    return list[below(N)];
  }
  /// A piece whose length the input says in one byte.
  std::string_view piece() {
    const std::size_t length = byte();
    return skip(length);
  }
  std::string_view rest() { return skip(rest_.size()); }

 private:
  std::string_view skip(std::size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest_;
};

}  // namespace weir::fuzz
