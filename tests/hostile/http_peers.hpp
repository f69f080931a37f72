#pragma once

#include "proto/result.hpp"
#include "tests/crash/broker_process.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::hostile {

/// Connections to the HTTP port that each misuse it in one way, for as long as the broker lets
/// them; then others take their place. One thread.
class HttpPeers {
 public:
  enum class Way : std::uint8_t {
    kSilent,        // nothing at all
    kTricklesHead,  // a byte of a header now and then
    kEndlessHead,   // headers without end
    kLyingBody,     // far less of a body than it says
    kBrokenChunks,  // a body in pieces that are none
    kTooLargeBody,  // all of it
    kPipelines,     // requests in a row, whose answers it reads
    kNeverReads,    // requests without end, whose answers it does not read
    kSilentAfter,   // one request, then nothing
    kHalfClosed,    // half a request, then no more from its side
    kNoHttp,        // junk
    kCount,
  };
  struct Counts {
    std::uint64_t opened = 0;
    std::uint64_t closed = 0;  // by the broker
    std::uint64_t bytes = 0;   // that it took
  };

  HttpPeers(std::uint16_t port, std::size_t count);
  ~HttpPeers();
  HttpPeers(const HttpPeers&) = delete;
  HttpPeers& operator=(const HttpPeers&) = delete;

  /// Goes on for about so long. INTERNAL when no connection can be made.
  proto::Result<> run_for(std::chrono::milliseconds time);
  /// Ends all connections.
  void leave();
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Peer {
    int fd = -1;
    std::size_t written = 0;
    bool is_quiet = false;  // has said all that it says
  };

  [[nodiscard]] Way way_of(std::size_t index) const;
  proto::Result<> connect(Peer& peer);
  void write(std::size_t index);
  bool read(std::size_t index);

  std::uint16_t port_;
  std::vector<Peer> peers_;
  std::vector<std::string> words_;  // by way
  std::size_t turn_ = 0;
  Counts counts_;
};

/// `peers` of them for `seconds`, beside someone who asks for health and metrics and a good client.
/// Prints counts and how long the pages took. INTERNAL: a page did not come, the broker grew, kept
/// files, or disturbed the good client.
proto::Result<> misuse_http(crash::BrokerProcess& broker, std::size_t peers, std::int64_t seconds);

}  // namespace weir::hostile
