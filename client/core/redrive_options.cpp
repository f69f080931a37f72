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
RedriveOptions& RedriveOptions::set_filter(MessageFilter filter) {
  filter_ = std::move(filter);
  return *this;
}
RedriveOptions& RedriveOptions::set_drop(bool drop) {
  drop_ = drop;
  return *this;
}
RedriveOptions& RedriveOptions::set_keep_attempts(bool keep) {
  keep_attempts_ = keep;
  return *this;
}
RedriveOptions& RedriveOptions::add_header(std::string name, std::string value) {
  added_headers_.emplace_back(std::move(name), std::move(value));
  return *this;
}
RedriveOptions& RedriveOptions::remove_header(std::string name) {
  removed_headers_.push_back(std::move(name));
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
