#pragma once

#include "tests/tidy/source_tree.hpp"

#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What a compiler does not check and a reviewer forgets. Each rule takes the whole tree and says
// where it is broken; an empty answer is a pass.
namespace weir::tidy {

struct Finding {
  std::string path;
  std::size_t line = 0;  // from 1; 0: the file as a whole
  std::string what;
};

inline std::ostream& operator<<(std::ostream& out, const Finding& finding) {
  return out << finding.path << ':' << finding.line << ": " << finding.what;
}

using Findings = std::vector<Finding>;

// ---- layers.cpp: who may know of whom

/// Each folder includes only the folders and libraries that its layer allows.
[[nodiscard]] Findings check_layers(const SourceTree& tree);
/// No file includes itself by way of others.
[[nodiscard]] Findings check_include_cycles(const SourceTree& tree);
/// What one file of a deterministic layer may use all the same.
struct PurityException {
  std::string_view file;  // without its ending: header and body
  std::vector<std::string_view> words;
};

/// The deterministic layers use no clock, thread, lock, random number, log or coroutine, but for
/// the exceptions. An exception that is no longer needed is a finding too.
[[nodiscard]] Findings check_purity(const SourceTree& tree,
                                    std::span<const PurityException> exceptions);
/// With the exceptions that this repository has.
[[nodiscard]] Findings check_purity(const SourceTree& tree);

// ---- text_rules.cpp: what a file may say

/// `using namespace` in a header, a header without `#pragma once`, all of Asio at once.
[[nodiscard]] Findings check_headers(const SourceTree& tree);
/// No whole braced or bracketed temporary, capturing lambda or `?:` in a statement with `co_await`:
/// g++ 12 destroys such temporaries twice.
[[nodiscard]] Findings check_co_await(const SourceTree& tree);
/// No line of C++ over 100 columns, whose comments the formatter leaves alone.
[[nodiscard]] Findings check_columns(const SourceTree& tree);
/// Marks of work left over, code that is switched off.
[[nodiscard]] Findings check_leftovers(const SourceTree& tree);
/// Tests neither sleep nor skip.
[[nodiscard]] Findings check_tests(const SourceTree& tree);
/// Words that mean nothing to a reader of this repository, and documents that are not in it.
[[nodiscard]] Findings check_references(const SourceTree& tree);

// ---- folder_rules.cpp: how files lie in the tree

/// No file of code over 600 lines.
[[nodiscard]] Findings check_lengths(const SourceTree& tree);
/// Each folder of code has a README.md, or one above it names the folder.
[[nodiscard]] Findings check_readmes(const SourceTree& tree);
/// Every source is built, every header is included.
[[nodiscard]] Findings check_dead_files(const SourceTree& tree);

}  // namespace weir::tidy
