#pragma once

#include <string>

namespace weir::storage {

/// For a person whose database does not open: which of its table files are damaged, which are
/// intact, and what to do. Reads all of them.
[[nodiscard]] std::string describe_tables(const std::string& database_path);

}  // namespace weir::storage
