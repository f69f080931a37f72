#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weir::sdk {

/// Bytes on their way to the socket: small frames are gathered, batches are kept where they are.
class Outbox {
 public:
  /// Where small frames are to be appended. The reference is valid until the next call.
  [[nodiscard]] std::string& small();
  /// Puts `bytes` behind everything so far, without a copy.
  void append(std::shared_ptr<const std::string> bytes);

  /// The first unsent pieces, as many as `pieces` has room for; gives their number.
  [[nodiscard]] std::size_t gather(std::span<std::string_view> pieces) const;
  /// The first `bytes` of what gather() gave were sent.
  void consume(std::size_t bytes);

  [[nodiscard]] bool empty() const;
  /// How many bytes were sent since clear(), and how many there were in all.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_; }
  [[nodiscard]] std::uint64_t total_bytes() const;
  void clear();

 private:
  struct Piece {
    std::string own;
    std::shared_ptr<const std::string> shared;

    [[nodiscard]] std::string_view view() const { return shared ? *shared : own; }
  };

  std::deque<Piece> pieces_;
  std::size_t begin_ = 0;  // sent bytes of the first piece
  std::uint64_t sent_ = 0;
};

}  // namespace weir::sdk
