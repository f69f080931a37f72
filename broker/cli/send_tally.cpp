#include "broker/cli/send_tally.hpp"

#include "broker/cli/output.hpp"
#include "broker/terminal/counted.hpp"

namespace weir::cli {

void SendTally::on_result(std::uint64_t number, const Result<SendReceipt>& result) {
  if (!result) {
    on_failure(number, result.error());
    return;
  }
  const std::lock_guard lock(mutex_);
  ++stored_;
  known_ += result->duplicate ? 1 : 0;
}

void SendTally::on_failure(std::uint64_t number, const Error& error) {
  const std::lock_guard lock(mutex_);
  ++(error.code == ErrorCode::kUnknownOutcome ? unknown_ : refused_);
  if (!first_error_) {
    first_error_ = error;
    first_number_ = number;
  }
  failed_.store(true, std::memory_order_relaxed);
}

std::string SendTally::failure_line(std::string_view subject) const {
  const std::lock_guard lock(mutex_);
  if (!first_error_) {
    return {};
  }
  return error_line(*first_error_, subject) + "; message " + std::to_string(first_number_) +
         " was the first to fail; stored " + std::to_string(stored_) + ", unknown " +
         std::to_string(unknown_) + ", refused " + std::to_string(refused_);
}

ExitCode SendTally::conclude(std::string_view verb, std::string_view subject) const {
  const std::string failure = failure_line(subject);
  const std::lock_guard lock(mutex_);
  if (!first_error_) {
    const std::string known =
        known_ > 0 ? ", of which " + std::to_string(known_) + " had been stored before" : "";
    return print(std::string(verb) + " " + terminal::counted(stored_, "message") + known + "\n");
  }
  print_error_line(failure);
  return unknown_ > 0 ? ExitCode::kUnknownOutcome : exit_code_for(first_error_->code);
}

}  // namespace weir::cli
