#include "tests/tidy/rules.hpp"
#include "tests/tidy/source_tree.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <sstream>
#include <string>

// The rules, on this repository.
namespace weir::tidy {
namespace {

struct Rule {
  const char* name;
  Findings (*check)(const SourceTree& tree);
};

std::ostream& operator<<(std::ostream& out, const Rule& rule) {
  return out << rule.name;
}

const SourceTree& repository() {
  static const SourceTree tree = read_source_tree(WEIR_SOURCE_DIR);
  return tree;
}

class Repository : public testing::TestWithParam<Rule> {};

TEST_P(Repository, KeepsTheRule) {
  std::ostringstream report;
  for (const Finding& finding : GetParam().check(repository())) {
    report << '\n' << finding;
  }
  EXPECT_TRUE(report.view().empty()) << report.view();
}

INSTANTIATE_TEST_SUITE_P(
    Tidy, Repository,
    testing::Values(Rule{"Layers", check_layers}, Rule{"IncludeCycles", check_include_cycles},
                    Rule{"Purity", check_purity}, Rule{"Headers", check_headers},
                    Rule{"CoAwait", check_co_await}, Rule{"Columns", check_columns},
                    Rule{"Leftovers", check_leftovers}, Rule{"Tests", check_tests},
                    Rule{"References", check_references}, Rule{"Lengths", check_lengths},
                    Rule{"Readmes", check_readmes}, Rule{"DeadFiles", check_dead_files}),
    testing::PrintToStringParamName());

TEST(RepositoryTree, IsReadFromItsRoot) {
  EXPECT_NE(find_file(repository(), "CMakeLists.txt"), nullptr);
  EXPECT_NE(find_file(repository(), "tests/tidy/tidy_test.cpp"), nullptr);
  EXPECT_NE(find_file(repository(), "proto/ids.hpp"), nullptr);
}

struct Example {
  const char* name;
  const char* readme;
  const char* heading;
  const char* compiled;
};

std::ostream& operator<<(std::ostream& out, const Example& example) {
  return out << example.name;
}

class Readme : public testing::TestWithParam<Example> {};

// Each indented line of a README.md's part on C++ stands in a file that is compiled.
TEST_P(Readme, ShowsAnExampleThatCompiles) {
  const SourceFile* const readme = find_file(repository(), GetParam().readme);
  const SourceFile* const example = find_file(repository(), GetParam().compiled);
  ASSERT_TRUE(readme != nullptr && example != nullptr);
  std::istringstream lines(readme->text);
  int compared = 0;
  bool is_cpp = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) {
      is_cpp = line == GetParam().heading;
    } else if (is_cpp && line.starts_with("    ")) {
      const std::string wanted = line.find("#include") == std::string::npos ? line : line.substr(4);
      EXPECT_NE(example->text.find(wanted), std::string::npos) << line;
      ++compared;
    }
  }
  EXPECT_GT(compared, 5);
}

INSTANTIATE_TEST_SUITE_P(
    Tidy, Readme,
    testing::Values(Example{"Client", "README.md", "## Use it from C++",
                            "tests/unit/client/readme_example.cpp"},
                    Example{"Faces", "client/README.md", "## One call, five faces",
                            "tests/unit/client/faces_example.cpp"},
                    Example{"Testkit", "broker/testkit/README.md", "## Example",
                            "tests/unit/testkit/readme_example_test.cpp"}),
    testing::PrintToStringParamName());

}  // namespace
}  // namespace weir::tidy
