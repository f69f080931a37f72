#pragma once

#include <atomic>

namespace weir::sdk::test {

/// Counts how often objects of its type were made and destroyed.
class Counted {
 public:
  explicit Counted(int number) : number_(number) { ++made; }
  Counted(const Counted& other) : number_(other.number_) { ++made; }
  Counted(Counted&& other) noexcept : number_(other.number_) { ++made; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() { ++destroyed; }

  [[nodiscard]] int number() const { return number_; }

  static inline std::atomic<int> made = 0;
  static inline std::atomic<int> destroyed = 0;

 private:
  int number_;
};

}  // namespace weir::sdk::test
