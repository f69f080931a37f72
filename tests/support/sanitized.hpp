#pragma once

// For tests of which a sanitizer sees enough in a part: they run whole without one.
namespace weir::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif
#else
inline constexpr bool kIsSanitized = false;
#endif

/// `whole`, or a part of it where a sanitizer looks on.
template <class Number>
[[nodiscard]] constexpr Number share(Number whole, Number part) {
  return kIsSanitized ? part : whole;
}

}  // namespace weir::test
