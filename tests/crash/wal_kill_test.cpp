#include "storage/rocks/rocks_store.hpp"
#include "tests/crash/committed_rows.hpp"
#include "tests/crash/random.hpp"
#include "tests/unit/storage/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::crash {
namespace {

constexpr int kKills = 20;

/// A process that commits rows and says which are durable (commit_loop.cpp).
class CommitLoop {
 public:
  CommitLoop(const std::string& database, std::uint64_t first) {
    const std::string number = std::to_string(first);
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      // Only calls that are allowed between fork and exec.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execl(WEIR_COMMIT_LOOP_BINARY, WEIR_COMMIT_LOOP_BINARY, database.c_str(), number.c_str(),
              nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    said_ = ends[0];
  }
  ~CommitLoop() {
    kill();
    ::close(said_);
  }
  CommitLoop(const CommitLoop&) = delete;
  CommitLoop& operator=(const CommitLoop&) = delete;

  /// The next number that it said; 0 when it is dead and has said no more.
  std::uint64_t next() {
    std::uint64_t number = 0;
    return ::read(said_, &number, sizeof number) == sizeof number ? number : 0;
  }
  /// True when it ran until now.
  bool kill() {
    if (pid_ <= 0) {
      return false;
    }
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  pid_t pid_ = -1;
  int said_ = -1;
};

/// Opens the database and gives the number of the last row; each from 1 on must be there.
std::uint64_t last_whole_row(const std::string& database) {
  const auto store =
      storage::open_rocks_store({.path = database, .write_buffer_bytes = kCommitLoopBufferBytes});
  EXPECT_TRUE(store) << store.error().message;
  if (!store) {
    return 0;
  }
  const auto reader = (*store)->snapshot();
  const auto scan = reader->scan(storage::Family::kLog, "", "", {});
  std::uint64_t number = 0;
  for (; scan->valid(); scan->next()) {
    ++number;
    EXPECT_EQ(scan->key(), row_key(number));
    EXPECT_TRUE(scan->value() == row_value(number)) << number;
  }
  EXPECT_TRUE(scan->status());
  return number;
}

TEST(WalKill, EveryRowThatWasDurableIsThereAfterAKill) {
  const storage::TempDir directory;
  const std::string database = directory.file("db");
  Random random(20);
  std::uint64_t last = 0;
  for (int kills = 0; kills < kKills; ++kills) {
    CommitLoop loop(database, last + 1);
    const std::uint64_t moment = last + random.between(1, 150);
    std::uint64_t said = 0;
    while (said < moment) {
      said = loop.next();
      ASSERT_NE(said, 0U) << "it ended by itself";
    }
    ASSERT_TRUE(loop.kill());
    while (const std::uint64_t more = loop.next()) {
      said = more;
    }
    last = last_whole_row(database);
    ASSERT_GE(last, said);
    ASSERT_LE(last, said + 1) << "one commit at a time";
  }
}

}  // namespace
}  // namespace weir::crash
