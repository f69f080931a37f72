#pragma once

#include "proto/result.hpp"
#include "storage/file.hpp"
#include "storage/rocks/rocks_store.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace weir::bench {

/// The rows of one commit that stores a single message: what the broker writes for it, in number
/// and size, with nothing of the broker around.
class RowsOfOneSend {
 public:
  explicit RowsOfOneSend(std::size_t payload_bytes);
  [[nodiscard]] storage::WriteBatch make(std::uint64_t number) const;
  /// Keys and values of make().
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::string stored_;
};

/// Appends to a file that grows, with an fdatasync each time: the size changes with each.
class GrowingFile {
 public:
  [[nodiscard]] static proto::Result<GrowingFile> make(const std::filesystem::path& path);
  proto::Result<> write(std::string_view bytes);

 private:
  explicit GrowingFile(storage::File file) : file_(std::move(file)) {}
  storage::File file_;
  std::uint64_t end_ = 0;
};

/// Overwrites a file that was filled before, with an fdatasync each time: nothing but data moves.
class PrefilledFile {
 public:
  [[nodiscard]] static proto::Result<PrefilledFile> make(const std::filesystem::path& path);
  proto::Result<> write(std::string_view bytes);

 private:
  explicit PrefilledFile(storage::File file) : file_(std::move(file)) {}
  storage::File file_;
  std::uint64_t at_ = 0;
};

/// A thread that sends back what it gets, over loopback TCP: the hops that no broker can save.
class PingPong {
 public:
  [[nodiscard]] static proto::Result<std::unique_ptr<PingPong>> make();
  PingPong(const PingPong&) = delete;
  PingPong& operator=(const PingPong&) = delete;
  ~PingPong();
  /// Sends the bytes and waits until they are back.
  proto::Result<> exchange(std::string_view bytes);

 private:
  PingPong() = default;
  int near_ = -1;
  int far_ = -1;
  std::string back_;
  std::thread echo_;
};

}  // namespace weir::bench
