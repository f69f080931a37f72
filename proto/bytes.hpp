#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir::proto {

/// Immutable bytes with shared ownership, and a window into them. The payload of a batch is read
/// from the socket once and then shared by the commit, the tail cache and every reader.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes)
      : owner_(std::make_shared<const std::string>(std::move(bytes))), view_(*owner_) {}

  [[nodiscard]] std::string_view view() const { return view_; }
  [[nodiscard]] std::size_t size() const { return view_.size(); }
  [[nodiscard]] bool empty() const { return view_.empty(); }

  /// A window of [pos, pos + count) that keeps the whole alive. The range must lie inside.
  [[nodiscard]] SharedBytes slice(std::size_t pos, std::size_t count) const {
    SharedBytes part;
    part.owner_ = owner_;
    part.view_ = view_.substr(pos, count);
    return part;
  }

 private:
  std::shared_ptr<const std::string> owner_;
  std::string_view view_;
};

}  // namespace weir::proto
