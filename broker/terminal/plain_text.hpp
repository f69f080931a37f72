#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text that strangers chose, as a terminal may see it.
namespace weir::terminal {

/// `text` without what a terminal would obey: control characters, what turns the direction of
/// writing, and bytes that are no UTF-8 become \n \r \t or \xHH, a byte each. All else, a backslash
/// too, stays as it is, so what is done twice is done once.
[[nodiscard]] std::string plain(std::string_view text);

/// As plain(), but so that it can be read back: as it is when nothing in it is escaped, it holds
/// none of the `delimiters`, and it does not begin with a double quote. Otherwise in double quotes,
/// in which \" and \\ stand for these two.
[[nodiscard]] std::string quoted(std::string_view text, std::string_view delimiters = {});

/// How many characters that is, which are its columns for all but wide ones.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// The first characters of it, `columns` at most.
[[nodiscard]] std::string_view first_columns(std::string_view text, std::size_t columns);

}  // namespace weir::terminal
