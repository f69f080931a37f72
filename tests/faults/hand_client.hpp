#pragma once

#include "proto/result.hpp"
#include "tests/crash/raw_session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::faults {

/// One connection that takes and settles single messages by hand, and stays alive (answers pings)
/// as long as serve() is called. Not for two threads.
class HandClient {
 public:
  HandClient();

  proto::Result<> open(std::uint16_t port) { return session_.open(port); }
  proto::Result<> create_queue(const std::string& name, std::uint64_t lease_ms);

  struct Message {
    std::string handle;
    std::string body;
  };
  /// Takes up to `count` messages, waiting up to `wait_ms` for the first.
  proto::Result<std::vector<Message>> receive(const std::string& queue, std::uint32_t count,
                                              std::uint32_t wait_ms);
  /// The same without waiting for the answer, which received() has once it came.
  void ask(const std::string& queue, std::uint32_t count, std::uint32_t wait_ms);
  [[nodiscard]] const std::optional<std::vector<Message>>& received() const { return received_; }
  proto::Result<> ack(const std::string& handle);

  /// Sends and reads what there is. CONNECT_FAILED: the session is over.
  proto::Result<> serve();

 private:
  [[nodiscard]] std::vector<Message> messages_of(const weir::v1::Received& received) const;

  crash::RawSession session_;
  std::optional<std::vector<Message>> received_;
};

}  // namespace weir::faults
