#pragma once

#include "proto/frame/frame_reader.hpp"
#include "proto/frame/frames.hpp"
#include "tests/unit/client/model_broker.hpp"
#include "weir/v1/protocol.pb.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::sdk::test {

/// A broker on a loopback port that does what a test tells it: it records what clients say, answers
/// the usual way, and lets a test answer otherwise, keep silent or hang up. One thread for each
/// connection; everything is guarded by one lock, under which hooks run.
class FakeBroker {
 public:
  /// One client's connection.
  class Peer {
   public:
    [[nodiscard]] int number() const { return number_; }
    void write(const std::string& bytes);
    void write(proto::FrameType type, const google::protobuf::MessageLite& message);
    template <class Frame>
    void write_frame(const Frame& frame) {
      std::string bytes;
      proto::encode(frame, bytes);
      write(bytes);
    }
    /// Closes the connection.
    void hang_up();
    /// The same with a reset: what is still under way is lost.
    void reset();

   private:
    friend class FakeBroker;
    int number_ = 0;
    int socket_ = -1;
    bool is_open_ = true;
    std::size_t piece_bytes_ = 0;
    std::thread thread_;
    std::map<std::uint32_t, std::string> destinations_;  // by alias
  };

  /// What a hook says about a frame.
  enum class Answer : std::uint8_t {
    kUsual,   // go on as if there were no hook
    kNothing  // the hook has done what is to be done
  };

  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Runs `change` under the lock: for hooks and for looking at what was recorded.
  template <class Change>
  auto with(Change&& change) {
    const std::lock_guard lock(mutex_);
    return change();
  }
  /// Waits until `condition`, looked at under the lock after each frame, holds.
  [[nodiscard]] bool wait(const std::function<bool()>& condition);

  /// Takes no new connections, or does again.
  void set_accepting(bool accepting);
  /// Ends all connections.
  void hang_up();
  /// The connection that came last and is open; nullptr when there is none. With the lock held.
  [[nodiscard]] Peer* last_peer();

  /// One whole RecordBatch's records for a Deliver frame.
  static std::string records(const std::vector<std::string>& texts);
  /// A batch with these records, of no producer, at `base_offset`.
  static std::string batch(const std::vector<std::string>& texts, proto::Offset base_offset);
  /// With the lock held: the usual answer to a request.
  [[nodiscard]] v1::Response answer(Peer& peer, const v1::Request& request);
  /// With the lock held: one grant to the last subscription.
  void deliver(std::uint64_t grant, const std::vector<std::string>& texts,
               std::uint16_t attempts = 0, std::uint32_t lease_ms = 30'000);

  /// With the lock held: sends what lies in front of `end_offset` to the last subscription, cut
  /// into pieces of `cut_bytes`.
  void send_records(std::string_view bytes, proto::Offset end_offset,
                    std::size_t cut_bytes = SIZE_MAX);

  /// With the lock held: the last subscription has ended, with CORRUPT_BATCH and this message.
  void end_subscription(const std::string& message);

  // ---- set before use, or by with()

  std::function<Answer(Peer&, const proto::RawFrame&)> on_frame;
  std::function<Answer(Peer&, const v1::Request&)> on_request;
  std::function<Answer(Peer&, const proto::Send&)> on_send;
  std::function<Answer(Peer&, const proto::Settle&)> on_settle;
  std::size_t piece_bytes = SIZE_MAX;  // of later connections: leave one at a time
  std::uint32_t protocol = proto::kProtocolMax;
  std::uint64_t redelivery_delay_ms = 0;  // the policy of every queue
  std::uint32_t heartbeat_ms = 10'000;
  std::uint32_t dead_after_ms = 30'000;
  std::uint32_t send_window_bytes = 1U << 22U;
  std::optional<v1::GoAway> refuse_with;
  std::uint32_t partitions = 4;                  // of every topic
  std::vector<v1::PartitionPosition> positions;  // the answer to SubscribeTopic

  // ---- what was recorded; with the lock held

  ModelBroker model;
  int connections = 0;
  std::vector<v1::Hello> hellos;
  std::vector<v1::Request> requests;
  struct RecordedSend {
    int peer;
    std::uint64_t number;
    std::uint32_t deadline_ms;
    proto::BatchHeader header;
  };
  std::vector<RecordedSend> sends;
  struct RecordedRange {
    int peer;
    proto::SettleRange range;
    std::string reason;
  };
  std::vector<RecordedRange> settled;
  std::vector<proto::Credit> credits;
  int pings = 0;
  std::uint32_t subscription_alias = 0;  // of the last one

  /// Ranges of one kind, in the order they came.
  [[nodiscard]] std::vector<proto::SettleRange> ranges(proto::SettleKind kind) const;
  /// Those that were given, in the order they came.
  [[nodiscard]] std::vector<std::string> reasons() const;

 private:
  void accept_loop();
  void serve(Peer& peer);
  void handle(Peer& peer, const proto::RawFrame& frame);
  void handle_hello(Peer& peer, std::string_view body);
  void handle_request(Peer& peer, std::string_view body);
  void handle_send(Peer& peer, std::string_view body);
  void handle_settle(Peer& peer, std::string_view body);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable happened_;
  bool is_stopping_ = false;
  bool is_accepting_ = true;
  std::list<Peer> peers_;
  std::uint32_t next_alias_ = 1;
  std::thread acceptor_;
};

}  // namespace weir::sdk::test
