#include "tests/fuzz/targets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

// Every kept input once more, in every build: what a fuzzer has found stays found. A broken promise
// ends the process; the last line that was written names the input.
namespace weir::fuzz {
namespace {

struct Target {
  std::string_view name;
  void (*run)(std::string_view bytes);
};

// In the names of tests, which otherwise change with the addresses of each build.
void PrintTo(const Target& target, std::ostream* out) {
  *out << target.name;
}

constexpr Target kTargets[] = {
    {"frames", frames},     {"batch", batch},     {"decompress", decompress},
    {"messages", messages}, {"session", session}, {"sdk", sdk},
    {"rows", rows},         {"records", records}, {"transfer", transfer},
    {"wal", wal},           {"config", config},   {"http", http},
    {"text", text},
};

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::filesystem::path> kept_inputs(std::string_view target) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(WEIR_FUZZ_CORPUS_DIR) / target)) {
    files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

class KeptInputs : public testing::TestWithParam<Target> {};

TEST_P(KeptInputs, BreakNothing) {
  const std::vector<std::filesystem::path> files = kept_inputs(GetParam().name);
  EXPECT_FALSE(files.empty());
  for (const std::filesystem::path& file : files) {
    const std::string bytes = read(file);
    ASSERT_FALSE(bytes.empty()) << file;
    std::fprintf(stderr, "%s\n", file.filename().c_str());
    GetParam().run(bytes);
  }
}

TEST_P(KeptInputs, EveryLengthOfNothingIsAnInputToo) {
  GetParam().run({});
  for (std::size_t bytes = 1; bytes < 64; ++bytes) {
    GetParam().run(std::string(bytes, '\0'));
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, KeptInputs, testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace weir::fuzz
