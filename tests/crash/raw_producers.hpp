#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "tests/crash/oracle.hpp"
#include "tests/crash/random.hpp"
#include "tests/crash/raw_session.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace weir::crash {

/// One connection with several producers that keep as many batches unanswered as the protocol
/// allows. After a restart each producer sends what was not answered once more, with the same id,
/// epoch and sequence, and sometimes what was answered, too. Not for two threads at once.
class RawProducers {
 public:
  struct Target {
    Oracle* oracle = nullptr;
    bool topic = false;
    std::uint32_t partition = 0;
    std::uint32_t producers = 0;
  };
  RawProducers(std::vector<Target> targets, std::uint32_t messages_per_batch, std::uint64_t seed);

  /// Connects, gives new producers their ids, and sends again what was not answered.
  proto::Result<> open(std::uint16_t port);
  /// Ends the connection. `forget`: some producers never come back, and others take their place.
  void close(bool forget);
  RawSession& session() { return session_; }

  /// Sends as much as is allowed. With `more` false only what was begun.
  void fill(bool more);

  /// Refused for want of disk space: such a batch is kept, its producer waits for what else it has
  /// unanswered, and begins again with retry_refused(). Until this is called that is an error.
  void expect_full_disk() { expects_full_disk_ = true; }
  void retry_refused();
  /// Producers that were refused and wait.
  [[nodiscard]] std::size_t refused() const;

  /// Messages that were sent on this connection and are not answered.
  [[nodiscard]] std::uint64_t unanswered() const { return unanswered_; }
  /// Batches of them.
  [[nodiscard]] std::uint64_t unanswered_batches() const { return open_.size(); }
  /// True when nothing waits for an answer or for a connection.
  [[nodiscard]] bool is_idle() const;
  /// Repeated batches that the broker recognised.
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }

 private:
  struct Batch {
    std::string bytes;
    std::uint32_t count = 0;
    MessageNumber first = 0;  // its messages are numbered one after the other
    std::int32_t base_sequence = 0;
    proto::Offset offset = -1;  // once it was answered
  };
  struct Producer {
    std::size_t target = 0;
    std::int64_t id = -1;
    std::int16_t epoch = 0;
    std::int32_t next_sequence = 0;
    std::deque<Batch> waiting;   // unanswered, in order
    std::deque<Batch> answered;  // the last few, in order
    std::size_t sent = 0;        // of `waiting`, on this connection
    bool is_refused = false;     // for want of disk space; then nothing is sent
  };
  struct OpenSend {
    std::size_t producer = 0;
    Batch batch;
    bool repeated = false;  // was answered before
  };

  proto::Result<> on_frame(const proto::RawFrame& frame);
  proto::Result<> on_sent(const proto::SentEntry& entry);
  proto::Result<> on_refused(Producer& producer, const Batch& batch, const proto::SentEntry& entry);
  proto::Result<> introduce(Producer& producer);
  void make_batch(Producer& producer);
  bool send(std::size_t producer, const Batch& batch, bool repeated);
  void repeat_answered(std::size_t producer);

  std::vector<Target> targets_;
  std::uint32_t messages_per_batch_;
  Random random_;
  RawSession session_;
  std::vector<std::uint32_t> aliases_;  // of the targets
  std::vector<Producer> producers_;
  std::size_t next_ = 0;                    // whose turn it is first
  std::map<std::uint64_t, OpenSend> open_;  // by send number
  std::uint64_t last_send_ = 0;
  std::uint64_t unanswered_ = 0;
  std::uint64_t open_bytes_ = 0;
  std::uint64_t duplicates_ = 0;
  bool expects_full_disk_ = false;
};

}  // namespace weir::crash
