#include "broker/cli/exit_code.hpp"

#include <algorithm>

namespace weir::cli {

ExitCode exit_code_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidName:
      return ExitCode::kBadUsage;
    case ErrorCode::kConnectFailed:
      return ExitCode::kNotReachable;
    case ErrorCode::kNamespaceNotFound:
    case ErrorCode::kQueueNotFound:
    case ErrorCode::kTopicNotFound:
    case ErrorCode::kPartitionNotFound:
    case ErrorCode::kGroupNotFound:
    case ErrorCode::kMessageNotFound:
      return ExitCode::kNotFound;
    case ErrorCode::kUnknownOutcome:
    case ErrorCode::kDeadlineExceeded:
      return ExitCode::kUnknownOutcome;
    default:
      return ExitCode::kRefused;
  }
}

std::string hint_for(ErrorCode code, std::string_view subject) {
  const std::string name(subject);
  switch (code) {
    case ErrorCode::kQueueNotFound:
      return "create it with: weir queue create " + name;
    case ErrorCode::kTopicNotFound:
      return "create it with: weir topic create " + name;
    case ErrorCode::kPartitionNotFound:
    case ErrorCode::kOffsetOutOfRange:
      return "see what there is with: weir topic info " + name;
    case ErrorCode::kQueueFull:
      return "see its bounds and what it holds with: weir queue info " + name;
    case ErrorCode::kConnectFailed:
      return "start a broker with: weir serve; name another one with --url or WEIR_URL";
    case ErrorCode::kReceiptExpired:
      return "its lease ended, and the message may have been handed out again";
    case ErrorCode::kNamespaceNotFound:
      return "see what there is with: weir namespace ls; create one with: weir namespace create";
    case ErrorCode::kUnknownOutcome:
      return "it may have been carried out: look before you repeat it";
    default:
      return {};
  }
}

std::string error_line(const Error& error, std::string_view subject) {
  std::string line = "weir: " + error.to_string();
  const std::string hint = hint_for(error.code, subject);
  if (!hint.empty()) {
    line += " (" + hint + ")";
  }
  std::ranges::replace_if(line, [](char letter) { return letter == '\n' || letter == '\r'; }, ' ');
  return line;
}

}  // namespace weir::cli
