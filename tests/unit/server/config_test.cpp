#include "broker/server/config.hpp"

#include "broker/server/config_file.hpp"
#include "broker/server/setting_values.hpp"
#include "broker/server/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::server {
namespace {

using testing::HasSubstr;

TEST(Config, LetsLaterSourcesWin) {
  const Values file = parse_config_file(
                          "data_dir = '/a'\nmax_connections = 5\ninsecure = true\n"
                          "tail_cache_bytes = '2MiB'\n",
                          "weir.toml")
                          .value();
  const Values environment = read_environment([](const char* name) -> const char* {
    return std::string_view(name) == "WEIR_DATA_DIR" ? "/b" : nullptr;
  });
  const Config config = make_config({file, environment, {{"max_connections", "6"}}}).value();
  EXPECT_EQ(config.data_dir, "/b");
  EXPECT_EQ(config.max_connections, 6U);
  EXPECT_TRUE(config.insecure);
  EXPECT_EQ(config.tail_cache_bytes, std::uint64_t{2} << 20);
}

TEST(Config, NamesTheNearestKeyOfAnUnknownOne) {
  const proto::Result<Values> values = parse_config_file("data_dri = 'x'", "weir.toml");
  ASSERT_FALSE(values);
  EXPECT_THAT(values.error().message, HasSubstr("'data_dri'"));
  EXPECT_THAT(values.error().message, HasSubstr("'data_dir'"));
}

TEST(Config, SaysWhereAFileIsNotToml) {
  const proto::Result<Values> values = parse_config_file("data_dir = 'x'\nlisten = \n", "w.toml");
  ASSERT_FALSE(values);
  EXPECT_THAT(values.error().message, HasSubstr("w.toml:2"));
  EXPECT_FALSE(parse_config_file("[listen]\nport = 1", "w.toml"));
}

TEST(Config, RefusesValuesThatMakeNoSense) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"max_connections", "0"},
                                                        {"max_connections", "many"},
                                                        {"drain_ms", "-1"},
                                                        {"spin_us", "10001"},
                                                        {"log_level", "loud"},
                                                        {"tail_cache_bytes", "12 parsecs"},
                                                        {"listen", "7340"},
                                                        {"listen", "localhost:70000"},
                                                        {"insecure", "maybe"},
                                                        {"data_dir", ""}}) {
    const proto::Result<Config> config = make_config({{{key, value}}});
    ASSERT_FALSE(config) << key << "=" << value;
    EXPECT_THAT(config.error().message, HasSubstr(key));
  }
}

TEST(Config, ListensBeyondLoopbackOnlyWhenItIsTold) {
  for (const char* key : {"listen", "http"}) {
    EXPECT_FALSE(make_config({{{key, "0.0.0.0:1"}}}));
    EXPECT_FALSE(make_config({{{key, "broker.example:1"}}}));
    EXPECT_TRUE(make_config({{{key, "0.0.0.0:1"}, {"insecure", "true"}}}));
    EXPECT_TRUE(make_config({{{key, "127.0.0.5:1"}}}));
    EXPECT_TRUE(make_config({{{key, "[::1]:1"}}}));
    EXPECT_TRUE(make_config({{{key, "localhost:1"}}}));
  }
  EXPECT_EQ(make_config({{{"http", "off"}}}).value().http, "");
}

TEST(Config, RefusesPartsThatDoNotFitIntoItsMemory) {
  const auto refused = make_config({{{"max_memory_bytes", "1GiB"}}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("max_memory_bytes"));
  EXPECT_THAT(refused.error().message, HasSubstr("max_connections"));
  EXPECT_TRUE(make_config({{{"max_memory_bytes", "1GiB"}, {"max_connections", "1000"}}}));
}

TEST(Config, RefusesAFileThatTheLibraryGivesUpOn) {
  for (const char* text : {"[.4:]", "[.", "[[.a]]", "[a..b]", "= 1", "[\x01]", "a.=1",
                           "D\xcf\xbf'in", "\xc3\xa9 = 1", "a\xc2\xa1"}) {
    const auto refused = parse_config_file(text, "weir.toml");
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().message, HasSubstr("weir.toml")) << text;
  }
}

