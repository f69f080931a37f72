#pragma once

#include "weir/export.hpp"
#include "weir/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The way back of messages that nobody could handle: what Client::start_redrive() takes and gives.
namespace weir {

/// What Client::start_redrive() moves, and how fast. Unset: all messages of the queue, each to the
/// queue in which it died, as fast as the disk takes them. A message is moved when everything holds
/// that is asked for.
class WEIR_API RedriveOptions {
 public:
  RedriveOptions();

  /// Messages go to this queue, not to where they died.
  RedriveOptions& set_target(std::string queue);
  /// The queue's own parked messages become ready again, with no failures counted; nothing is moved
  /// to another queue. Their attempts go on being counted.
  RedriveOptions& set_parked(bool parked);
  /// Counts what it would move, and changes nothing.
  RedriveOptions& set_dry_run(bool dry_run);
  /// At most so many; 0, the default, is all.
  RedriveOptions& set_max_messages(std::uint64_t messages);
  /// Messages a second at most; 0, the default, is no bound.
  RedriveOptions& set_rate(std::uint64_t messages_per_second);
  /// Those that died for this reason: "max_receive_count", "poison" or "expired".
  RedriveOptions& set_reason(std::string reason);
  /// Those with this header.
  RedriveOptions& set_header(std::string name, std::string value);
  /// Those with this key.
  RedriveOptions& set_key(std::string key);
  /// Those that died at that time or later.
  RedriveOptions& set_died_after(Timestamp time);
  /// Those that died before that time.
  RedriveOptions& set_died_before(Timestamp time);

  [[nodiscard]] const std::string& target() const { return target_; }
  [[nodiscard]] bool parked() const { return parked_; }
  [[nodiscard]] bool dry_run() const { return dry_run_; }
  [[nodiscard]] std::uint64_t max_messages() const { return max_messages_; }
  [[nodiscard]] std::uint64_t rate() const { return rate_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] const std::string& header() const { return header_; }
  [[nodiscard]] const std::string& header_value() const { return header_value_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  /// The epoch: whenever.
  [[nodiscard]] Timestamp died_after() const { return died_after_; }
  [[nodiscard]] Timestamp died_before() const { return died_before_; }

 private:
  std::string target_;
  bool parked_ = false;
  bool dry_run_ = false;
  std::uint64_t max_messages_ = 0;
  std::uint64_t rate_ = 0;
  std::string reason_;
  std::string header_;
  std::string header_value_;
  std::string key_;
  Timestamp died_after_;
  Timestamp died_before_;
};

/// How far a redrive has come.
enum class RedriveState : std::uint8_t {
  kUnknown = 0,  // a newer broker says something else
  kRunning = 1,
  kDone = 2,
  kCancelled = 3,
  kFailed = 4,
};
/// As JSON and the command line have it, e.g. "running".
[[nodiscard]] WEIR_API std::string_view name(RedriveState state);

/// A redrive as the broker knows it.
struct WEIR_API RedriveDescription {
  RedriveDescription();

  /// Of the queue whose messages it takes.
  std::string name;
  /// What was asked. The target is empty, too, when that queue is gone.
  RedriveOptions options;
  RedriveState state = RedriveState::kUnknown;
  /// Why it ended before all was done.
  std::string why;
  std::uint64_t moved = 0;    // or would be, of a dry run
  std::uint64_t skipped = 0;  // in somebody's hands, or without a queue to go to
  std::int64_t position = 0;  // offset: everything before was looked at …
  std::int64_t end = 0;       // … of everything before this
  Timestamp begun_time;
  /// The epoch while it runs.
  Timestamp ended_time;
};

/// As QueuePage, in the order of the queues' names.
struct WEIR_API RedrivePage {
  RedrivePage();

  std::vector<RedriveDescription> redrives;
  std::string next_page_token;
};

}  // namespace weir
