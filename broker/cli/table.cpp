#include "broker/cli/table.hpp"

#include <algorithm>
#include <cstddef>

namespace weir::cli {

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].name.size();
    for (const auto& cells : rows_) {
      width = std::max(width, cells[i].size());
    }
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view cell = cell_at(i);
      const std::string space(widths[i] - cell.size(), ' ');
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
