#pragma once

#include "weir/export.hpp"
#include "weir/message.hpp"
#include "weir/message_filter.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The way back of messages that nobody could handle: what Client::start_redrive() takes and gives.
namespace weir {

/// What Client::start_redrive() moves, and how fast. Unset: all messages of the queue, each to the
/// queue in which it died, as fast as the disk takes them.
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
  /// Which messages; unset, all.
  RedriveOptions& set_filter(MessageFilter filter);
  /// The messages are gone for good, and come to no other queue.
  RedriveOptions& set_drop(bool drop);
  /// What is told of their attempts goes with the messages, as headers `weir.past-…`, and goes on
  /// when one of them dies again. They may fail as often as new ones all the same.
  RedriveOptions& set_keep_attempts(bool keep);
  /// Each message gets this header on its way, in place of what it has of that name. None whose
  /// name begins with `weir.`.
  RedriveOptions& add_header(std::string name, std::string value);
  /// Each message loses the headers of this name on its way.
  RedriveOptions& remove_header(std::string name);

  [[nodiscard]] const std::string& target() const { return target_; }
  [[nodiscard]] bool parked() const { return parked_; }
  [[nodiscard]] bool dry_run() const { return dry_run_; }
  [[nodiscard]] std::uint64_t max_messages() const { return max_messages_; }
  [[nodiscard]] std::uint64_t rate() const { return rate_; }
  [[nodiscard]] const MessageFilter& filter() const { return filter_; }
  [[nodiscard]] bool drop() const { return drop_; }
  [[nodiscard]] bool keep_attempts() const { return keep_attempts_; }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& added_headers() const {
    return added_headers_;
  }
  [[nodiscard]] const std::vector<std::string>& removed_headers() const { return removed_headers_; }

 private:
  std::string target_;
  bool parked_ = false;
  bool dry_run_ = false;
  std::uint64_t max_messages_ = 0;
  std::uint64_t rate_ = 0;
  MessageFilter filter_;
  bool drop_ = false;
  bool keep_attempts_ = false;
  std::vector<std::pair<std::string, std::string>> added_headers_;
  std::vector<std::string> removed_headers_;
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
  std::uint64_t moved = 0;    // or made ready, or dropped; or would be, of a dry run
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
