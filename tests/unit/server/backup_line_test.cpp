#include "broker/server/backup_line.hpp"

#include <gtest/gtest.h>

namespace weir::server {
namespace {

using What = shard::BackupEvent::What;

TEST(BackupLine, SaysHowABackupBeginsAndEnds) {
  shard::BackupEvent event{.what = What::kBegun, .session = proto::SessionId(7), .why = ""};
  const auto words = [&event](What what, const char* why) {
    event.what = what;
    event.why = why;
    const std::string line = backup_line(event);
    EXPECT_NE(line.find("session"), std::string::npos) << line;
    return line.substr(0, line.find(" ms") + 3);
  };
  EXPECT_EQ(backup_line(event).find("a backup has begun"), 0U);
  event.bytes = 300;
  event.took_ms = 45;
  EXPECT_EQ(words(What::kDone, ""), "a backup is done: 300 bytes, 45 ms");
  EXPECT_EQ(words(What::kFailed, "STORAGE_FAILED: the disk"),
            "a backup has failed, STORAGE_FAILED: the disk: 300 bytes, 45 ms");
  EXPECT_EQ(words(What::kAbandoned, "its connection has ended"),
            "a backup was broken off, its connection has ended: 300 bytes, 45 ms");
}

}  // namespace
}  // namespace weir::server
