#include "tests/integration/broker_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// What earlier versions left on disk (tests/golden) is read by this one, to the last header.
namespace weir::integration {
namespace {

using testing::ElementsAreArray;
using testing::IsSupersetOf;

std::multiset<std::string> lines_of(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.insert(line);
  }
  return lines;
}

/// The members of a flat object, as they stand there: `"rows": 65`.
std::set<std::string> members_of(const std::string& json) {
  static const std::regex kMember(R"("[a-z_]+": ("[^"]*"|[^,}]+))");
  std::set<std::string> members;
  for (std::sregex_iterator it(json.begin(), json.end(), kMember), end; it != end; ++it) {
    members.insert(it->str());
  }
  return members;
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_TEST_GOLDEN_DIR)) {
    if (entry.is_directory()) {
      names.push_back(entry.path().filename());
    }
  }
  return names;
}

class Golden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const Output unpacked =
        run_command("tar -C " + dir_.path().string() + " -xzf " + golden("data.tar.gz").string());
    ASSERT_EQ(unpacked.status, 0);
  }
  [[nodiscard]] static std::filesystem::path golden(const std::string& file) {
    return std::filesystem::path(WEIR_TEST_GOLDEN_DIR) / GetParam() / file;
  }
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return dir_.path() / name;
  }
  static Output weir(const std::string& arguments, const std::string& environment = {}) {
    return run_command(environment + WEIR_TEST_BINARY " " + arguments + " 2>/dev/null");
  }
  /// All that was known is there and says the same; newer versions may know more.
  static void expect_verified(const std::filesystem::path& what, const std::string& recorded) {
    const Output verified = weir("verify " + what.string() + " -o json");
    EXPECT_EQ(verified.status, 0);
    EXPECT_THAT(members_of(verified.text), IsSupersetOf(members_of(read_file(golden(recorded)))));
  }
  /// Starts a broker there and asks it for everything that was recorded.
  void expect_served(const std::filesystem::path& data) {
    BrokerProcess broker(dir_.path(), usual_flags(data));
    ASSERT_TRUE(broker.wait_until_ready()) << broker.log();
    const std::string url = "WEIR_URL=weir://127.0.0.1:" + std::to_string(broker.port()) + " ";
    int compared = 0;
    for (const auto& entry : std::filesystem::directory_iterator(golden(""))) {
      const std::string name = entry.path().stem();
      if (entry.path().extension() != ".txt") {
        continue;
      }
      const bool is_topic = name.starts_with("events-");
      if (!is_topic) {
        const Output info = weir("queue info " + name + " -o json", url);
        EXPECT_THAT(members_of(info.text),
                    IsSupersetOf(members_of(read_file(golden(name + ".json")))));
      }
      const Output read =
          is_topic ? weir("topic consume " + name + " --from start --to end -f '%o|%v\\n'", url)
                   : weir("queue receive " + name + " --max 1000 -f '%k|%h|%v\\n'", url);
      EXPECT_EQ(read.status, 0);
      EXPECT_THAT(lines_of(read.text), ElementsAreArray(lines_of(read_file(entry.path())))) << name;
      ++compared;
    }
    EXPECT_GT(compared, 3);
    broker.signal(SIGTERM);
    EXPECT_EQ(broker.wait().status, 0);
  }

  TempDir dir_;
};

TEST_P(Golden, DataIsReadAndServed) {
  expect_verified(file("data"), "data.json");
  expect_served(file("data"));
}

TEST_P(Golden, BackupIsRestoredAndServed) {
  expect_verified(file("backup"), "backup.json");
  const Output restored =
      weir("restore " + file("backup").string() + " --data-dir " + file("restored").string());
  ASSERT_EQ(restored.status, 0);
  expect_served(file("restored"));
}

INSTANTIATE_TEST_SUITE_P(Versions, Golden, testing::ValuesIn(golden_names()), [](const auto& name) {
  return std::regex_replace(name.param, std::regex("[^a-z0-9]"), "_");
});

}  // namespace
}  // namespace weir::integration
