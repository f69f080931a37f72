#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::bench {

/// Pseudo-random bytes that no compressor shortens, behind the message's number and the time at
/// which it was sent. Every payload differs. The same bytes for the same numbers on every machine.
class Payload {
 public:
  static constexpr std::size_t kSmallest = 16;

  explicit Payload(std::size_t bytes) : bytes_(bytes < kSmallest ? kSmallest : bytes, '\0') {}

  /// The payload of message `number`; valid until the next call.
  std::string_view make(std::uint64_t number, std::int64_t sent_ns) {
    std::memcpy(bytes_.data(), &number, sizeof(number));
    std::memcpy(bytes_.data() + sizeof(number), &sent_ns, sizeof(sent_ns));
    std::uint64_t state = number;
    for (std::size_t at = kSmallest; at < bytes_.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = next(state);
      const std::size_t left = bytes_.size() - at;
      std::memcpy(bytes_.data() + at, &word, left < sizeof(word) ? left : sizeof(word));
    }
    return bytes_;
  }

  /// Whether these are bytes that make() gives for the number and the time in front of them.
  [[nodiscard]] bool could_make(std::string_view payload) {
    const Stamp stamp = read(payload);
    return make(stamp.number, stamp.sent_ns) == payload;
  }

  struct Stamp {
    std::uint64_t number = 0;
    std::int64_t sent_ns = 0;
  };
  /// What make() put in front; number UINT64_MAX for bytes that are none of ours.
  static Stamp read(std::string_view payload) {
    Stamp stamp;
    if (payload.size() < kSmallest) {
      stamp.number = UINT64_MAX;
      return stamp;
    }
    std::memcpy(&stamp.number, payload.data(), sizeof(stamp.number));
    std::memcpy(&stamp.sent_ns, payload.data() + sizeof(stamp.number), sizeof(stamp.sent_ns));
    return stamp;
  }

 private:
  // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
  static std::uint64_t next(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t word = state;
    word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
    word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
    return word ^ (word >> 31U);
  }

  std::string bytes_;
};

}  // namespace weir::bench
