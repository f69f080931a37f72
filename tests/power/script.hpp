#pragma once

#include "broker/core/reply.hpp"
#include "tests/power/disk_model.hpp"
#include "tests/power/journal.hpp"
#include "tests/power/life.hpp"
#include "tests/power/witness.hpp"
#include "tests/power/word.hpp"
#include "tests/sim/rng.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::power {

/// A broker on a watched disk and a client of it, driven by the lines of a scenario. Whatever is
/// asked and said goes to the journal. A broker that cannot go on ends the process as the real one
/// does, with its message in the journal.
class Script {
 public:
  /// Exit codes of a process that runs a script.
  static constexpr int kNotStarted = 1;
  static constexpr int kHung = 2;
  static constexpr int kDied = 3;
  static constexpr int kWrong = 4;

  /// `root` is an empty folder.
  Script(std::string root, Journal& journal, std::uint64_t seed);
  ~Script();
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  // ---- lives of the broker
  void start(LifeOptions options = {});
  /// Answers everything, then ends in order.
  void stop();
  /// The process dies; the machine goes on.
  void kill();
  /// The machine stops; it comes up with what the loss left.
  void lose_power(Loss loss);
  [[nodiscard]] bool is_up() const { return life_ != nullptr; }
  [[nodiscard]] Life& life() { return *life_; }

  // ---- destinations
  struct Target {
    std::string name;
    std::uint64_t log = 0;
    bool is_topic = false;
  };
  Target queue(const std::string& name, core::QueueSettings settings = {});
  std::vector<Target> topic(const std::string& name, std::uint32_t partitions);

  // ---- what a client does. Nothing waits but receive() and wait().
  void send(const Target& target, std::uint32_t messages, std::size_t bytes, Extras extras = {});
  /// Sends what was asked and not answered once more, after a life ended.
  void send_again();
  std::size_t receive(const Target& queue, std::uint32_t messages, std::int64_t lease_ms = 0);
  void subscribe(const Target& queue, std::uint32_t window);
  void read(const Target& first_partition);
  /// Settles messages that are held, oldest first; those left are kept.
  void settle(proto::SettleKind kind, std::size_t messages, std::uint32_t value_ms = 0);
  /// The same by a handle, one message.
  void settle_by_handle(proto::SettleKind kind, std::uint32_t value_ms = 0);
  void forget_held() { held_.clear(); }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  /// Until everything asked is answered.
  void wait();
  void advance(std::int64_t ms);

  sim::Rng& rng() { return rng_; }
  [[nodiscard]] std::size_t unanswered() const { return sends_.size() + settles_.size(); }

 private:
  class Port;
  struct Flight {
    Word word;
    std::string bytes;
    Target target;
  };
  struct Settling {
    Word word;
    proto::SettleRange range;
  };
  using Heard = std::function<void(const proto::Result<core::Reply>&)>;

  void end_life();
  void say(Word word);
  void run_until(const std::function<bool()>& done);
  void ask(core::Request request, Heard heard);
  const core::Reply& answer_to(core::Request request);
  void transmit(std::uint64_t send_number);
  void hear_delivery(std::uint32_t alias, const core::Delivery& delivery, bool is_started);
  void hear_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed);
  void confirm(const Word& word);
  [[noreturn]] void die(int code, const std::string& message);

  std::string root_;
  Journal& journal_;
  sim::Rng rng_;
  Witness witness_;
  ManualTime now_ = 1'700'000'000'000;
  std::unique_ptr<Port> port_;
  std::atomic<bool> is_ending_ = false;
  std::unique_ptr<Life> life_;
  proto::SessionId session_;
  std::optional<core::ProducerInfo> producer_;
  std::map<std::uint64_t, std::int32_t> next_sequence_;  // by log
  MessageNumber last_number_ = 0;
  std::uint64_t last_send_ = 0;
  std::uint64_t last_settle_ = 0;
  std::uint64_t last_request_ = 0;
  std::uint32_t last_alias_ = 0;
  std::map<std::uint64_t, Flight> sends_;  // unanswered, by send number
  std::map<std::uint64_t, Settling> settles_;
  std::map<std::uint64_t, Heard> requests_;
  std::map<std::uint32_t, std::uint64_t> partitions_;  // of the one topic that is read: logs
  std::deque<Word> held_;
  std::optional<proto::Result<core::Reply>> answer_;
};

/// The value of a message: its number and a filling.
[[nodiscard]] std::string value_of(MessageNumber number, std::size_t bytes);
/// nullopt where the value is not one of ours, whole.
[[nodiscard]] std::optional<MessageNumber> number_of(std::string_view value);
/// The receipt handle of a message that was handed out.
[[nodiscard]] std::string handle_of(const Word& word);
/// A batch with room for the store's header in front.
[[nodiscard]] std::string batch_of(const Word& word);

}  // namespace weir::power
