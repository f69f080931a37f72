#pragma once

#include "client/core/address.hpp"
#include "client/session/outbox.hpp"
#include "proto/error.hpp"
#include "proto/frame/frame_reader.hpp"
#include "proto/result.hpp"

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace weir::sdk {

/// What a Link tells. Called on the I/O thread, never from within a call of the Link's.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void on_connected() = 0;
  /// Bytes arrived. Frames follow.
  virtual void on_bytes() = 0;
  /// `frame.body` is valid during the call. An error ends the connection with it.
  virtual proto::Result<> on_frame(const proto::RawFrame& frame) = 0;
  /// Some of what waited in the outbox left.
  virtual void on_written() = 0;
  /// Connecting failed or the connection broke: the link is closed.
  virtual void on_broken(proto::Error why) = 0;
};

/// One connection at a time to a broker, whatever carries its bytes. I/O thread only.
class Link {
 public:
  Link() = default;
  virtual ~Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  virtual void connect(const HostPort& host) = 0;
  /// Ends it without an event. Nothing waits in the outbox afterwards.
  virtual void close() = 0;
  /// Writes what the connection takes; the rest follows by itself. True when nothing waits.
  virtual bool flush() = 0;
  /// Goes on reading after what came was taken. Called behind flush(): whoever waits for an answer
  /// before it asks again is not held up by a look at an empty socket.
  virtual void read_on() = 0;

  [[nodiscard]] Outbox& outbox() { return outbox_; }

 private:
  Outbox outbox_;
};

/// Makes the link of a session, which tells `events` and is outlived by them.
using LinkMaker = std::function<std::unique_ptr<Link>(LinkEvents& events)>;

/// Hands the whole frames that `reader` holds to `events`, as long as `is_open()` says that the
/// connection which they came by still stands: a frame may end it. An error ends it as well.
template <std::predicate IsOpen>
proto::Result<> hand_frames(proto::FrameReader& reader, LinkEvents& events, IsOpen is_open) {
  while (is_open()) {
    const proto::Result<std::optional<proto::RawFrame>> frame = reader.next();
    if (!frame) {
      return frame.error();
    }
    if (!*frame) {
      return {};
    }
    if (proto::Result<> handled = events.on_frame(**frame); !handled) {
      return handled;
    }
  }
  return {};
}

}  // namespace weir::sdk
