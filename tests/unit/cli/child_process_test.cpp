#include "broker/cli/child_process.hpp"

#include "tests/unit/cli/pipe.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <sys/wait.h>

namespace weir::cli {
namespace {

std::unique_ptr<ChildProcess> start(const ChildSpec& spec) {
  Result<std::unique_ptr<ChildProcess>> child = ChildProcess::start(spec);
  EXPECT_TRUE(child) << child.error().to_string();
  return child ? std::move(*child) : nullptr;
}

ChildEnd run_shell(const std::string& script, std::string_view input = {}) {
  return start({.command = {"sh", "-c", script}, .environment = {}, .input = input})->wait();
}

TEST(ChildProcess, TellsHowAProgramEnded) {
  EXPECT_TRUE(run_shell("exit 0").ok());
  EXPECT_EQ(run_shell("exit 7").exit_code, 7);
  const ChildEnd killed = run_shell("kill -TERM $$");
  EXPECT_EQ(killed.signal, SIGTERM);
  EXPECT_FALSE(killed.ok());
}

TEST(ChildProcess, HandsOverTheInputByteForByte) {
  std::string bytes;
  for (int i = 0; i < (1 << 20); ++i) {
    bytes += static_cast<char>(i * 7);
  }
  const std::string script = "test \"$(wc -c)\" = 1048576";
  EXPECT_TRUE(run_shell(script, bytes).ok());
  EXPECT_TRUE(
      run_shell("test \"$(od -An -tx1 -v | tr -d ' \\n')\" = 000aff25", {"\0\n\xff%", 4}).ok());
}

TEST(ChildProcess, IsNotHeldUpByAProgramThatDoesNotRead) {
  const std::string much(std::size_t{4} << 20, 'x');
  EXPECT_TRUE(run_shell("exit 0", much).ok());
  EXPECT_TRUE(run_shell("exec <&-; exit 0", much).ok());
  EXPECT_TRUE(run_shell("head -c 1 >/dev/null", much).ok());
}

TEST(ChildProcess, GivesAnEmptyInputItsEnd) {
  EXPECT_TRUE(run_shell("test -z \"$(cat)\"").ok());
}

TEST(ChildProcess, AddsToTheEnvironmentAndTakesAway) {
  ::setenv("WEIR_TEST_KEPT", "kept", 1);
  ::setenv("WEIR_TEST_GONE", "gone", 1);
  ::setenv("WEIR_TEST_NEW", "old", 1);
  const auto child =
      start({.command = {"sh", "-c",
                         "test \"$WEIR_TEST_KEPT\" = kept && test \"$WEIR_TEST_NEW\" "
                         "= 'a b' && test -z \"${WEIR_TEST_GONE+set}\""},
             .environment = {{"WEIR_TEST_NEW", "a b"}, {"WEIR_TEST_GONE", {}}},
             .input = {}});
  EXPECT_TRUE(child->wait().ok());
}

TEST(ChildProcess, PassesArgumentsAsTheyAre) {
  const auto child =
      start({.command = {"sh", "-c", "test \"$1\" = 'a  b' && test \"$2\" = ''", "sh", "a  b", ""},
             .environment = {},
             .input = {}});
  EXPECT_TRUE(child->wait().ok());
}

TEST(ChildProcess, SaysThatAProgramDoesNotExist) {
  const Result<std::unique_ptr<ChildProcess>> child =
      ChildProcess::start({.command = {"weir-no-such-program"}, .environment = {}, .input = "x"});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(child.error().message.find("weir-no-such-program"), std::string::npos);
}

TEST(ChildProcess, KillsAProgramWithWhatItStarted) {
  Pipe pipe;
  // The child and its own child hold the pipe's end as their standard output, inherited.
  const int kept = ::dup(STDOUT_FILENO);
  ::dup2(pipe.write_end(), STDOUT_FILENO);
  const auto child =
      start({.command = {"sh", "-c", "sleep 1000 & sleep 1000 | cat & echo up; wait; exit 0"},
             .environment = {},
             .input = {}});
  ::dup2(kept, STDOUT_FILENO);
  ::close(kept);
  char up[3];
  ASSERT_EQ(::read(pipe.read_end(), up, sizeof up), 3);
  child->kill();
  EXPECT_EQ(child->wait().signal, SIGKILL);
  // The end comes when nobody holds the pipe any more.
  EXPECT_EQ(pipe.drain(), "");
}

TEST(ChildProcess, LeavesNoProcessBehind) {
  {
    const auto child = start({.command = {"sleep", "1000"}, .environment = {}, .input = {}});
    child->kill();
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ChildProcess, DoesNothingWhenKilledAfterItsEnd) {
  const auto child = start({.command = {"true"}, .environment = {}, .input = {}});
  EXPECT_TRUE(child->wait().ok());
  child->kill();
}

TEST(ChildProcess, HandsNoOtherDescriptorOn) {
  const int fd = ::open("/dev/null", O_RDONLY);  // would be inherited
  ASSERT_GE(fd, 3);
  EXPECT_TRUE(run_shell("! test -e /proc/self/fd/" + std::to_string(fd)).ok());
  ::close(fd);
}

TEST(ChildProcess, StartsWithoutBlockedSignalsAndWithSigpipe) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(run_shell("kill -TERM $$; exit 0").signal, SIGTERM);
  EXPECT_EQ(run_shell("kill -PIPE $$; exit 0").signal, SIGPIPE);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace weir::cli
