#include "broker/cli/output.hpp"

#include "tests/unit/cli/pipe.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <string>
#include <thread>

namespace weir::cli {
namespace {

using std::string_literals::operator""s;

TEST(Output, WritesBytesAsTheyAre) {
  Pipe pipe;
  Output out(pipe.write_end());
  EXPECT_TRUE(out.write("a\0\n\xff"s));
  EXPECT_TRUE(out.flush());
  EXPECT_EQ(pipe.drain(), "a\0\n\xff"s);
}

TEST(Output, GathersUntilFlushed) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.read_end(), F_SETFL, O_NONBLOCK), 0);
  Output out(pipe.write_end());
  out.write("small");
  char byte = 0;
  EXPECT_LT(::read(pipe.read_end(), &byte, 1), 0);
  out.flush();
  EXPECT_EQ(::read(pipe.read_end(), &byte, 1), 1);
}

TEST(Output, WritesByItselfOnceMuchHasGathered) {
  Pipe pipe;
  std::string got;
  std::thread reader([&] {
    char bytes[4096];
    ssize_t count = 0;
    while ((count = ::read(pipe.read_end(), bytes, sizeof bytes)) > 0) {
      got.append(bytes, static_cast<std::size_t>(count));
    }
  });
  Output out(pipe.write_end());
  const std::string much(1 << 20, 'x');
  EXPECT_TRUE(out.write(much));
  EXPECT_TRUE(out.buffer().empty());
  pipe.close_write();
  reader.join();
  EXPECT_EQ(got.size(), much.size());
}

TEST(Output, WaitsForRoomInANonBlockingPipe) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.write_end(), F_SETFL, O_NONBLOCK), 0);
  std::string got;
  std::thread reader([&] {
    char bytes[4096];
    ssize_t count = 0;
    while ((count = ::read(pipe.read_end(), bytes, sizeof bytes)) > 0) {
      got.append(bytes, static_cast<std::size_t>(count));
    }
  });
  Output out(pipe.write_end());
  EXPECT_TRUE(out.write(std::string(1 << 20, 'x')));
  pipe.close_write();
  reader.join();
  EXPECT_EQ(got.size(), std::size_t{1} << 20);
}

TEST(Output, EndsQuietlyWhenTheReaderHasGone) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.close_read();
  Output out(pipe.write_end());
  out.write("x");
  EXPECT_FALSE(out.flush());
  EXPECT_TRUE(out.closed());
  EXPECT_TRUE(out.status());
  EXPECT_EQ(finish(out), ExitCode::kDone);
}

TEST(Output, ReportsAFullDisk) {
  const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  Output out(fd);
  out.write("x");
  EXPECT_FALSE(out.flush());
  EXPECT_FALSE(out.closed());
  EXPECT_FALSE(out.status());
  EXPECT_EQ(finish(out), ExitCode::kRefused);
  ::close(fd);
}

}  // namespace
}  // namespace weir::cli
