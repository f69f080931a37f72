#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace weir::tidy {
namespace {

namespace fs = std::filesystem;

bool is_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// What .gitignore names; these are folders of the root only.
bool is_outside(const std::string& path) {
  return path == ".git" || path == ".cache" || path == "data" || path.starts_with("build");
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Walks once over C++ text and writes blanks over what is not code.
class Blanker {
 public:
  Blanker(std::string_view text, Literals literals)
      : text_(text), out_(text), is_blanking_literals_(literals == Literals::kBlank) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (text_.substr(at_, 2) == "//") {
        blank_until(text_.find('\n', at_));
      } else if (text_.substr(at_, 2) == "/*") {
        blank_until(end_after("*/", at_ + 2));
      } else if (text_.substr(at_, 2) == "R\"" && (at_ == 0 || !is_identifier(text_[at_ - 1]))) {
        raw_string();
      } else if (text_[at_] == '"' || (text_[at_] == '\'' && !is_digit_separator())) {
        quoted(text_[at_]);
      } else {
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool is_digit_separator() const {
    return at_ > 0 && is_identifier(text_[at_ - 1]) && at_ + 1 < text_.size() &&
           is_identifier(text_[at_ + 1]);
  }

  [[nodiscard]] std::size_t end_after(std::string_view mark, std::size_t from) const {
    const std::size_t found = text_.find(mark, from);
    return found == std::string_view::npos ? found : found + mark.size();
  }

  void blank(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (out_[i] != '\n') {
        out_[i] = ' ';
      }
    }
  }

  void blank_until(std::size_t end) {
    end = std::min(end, text_.size());
    blank(at_, end);
    at_ = end;
  }

  void literal(std::size_t first, std::size_t last, std::size_t end) {
    if (is_blanking_literals_) {
      blank(first, last);
    }
    at_ = end;
  }

  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos) {
      at_ = text_.size();
      return;
    }
    const std::string mark = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    const std::size_t end = std::min(end_after(mark, open), text_.size());
    literal(open + 1, std::max(open + 1, end - mark.size()), end);
  }

  void quoted(char quote) {
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != quote && text_[i] != '\n') {
      i += text_[i] == '\\' ? 2 : 1;
    }
    i = std::min(i, text_.size());
    literal(at_ + 1, i, i + 1);
  }

  std::string_view text_;
  std::string out_;
  bool is_blanking_literals_;
  std::size_t at_ = 0;
};

}  // namespace

SourceTree read_source_tree(const fs::path& root) {
  SourceTree tree;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator();
       ++it) {
    std::string path = it->path().lexically_relative(root).generic_string();
    if (it->is_directory()) {
      if (is_outside(path)) {
        it.disable_recursion_pending();
      }
      continue;
    }
    if (!it->is_regular_file() || is_outside(path)) {
      continue;
    }
    std::string text = read_file(it->path());
    if (text.find('\0') == std::string::npos) {
      tree.push_back({std::move(path), std::move(text)});
    }
  }
  std::ranges::sort(tree, {}, &SourceFile::path);
  return tree;
}

const SourceFile* find_file(const SourceTree& tree, std::string_view path) {
  const auto found = std::ranges::lower_bound(tree, path, {}, &SourceFile::path);
  return found != tree.end() && found->path == path ? &*found : nullptr;
}

bool is_header(std::string_view path) {
  return path.ends_with(".hpp") || path.ends_with(".h");
}

bool is_cpp(std::string_view path) {
  return is_header(path) || path.ends_with(".cpp") || path.ends_with(".cc");
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view file_name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string blank_comments(std::string_view text, Literals literals) {
  return Blanker(text, literals).run();
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::size_t line_at(std::string_view text, std::size_t position) {
  const std::string_view before = text.substr(0, position);
  return static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
}

std::vector<Include> includes_of(const SourceFile& file) {
  std::vector<Include> includes;
  const std::string code = blank_comments(file.text, Literals::kKeep);
  std::size_t number = 0;
  for (std::string_view line : lines_of(code)) {
    ++number;
    const std::size_t hash = line.find_first_not_of(" \t");
    if (hash == std::string_view::npos || line[hash] != '#') {
      continue;
    }
    const std::size_t word = line.find_first_not_of(" \t", hash + 1);
    if (word == std::string_view::npos || !line.substr(word).starts_with("include")) {
      continue;
    }
    const std::size_t open = line.find_first_of("\"<", word);
    if (open == std::string_view::npos) {
      continue;
    }
    const bool is_quoted = line[open] == '"';
    const std::size_t close = line.find(is_quoted ? '"' : '>', open + 1);
    if (close != std::string_view::npos) {
      includes.push_back({number, std::string(line.substr(open + 1, close - open - 1)), is_quoted});
    }
  }
  return includes;
}

const SourceFile* resolve(const SourceTree& tree, const Include& include) {
  // The public headers, and what lies beside an example, are included as users do.
  for (const char* root : {"", "client/include/", "broker/testkit/include/", "client/examples/"}) {
    if (const SourceFile* file = find_file(tree, root + include.name)) {
      return file;
    }
  }
  return nullptr;
}

std::vector<std::size_t> find_word(std::string_view text, std::string_view word) {
  std::vector<std::size_t> positions;
  const bool is_stem = word.ends_with('_');
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_identifier(word.front()) || !is_identifier(text[at - 1]);
    const bool ends =
        end == text.size() || is_stem || !is_identifier(word.back()) || !is_identifier(text[end]);
    if (begins && ends) {
      positions.push_back(at);
    }
  }
  return positions;
}

}  // namespace weir::tidy
