#include "weir/redrive.hpp"

#include <utility>

namespace weir {

RedriveOptions::RedriveOptions() = default;

RedriveOptions& RedriveOptions::set_target(std::string queue) {
  target_ = std::move(queue);
  return *this;
}
RedriveOptions& RedriveOptions::set_parked(bool parked) {
  parked_ = parked;
  return *this;
}
RedriveOptions& RedriveOptions::set_dry_run(bool dry_run) {
  dry_run_ = dry_run;
  return *this;
}
RedriveOptions& RedriveOptions::set_max_messages(std::uint64_t messages) {
  max_messages_ = messages;
  return *this;
}
RedriveOptions& RedriveOptions::set_rate(std::uint64_t messages_per_second) {
  rate_ = messages_per_second;
  return *this;
}
RedriveOptions& RedriveOptions::set_reason(std::string reason) {
  reason_ = std::move(reason);
  return *this;
}
RedriveOptions& RedriveOptions::set_header(std::string name, std::string value) {
  header_ = std::move(name);
  header_value_ = std::move(value);
  return *this;
}
RedriveOptions& RedriveOptions::set_key(std::string key) {
  key_ = std::move(key);
  return *this;
}
RedriveOptions& RedriveOptions::set_died_after(Timestamp time) {
  died_after_ = time;
  return *this;
}
RedriveOptions& RedriveOptions::set_died_before(Timestamp time) {
  died_before_ = time;
  return *this;
}

RedriveDescription::RedriveDescription() = default;
RedrivePage::RedrivePage() = default;

std::string_view name(RedriveState state) {
  switch (state) {
    case RedriveState::kUnknown:
      break;
    case RedriveState::kRunning:
      return "running";
    case RedriveState::kDone:
      return "done";
    case RedriveState::kCancelled:
      return "cancelled";
    case RedriveState::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace weir
