#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace weir::cli {

/// A pipe that is closed with the test. Writing more than it holds would block.
class Pipe {
 public:
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    read_ = ends[0];
    write_ = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }

  [[nodiscard]] int read_end() const { return read_; }
  [[nodiscard]] int write_end() const { return write_; }
  void close_read() { close(read_); }
  void close_write() { close(write_); }

  void put(std::string_view bytes) const {
    EXPECT_EQ(::write(write_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  /// Everything up to the end, which comes when the last writing end is closed.
  [[nodiscard]] std::string drain() {
    close_write();
    std::string all;
    char bytes[4096];
    ssize_t count = 0;
    while ((count = ::read(read_, bytes, sizeof bytes)) > 0) {
      all.append(bytes, static_cast<std::size_t>(count));
    }
    return all;
  }

 private:
  static void close(int& fd) {
    if (fd >= 0) {
      ::close(std::exchange(fd, -1));
    }
  }

  int read_ = -1;
  int write_ = -1;
};

}  // namespace weir::cli
