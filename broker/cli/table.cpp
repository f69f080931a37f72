#include "broker/cli/table.hpp"

#include "broker/terminal/plain_text.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace weir::cli {

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    cell = terminal::plain(cell);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].name.size();
    for (const auto& cells : rows_) {
      width = std::max(width, terminal::columns_of(cells[i]));
    }
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view cell = cell_at(i);
      const std::string space(widths[i] - terminal::columns_of(cell), ' ');
      line += i > 0 ? "  " : "";
      line +=
          columns_[i].align == Align::kLeft ? std::string(cell) + space : space + std::string(cell);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line([&](std::size_t i) { return columns_[i].name; });
  for (const auto& cells : rows_) {
    add_line([&](std::size_t i) { return std::string_view(cells[i]); });
  }
  return out;
}

}  // namespace weir::cli
