#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// The repository as text: what the rules look at. Samples made in a test look the same.
namespace weir::tidy {

struct SourceFile {
  std::string path;  // from the root, with '/'
  std::string text;
};

/// Sorted by path.
using SourceTree = std::vector<SourceFile>;

/// One #include of a file.
struct Include {
  std::size_t line = 0;  // from 1
  std::string name;      // between the quotes or brackets
  bool is_quoted = false;
};

/// Reads every text file under `root`, but not what git ignores or keeps for itself: `.git`, build
/// trees and data.
[[nodiscard]] SourceTree read_source_tree(const std::filesystem::path& root);

[[nodiscard]] const SourceFile* find_file(const SourceTree& tree, std::string_view path);

[[nodiscard]] bool is_header(std::string_view path);
/// A C++ file, header or not.
[[nodiscard]] bool is_cpp(std::string_view path);
/// The folder of a path, without the last '/'; empty for a file at the root.
[[nodiscard]] std::string_view folder_of(std::string_view path);
[[nodiscard]] std::string_view file_name_of(std::string_view path);

/// The same text with comments made blank, and with `literals` the contents of string and character
/// literals too. Lines and columns stay where they were.
enum class Literals { kKeep, kBlank };
[[nodiscard]] std::string blank_comments(std::string_view text, Literals literals);

[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
/// The line, from 1, that holds the byte at `position`.
[[nodiscard]] std::size_t line_at(std::string_view text, std::size_t position);

[[nodiscard]] std::vector<Include> includes_of(const SourceFile& file);
/// The file of the tree that `include` names, nullptr for one that is generated or not ours.
[[nodiscard]] const SourceFile* resolve(const SourceTree& tree, const Include& include);

/// Positions of `word` in `text` where it is not a part of a longer identifier. A word that ends in
/// '_' may begin one.
[[nodiscard]] std::vector<std::size_t> find_word(std::string_view text, std::string_view word);

}  // namespace weir::tidy