TEST(Config, ReadsFilesOfAnySize) {
  const std::string path = testing::TempDir() + "weir_config_test.toml";
  for (const std::size_t comment_bytes : {0U, 4095U, 4096U, 10000U}) {
    std::ofstream(path, std::ios::trunc)
        << (comment_bytes == 0 ? "" : "#" + std::string(comment_bytes - 1, 'x') + "\ndrain_ms = 7");
    const proto::Result<Values> values = read_config_file(path);
    ASSERT_TRUE(values) << comment_bytes;
    EXPECT_EQ(values->size(), comment_bytes == 0 ? 0U : 1U);
  }
  std::filesystem::remove(path);
  EXPECT_FALSE(read_config_file(path)) << "it is gone";
  EXPECT_FALSE(read_config_file(testing::TempDir())) << "it is a directory";
}

TEST(Config, ReadsSizes) {
  EXPECT_EQ(parse_bytes("4096").value(), 4096U);
  EXPECT_EQ(parse_bytes("64KiB").value(), 65536U);
  EXPECT_EQ(parse_bytes("1 GiB").value(), std::uint64_t{1} << 30);
  for (const char* text : {"", "MiB", "-1", "1.5GiB", "1GB", "99999999999TiB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
  for (const char* text : {"0", "1023", "1KiB", "1025KiB", "64MiB", "3GiB", "16TiB"}) {
    EXPECT_EQ(format_bytes(parse_bytes(text).value()), text);
  }
}

TEST(Config, PrintsAFileThatSaysTheSame) {
  const Config config = make_config({{{"data_dir", "it's \"here\" '''' \\ \n \xc3\xa9"},
                                      {"http", "off"},
                                      {"min_free_disk_bytes", "3GiB"},
                                      {"insecure", "true"},
                                      {"drain_ms", "77"}}})
                            .value();
  for (const Config& printed : {config, Config()}) {
    const Values values = parse_config_file(to_config_file(printed), "printed").value();
    EXPECT_EQ(values.size(), settings().size());
    const Config read = make_config({values}).value();
    for (const Setting& setting : settings()) {
      EXPECT_EQ(setting.get(read), setting.get(printed)) << setting.key;
    }
  }
}

TEST(Config, IsReloadedWhereThatIsPossible) {
  const Config running = make_config({{{"drain_ms", "5"}, {"log_level", "warn"}}}).value();
  const Config fresh = make_config({{{"drain_ms", "6"},
                                     {"log_level", "warn"},
                                     {"data_dir", "/elsewhere"},
                                     {"min_free_disk_bytes", "2GiB"}}})
                           .value();
  const Reloaded reloaded = reload(running, fresh).value();
  using Change = core::SettingChange;
  EXPECT_THAT(reloaded.report.taken,
              testing::ElementsAre(Change{"min_free_disk_bytes", "default", "2GiB"},
                                   Change{"drain_ms", "5", "6"}));
  EXPECT_THAT(reloaded.report.left,
              testing::ElementsAre(Change{"data_dir", running.data_dir, fresh.data_dir}));
  EXPECT_EQ(reloaded.report.unchanged.size() + 3, settings().size());
  EXPECT_THAT(reloaded.report.unchanged, testing::Contains("listen"));
  EXPECT_EQ(reloaded.config.drain_ms, 6U);
  EXPECT_EQ(reloaded.config.min_free_disk_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(reloaded.config.data_dir, running.data_dir);
  EXPECT_FALSE(reload(fresh, running).value().config.min_free_disk_bytes.has_value());
}

TEST(Config, IsNotReloadedInHalfWhereOnlyTheWholeFits) {
  const Config running = make_config({{{"tail_cache_bytes", "2GiB"}}}).value();
  const Config fresh = make_config({{{"max_connections", "13000"}}}).value();
  const auto reloaded = reload(running, fresh);
  ASSERT_FALSE(reloaded.has_value());
  EXPECT_EQ(reloaded.error().code, proto::Errc::kInvalidArgument);
  EXPECT_THAT(reloaded.error().message,
              testing::StartsWith("without what takes a new start, max_memory_bytes: 8192 MiB"));
}

TEST(Config, NamesASettingAlikeEverywhere) {
  EXPECT_EQ(environment_name("min_free_disk_bytes"), "WEIR_MIN_FREE_DISK_BYTES");
  EXPECT_EQ(flag_name("min_free_disk_bytes"), "--min-free-disk-bytes");
}

}  // namespace
}  // namespace weir::server
