#include "broker/cli/message_command.hpp"

#include <memory>
#include <utility>

namespace weir::cli {
namespace {

constexpr std::size_t kMaxKeyBytes = std::size_t{64} << 10;

// As sysexits.h has them.
constexpr int kExitDataError = 65;
constexpr int kExitTemporaryFailure = 75;

std::string text_of(const ChildEnd& end) {
  return end.signal != 0 ? "signal " + std::to_string(end.signal)
                         : "exit status " + std::to_string(end.exit_code);
}

}  // namespace

std::vector<std::pair<std::string, std::optional<std::string>>> message_environment(
    const std::string& queue, const std::string& message_id, std::uint32_t attempt,
    std::optional<std::string_view> key) {
  const bool fits = key && key->size() <= kMaxKeyBytes && key->find('\0') == std::string_view::npos;
  return {{"WEIR_QUEUE", queue},
          {"WEIR_MESSAGE_ID", message_id},
          {"WEIR_ATTEMPT", std::to_string(attempt)},
          {"WEIR_KEY", fits ? std::optional<std::string>(*key) : std::nullopt}};
}

std::string summary_of(const WorkerPoolStats& stats) {
  std::string text =
      "acked " + std::to_string(stats.acked) + ", nacked " + std::to_string(stats.nacked);
  if (stats.late > 0) {
    text += ", done but not acknowledged " + std::to_string(stats.late);
  }
  return text;
}

std::string too_many_failures(std::uint32_t failures, const ChildEnd& last) {
  return std::to_string(failures) + (failures == 1 ? " command" : " commands in a row") +
         " failed, the last with " + text_of(last) +
         "; takes no more messages, which would lose their attempts like these "
         "(--max-failures-in-a-row)";
}

MessageCommand::MessageCommand(MessageCommandSettings settings, std::function<void()> on_failure)
    : settings_(std::move(settings)), on_failure_(std::move(on_failure)) {}

std::optional<Error> MessageCommand::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void MessageCommand::note_success() {
  const std::lock_guard lock(mutex_);
  failures_in_a_row_ = 0;
}

void MessageCommand::note_failure(const ChildEnd& end) {
  std::uint32_t failures = 0;
  {
    const std::lock_guard lock(mutex_);
    failures = ++failures_in_a_row_;
  }
  if (failures == settings_.max_failures_in_a_row) {
    give_up(Error(ErrorCode::kCancelled, too_many_failures(failures, end)));
  }
}

void MessageCommand::give_up(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      failure_ = std::move(error);
    }
  }
  on_failure_();
}

Outcome MessageCommand::run(const Delivery& delivery, const std::stop_token& stop) {
  const ChildSpec spec{
      .command = settings_.command,
      .environment = message_environment(delivery.queue(), delivery.message_id().to_string(),
                                         delivery.attempt(), delivery.key()),
      .input = delivery.body()};
  Result<std::unique_ptr<ChildProcess>> started = ChildProcess::start(spec);
  if (!started) {
    give_up(started.error());
    return Outcome::release();
  }
  ChildProcess& child = **started;
  const std::stop_callback kills(stop, [&child] { child.kill(); });
  const ChildEnd end = child.wait();
  if (end.ok()) {
    note_success();
    return Outcome::ack();
  }
  if (stop.stop_requested()) {
    return Outcome::release();
  }
  if (end.signal == 0 && end.exit_code == kExitTemporaryFailure) {
    return settings_.nack_delay ? Outcome::transient(*settings_.nack_delay, text_of(end))
                                : Outcome::transient(text_of(end));
  }
  note_failure(end);
  if (end.signal == 0 && end.exit_code == kExitDataError) {
    return Outcome::poison(text_of(end));
  }
  return settings_.nack_delay ? Outcome::nack(*settings_.nack_delay, text_of(end))
                              : Outcome::nack(text_of(end));
}

}  // namespace weir::cli
