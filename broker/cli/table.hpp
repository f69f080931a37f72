#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// Rows of cells below the names of their columns, two spaces between columns. Whoever chose what
/// stands in a cell: nothing in it that a terminal would obey.
class Table {
 public:
  enum class Align : bool { kLeft, kRight };  // text, numbers
  struct Column {
    std::string_view name;
    Align align = Align::kRight;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell a column.
  void add(std::vector<std::string> cells);
  /// All lines. No line ends with a space.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace weir::cli
