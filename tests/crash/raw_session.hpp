#pragma once

#include "proto/frame/frame_reader.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"
#include "proto/wire_message.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace weir::crash {

/// One connection that speaks the native protocol frame by frame, so that a test sees exactly what
/// the broker said and nothing else. It never waits but in open() and call(). Not for two threads.
class RawSession {
 public:
  /// Gets every frame but Welcome, Ping, Pong and the responses that call() waits for.
  using FrameHandler = std::function<proto::Result<>(const proto::RawFrame&)>;

  explicit RawSession(FrameHandler handler) : handler_(std::move(handler)) {}
  RawSession(const RawSession&) = delete;
  RawSession& operator=(const RawSession&) = delete;
  ~RawSession() { close(); }

  /// Connects to 127.0.0.1:`port` and greets. Errors: CONNECT_FAILED, or what the broker says.
  proto::Result<> open(std::uint16_t port);
  void close();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  /// The broker has said that it shuts down.
  [[nodiscard]] bool is_leaving() const { return is_leaving_; }

  /// Sends one request and waits for its answer, at most 30 s; other frames go to the handler.
  proto::Result<weir::v1::Response> call(weir::v1::Request request);

  /// Where frames to be sent are appended; write() sends them.
  std::string& out() { return out_; }
  [[nodiscard]] bool wants_write() const { return written_ < out_.size(); }
  /// Sends what the socket takes. CONNECT_FAILED: the connection is gone.
  proto::Result<> write();
  /// Reads what has arrived and hands it on. CONNECT_FAILED: the connection is gone; every whole
  /// frame before its end was handed on.
  proto::Result<> read();

  /// Bytes of this connection that the system took, and that arrived here.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }
  [[nodiscard]] std::uint64_t received_bytes() const { return received_bytes_; }
  /// Serves the connection until `done` is true, at most 30 s.
  proto::Result<> wait_for(const bool& done);

  /// What the broker said to the greeting of open().
  [[nodiscard]] const weir::v1::Welcome& welcome() const { return welcome_; }
  /// Bytes of batches that may be unanswered (Welcome, SendCredit).
  [[nodiscard]] std::uint32_t send_window_bytes() const { return send_window_bytes_; }

 private:
  proto::Result<> handle(const proto::RawFrame& frame);

  FrameHandler handler_;
  int fd_ = -1;
  proto::FrameReader reader_{proto::kMaxFrameBytes};
  std::string out_;
  std::size_t written_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::uint32_t send_window_bytes_ = 0;
  weir::v1::Welcome welcome_;
  bool welcomed_ = false;
  bool is_leaving_ = false;
  std::uint64_t next_request_ = 1;
  std::uint64_t awaited_ = 0;  // request id
  bool answered_ = false;
  weir::v1::Response response_;
};

}  // namespace weir::crash
