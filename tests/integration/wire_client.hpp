#pragma once

#include "proto/frame/frame_reader.hpp"
#include "proto/frame/frames.hpp"
#include "proto/wire_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::integration {

/// The protocol by hand over a blocking socket: for what the client library would never send. Each
/// read waits at most `timeout_s`.
class WireClient {
 public:
  explicit WireClient(std::uint16_t port, int timeout_s = 20);
  ~WireClient();
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;

  struct Frame {
    proto::FrameType type{};
    std::string body;
  };

  void send_bytes(std::string_view bytes);
  void send_frame(proto::FrameType type, std::string_view body);
  /// The next frame; nullopt when the peer closed or nothing came in time.
  std::optional<Frame> next();
  /// The next frame of that type; others are skipped.
  std::optional<Frame> next(proto::FrameType type);
  /// True when the peer has closed; what comes before is skipped.
  bool ends();

  weir::v1::Welcome hello(const std::string& name_space = {});
  /// Sends the request under the next id and waits for its response.
  weir::v1::Response ask(weir::v1::Request request);

  // The usual requests.
  weir::v1::Response create_queue(const std::string& name);
  weir::v1::Response describe_queue(const std::string& name);
  weir::v1::Response attach_queue(const std::string& name);
  weir::v1::Response receive(const std::string& queue, std::uint32_t wait_ms = 0);
  weir::v1::Response settle(const std::string& handle,
                            weir::v1::SettleAction action = weir::v1::SETTLE_ACTION_ACK,
                            const std::string& queue = {});
  /// Sends one message and waits for the outcome.
  proto::SentEntry send(std::uint32_t alias, std::string_view body, std::uint32_t partition = 0);

 private:
  int socket_ = -1;
  proto::FrameReader reader_;
  std::uint64_t last_request_ = 0;
  std::uint64_t last_send_ = 0;
};

/// What an HTTP server answers: the whole response, up to where it closes.
std::string http_get(std::uint16_t port, std::string_view path, std::string_view method = "GET");

}  // namespace weir::integration
