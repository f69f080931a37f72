#include "tests/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>

namespace weir::tidy {
namespace {

constexpr std::ptrdiff_t kMaxColumns = 100;

// In two pieces, so that this file passes its own rules.
struct Word {
  std::string_view head;
  std::string_view tail;
  std::string_view why;

  [[nodiscard]] std::string text() const { return std::string(head) + std::string(tail); }
};

constexpr std::string_view kLeft = "a mark of work left over";
constexpr std::string_view kOff = "code that is switched off";
constexpr std::string_view kSleeps = "a test sleeps: wait for the event itself";
constexpr std::string_view kPlace = "a path of one machine";
constexpr std::string_view kMaking = "speaks of its making, not of the project";

constexpr std::array<Word, 7> kLeftovers = {{{"TO", "DO", kLeft},
                                             {"FIX", "ME", kLeft},
                                             {"XX", "X", kLeft},
                                             {"HA", "CK", kLeft},
                                             {"for", " now", kLeft},
                                             {"not", " implemented", kLeft},
                                             {"#if", " 0", kOff}}};

constexpr std::array<Word, 6> kTestWords = {{{"sleep", "_for", kSleeps},
                                             {"sleep", "_until", kSleeps},
                                             {"u", "sleep", kSleeps},
                                             {"nano", "sleep", kSleeps},
                                             {"GTEST", "_SKIP", "a test skips itself"},
                                             {"DIS", "ABLED_", "a test is switched off"}}};

constexpr std::array<Word, 6> kForeignWords = {{{"/wo", "rk/", kPlace},
                                                {"sha", "red/", kPlace},
                                                {"/ho", "me/", kPlace},
                                                {"as an", " AI", kMaking},
                                                {"Clau", "de", kMaking},
                                                {"Chat", "GPT", kMaking}}};

template <std::size_t N>
void find_words(const SourceFile& file, std::string_view text, const std::array<Word, N>& words,
                Findings& findings) {
  for (const Word& word : words) {
    for (std::size_t at : find_word(text, word.text())) {
      findings.push_back(
          {file.path, line_at(text, at), word.text() + ": " + std::string(word.why)});
    }
  }
}

// ---- co_await

// The statement around `at`, which is where a co_await stands: from the end of the one before to
// its own end, or to the block that it opens (`if (co_await f()) {`).
std::string_view statement_around(std::string_view code, std::size_t at) {
  const std::size_t before = code.substr(0, at).find_last_of(";{}");
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  int depth = 0;
  std::size_t end = at;
  for (; end < code.size() && code[end] != ';'; ++end) {
    if (code[end] == '(') {
      ++depth;
    } else if (code[end] == ')') {
      --depth;
    } else if (code[end] == '{' && depth < 0) {
      break;
    }
  }
  return code.substr(begin, end - begin);
}

std::string without_attributes(std::string_view statement) {
  std::string text(statement);
  for (std::size_t open = text.find("[["); open != std::string::npos; open = text.find("[[")) {
    const std::size_t close = text.find("]]", open);
    if (close == std::string::npos) {
      break;
    }
    text.erase(open, close + 2 - open);
  }
  return text;
}

// ---- references

// What a person reads: all of a document, the comments of a source. Lines stay where they are.
std::string prose_of(const SourceFile& file) {
  if (file.path.ends_with(".md")) {
    return file.text;
  }
  const std::string code = blank_comments(file.text, Literals::kKeep);
  std::string prose = file.text;
  for (std::size_t i = 0; i < prose.size(); ++i) {
    if (prose[i] == code[i] && prose[i] != '\n') {
      prose[i] = ' ';
    }
  }
  return prose;
}

std::string without_addresses(const std::string& line) {
  static const std::regex address(R"([a-z]+://[^\s)>\]]+)");
  return std::regex_replace(line, address, "");
}

// A document is there when it can be reached from the file or from the root, or, named without a
// folder, when any document has that name.
bool is_document_there(const SourceTree& tree, const SourceFile& file, const std::string& name) {
  const std::string folder(folder_of(file.path));
  const std::filesystem::path here = (std::filesystem::path(folder) / name).lexically_normal();
  if (find_file(tree, here.generic_string()) != nullptr || find_file(tree, name) != nullptr) {
    return true;
  }
  return name.find('/') == std::string::npos &&
         std::ranges::any_of(
             tree, [&](const SourceFile& other) { return file_name_of(other.path) == name; });
}

void find_missing_documents(const SourceTree& tree, const SourceFile& file, Findings& findings) {
  static const std::regex document(R"([A-Za-z0-9_./-]*[A-Za-z0-9_-]\.md\b)");
  const std::string prose = prose_of(file);
  std::size_t number = 0;
  for (std::string_view raw : lines_of(prose)) {
    ++number;
    if (raw.find(".md") == std::string_view::npos) {
      continue;
    }
    const std::string line = without_addresses(std::string(raw));
    for (auto it = std::sregex_iterator(line.begin(), line.end(), document);
         it != std::sregex_iterator(); ++it) {
      const std::string name = it->str();
      if (!is_document_there(tree, file, name)) {
        findings.push_back({file.path, number, name + " is not in the repository"});
      }
    }
  }
}

}  // namespace

Findings check_headers(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) {
      continue;
    }
    for (const Include& include : includes_of(file)) {
      if (include.name == "boost/asio.hpp") {
        findings.push_back({file.path, include.line, "include the parts of Asio that are used"});
      }
    }
    if (!is_header(file.path)) {
      continue;
    }
    const std::string code = blank_comments(file.text, Literals::kBlank);
    if (code.find("#pragma once") == std::string::npos) {
      findings.push_back({file.path, 0, "a header without #pragma once"});
    }
    for (std::size_t at : find_word(code, "using namespace")) {
      findings.push_back({file.path, line_at(code, at), "using namespace in a header"});
    }
  }
  return findings;
}

Findings check_co_await(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) {
      continue;
    }
    const std::string code = blank_comments(file.text, Literals::kBlank);
    for (std::size_t at : find_word(code, "co_await")) {
      if (std::string_view(code).substr(0, at).ends_with("operator ")) {
        continue;
      }
      const std::string statement = without_attributes(statement_around(code, at));
      const std::size_t mark = statement.find_first_of("{[?");
      if (mark != std::string::npos) {
        findings.push_back({file.path, line_at(code, at),
                            std::string("'") + statement[mark] +
                                "' in a statement with co_await: name it on the line before"});
      }
    }
  }
  return findings;
}

Findings check_columns(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) {
      continue;
    }
    std::size_t number = 0;
    for (std::string_view line : lines_of(file.text)) {
      ++number;
      // A byte that continues a UTF-8 character takes no column.
      const auto columns =
          std::ranges::count_if(line, [](char c) { return (c & '\xc0') != '\x80'; });
      if (columns > kMaxColumns) {
        findings.push_back({file.path, number, std::to_string(columns) + " columns"});
      }
    }
  }
  return findings;
}

Findings check_leftovers(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    find_words(file, file.text, kLeftovers, findings);
  }
  return findings;
}

Findings check_tests(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (file.path.starts_with("tests/") && is_cpp(file.path)) {
      find_words(file, blank_comments(file.text, Literals::kBlank), kTestWords, findings);
    }
  }
  return findings;
}

Findings check_references(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    find_words(file, file.text, kForeignWords, findings);
    if (is_cpp(file.path) || file.path.ends_with(".md")) {
      find_missing_documents(tree, file, findings);
    }
  }
  return findings;
}

}  // namespace weir::tidy
