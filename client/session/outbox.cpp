#include "client/session/outbox.hpp"

#include <algorithm>
#include <utility>

namespace weir::sdk {
namespace {

// Beyond this a piece is left alone, so that growing it does not copy it again and again.
constexpr std::size_t kSmallPieceBytes = std::size_t{64} << 10;

}  // namespace

std::string& Outbox::small() {
  if (pieces_.empty() || pieces_.back().shared || pieces_.back().own.size() >= kSmallPieceBytes) {
    pieces_.emplace_back();
  }
  return pieces_.back().own;
}

void Outbox::append(std::shared_ptr<const std::string> bytes) {
  pieces_.emplace_back().shared = std::move(bytes);
}

std::size_t Outbox::gather(std::span<std::string_view> pieces) const {
  std::size_t count = 0;
  for (const Piece& piece : pieces_) {
    if (count == pieces.size()) {
      break;
    }
    std::string_view view = piece.view();
    if (&piece == &pieces_.front()) {
      view.remove_prefix(begin_);
    }
    if (!view.empty()) {
      pieces[count++] = view;
    }
  }
  return count;
}

void Outbox::consume(std::size_t bytes) {
  sent_ += bytes;
  begin_ += bytes;
  while (!pieces_.empty() && begin_ >= pieces_.front().view().size()) {
    begin_ -= pieces_.front().view().size();
    pieces_.pop_front();
  }
}

bool Outbox::empty() const {
  return std::ranges::all_of(pieces_, [](const Piece& piece) { return piece.view().empty(); });
}

std::uint64_t Outbox::total_bytes() const {
  std::uint64_t waiting = 0;
  for (const Piece& piece : pieces_) {
    waiting += piece.view().size();
  }
  return sent_ + waiting - begin_;
}

void Outbox::clear() {
  pieces_.clear();
  begin_ = 0;
  sent_ = 0;
}

}  // namespace weir::sdk
