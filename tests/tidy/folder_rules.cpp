#include "tests/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace weir::tidy {
namespace {

constexpr std::size_t kMaxLines = 600;

bool is_protobuf(std::string_view path) {
  return path.ends_with(".proto");
}

bool is_script(const SourceFile& file) {
  return file.text.starts_with("#!");
}

bool is_build_file(std::string_view path) {
  return file_name_of(path) == "CMakeLists.txt" || path.ends_with(".cmake");
}

bool is_code(const SourceFile& file) {
  return is_cpp(file.path) || is_protobuf(file.path) || is_script(file) || is_build_file(file.path);
}

// Whether `text` names `path` as a whole: not as the end of a longer name.
bool names_path(std::string_view text, std::string_view path) {
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/';
  };
  for (std::size_t at = text.find(path); at != std::string_view::npos;
       at = text.find(path, at + 1)) {
    const std::size_t end = at + path.size();
    const bool is_after_variable = at >= 2 && text.substr(at - 2, 2) == "}/";
    const bool begins = at == 0 || is_after_variable || !is_name(text[at - 1]);
    const bool ends = end == text.size() || !is_name(text[end]);
    if (begins && ends) {
      return true;
    }
  }
  return false;
}

// A source is built when the CMakeLists.txt of a folder above it names it from there.
bool is_built(const SourceTree& tree, std::string_view path) {
  std::string_view folder = path;
  while (!folder.empty()) {
    folder = folder_of(folder);
    const std::string list =
        folder.empty() ? std::string("CMakeLists.txt") : std::string(folder) + "/CMakeLists.txt";
    const std::string_view from_there = folder.empty() ? path : path.substr(folder.size() + 1);
    const SourceFile* file = find_file(tree, list);
    if (file != nullptr && names_path(file->text, from_there)) {
      return true;
    }
  }
  return false;
}

// Its own README.md, or one above that says what the folder is for (`folder/` stands in it).
bool is_described(const SourceTree& tree, std::string_view folder) {
  if (find_file(tree, std::string(folder) + "/README.md") != nullptr) {
    return true;
  }
  const std::string name = std::string(file_name_of(folder)) + "/";
  for (std::string_view above = folder_of(folder); !above.empty(); above = folder_of(above)) {
    const SourceFile* readme = find_file(tree, std::string(above) + "/README.md");
    if (readme != nullptr && readme->text.find(name) != std::string::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

Findings check_lengths(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    const std::size_t lines = is_code(file) ? lines_of(file.text).size() : 0;
    if (lines > kMaxLines) {
      findings.push_back({file.path, kMaxLines + 1,
                          std::to_string(lines) + " lines: a file holds one idea, in at most " +
                              std::to_string(kMaxLines)});
    }
  }
  return findings;
}

Findings check_readmes(const SourceTree& tree) {
  std::set<std::string_view> folders;
  for (const SourceFile& file : tree) {
    if (is_cpp(file.path) || is_protobuf(file.path)) {
      folders.insert(folder_of(file.path));
    }
  }
  Findings findings;
  for (std::string_view folder : folders) {
    if (!folder.empty() && !is_described(tree, folder)) {
      findings.push_back({std::string(folder), 0, "no README.md says what this folder is for"});
    }
  }
  return findings;
}

Findings check_dead_files(const SourceTree& tree) {
  std::set<std::string_view> included;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) {
      continue;
    }
    for (const Include& include : includes_of(file)) {
      const SourceFile* target = resolve(tree, include);
      if (target != nullptr) {
        included.insert(target->path);
      }
    }
  }
  Findings findings;
  for (const SourceFile& file : tree) {
    if (is_header(file.path)) {
      if (!included.contains(file.path)) {
        findings.push_back({file.path, 0, "no file includes this header"});
      }
    } else if ((is_cpp(file.path) || is_protobuf(file.path)) && !is_built(tree, file.path)) {
      findings.push_back({file.path, 0, "no CMakeLists.txt builds this source"});
    }
  }
  return findings;
}

}  // namespace weir::tidy
