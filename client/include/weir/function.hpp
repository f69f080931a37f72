#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weir {

template <class Signature>
class UniqueFunction;

/// A callable that is moved, never copied, so that what it captures may be move-only. Captures of
/// up to 40 bytes are kept inside: a callback for each message costs no allocation.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  static constexpr std::size_t kInlineBytes = 40;

  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}  // NOLINT: as std::function

  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  UniqueFunction(F&& callable) {  // NOLINT: as std::function
    using Callable = std::decay_t<F>;
    if constexpr (fits<Callable>()) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(callable));
      operations_ = &kInline<Callable>;
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(callable)));
      operations_ = &kOnHeap<Callable>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  UniqueFunction& operator=(std::nullptr_t) noexcept {
    reset();
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return operations_ != nullptr; }

  /// The callable inside, if it is of this type, whose captures are kept inside; else nullptr.
  template <class F>
  [[nodiscard]] const F* target() const noexcept {
    static_assert(fits<F>());
    return operations_ == &kInline<F> ? std::launder(reinterpret_cast<const F*>(storage_))
                                      : nullptr;
  }

  /// Must not be empty.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): as std::function
  R operator()(Args... args) { return operations_->call(storage_, std::forward<Args>(args)...); }

 private:
  struct Operations {
    R (*call)(void*, Args&&...);
    /// Moves from the second into the first and destroys the second.
    void (*relocate)(void*, void*) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class F>
  static constexpr bool fits() {
    return sizeof(F) <= kInlineBytes && alignof(F) <= alignof(void*) &&
           std::is_nothrow_move_constructible_v<F>;
  }

  template <class F>
  static F& in_place(void* storage) {
    return *std::launder(reinterpret_cast<F*>(storage));
  }

  template <class F>
  static constexpr Operations kInline{
      [](void* self, Args&&... args) -> R {
        return static_cast<R>(in_place<F>(self)(std::forward<Args>(args)...));
      },
      [](void* to, void* from) noexcept {
        F& source = in_place<F>(from);
        ::new (to) F(std::move(source));
        source.~F();  // NOLINT(bugprone-use-after-move): what is left is only destroyed
      },
      [](void* self) noexcept { in_place<F>(self).~F(); }};

  template <class F>
  static constexpr Operations kOnHeap{
      [](void* self, Args&&... args) -> R {
        return static_cast<R>((*in_place<F*>(self))(std::forward<Args>(args)...));
      },
      [](void* to, void* from) noexcept { ::new (to) F*(in_place<F*>(from)); },
      [](void* self) noexcept { delete in_place<F*>(self); }};

  void take(UniqueFunction& other) noexcept {
    if (other.operations_ != nullptr) {
      other.operations_->relocate(storage_, other.storage_);
      operations_ = std::exchange(other.operations_, nullptr);
    }
  }
  void reset() noexcept {
    if (operations_ != nullptr) {
      std::exchange(operations_, nullptr)->destroy(storage_);
    }
  }

  const Operations* operations_ = nullptr;
  alignas(void*) std::byte storage_[kInlineBytes];
};

}  // namespace weir
