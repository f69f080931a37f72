#pragma once

#include "weir/export.hpp"

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir {

/// What went wrong, as far as a caller can act on it. Numbers below 1000 come from the broker, the
/// others from this library. New numbers may be added; existing ones never change.
enum class ErrorCode : std::uint16_t {
  kMalformed = 1,
  kUnsupported = 2,
  kUnauthenticated = 3,
  kPermissionDenied = 4,
  kInvalidArgument = 5,
  kInvalidName = 6,
  kNamespaceNotFound = 7,
  kQueueNotFound = 8,
  kTopicNotFound = 9,
  kPartitionNotFound = 10,
  kGroupNotFound = 11,
  kAlreadyExists = 12,
  kMessageTooLarge = 13,
  kCorruptBatch = 14,
  kReceiptInvalid = 15,
  kReceiptExpired = 16,
  kNotInFlight = 17,
  kOffsetOutOfRange = 18,
  kOutOfOrderSequence = 19,
  kProducerFenced = 20,
  kUnknownMember = 21,
  kIllegalGeneration = 22,
  kRebalanceInProgress = 23,
  kQueueFull = 24,
  kInFlightLimit = 25,
  kLimitExceeded = 26,
  kThrottled = 27,
  kOverloaded = 28,
  kDiskFull = 29,
  kDeadlineExceeded = 30,
  kPaused = 31,
  kTransactionAborted = 32,
  kNotLeader = 33,
  kShuttingDown = 34,
  kStorageFailed = 35,
  kConflict = 36,
  kInternal = 37,
  kInUse = 38,
  kKicked = 39,
  /// It is done, was cancelled or has moved on, or there was never one with that id.
  kMessageNotFound = 40,
  kMessageExpired = 41,
  /// The request left, its answer did not come: it may or may not have been carried out.
  kUnknownOutcome = 1001,
  /// No broker could be reached.
  kConnectFailed = 1002,
  /// The application stopped the call, or the client, producer, consumer or reader was closed,
  /// before anything came of it. For a send: it was not stored and will not be.
  kCancelled = 1003,
};

/// The code's name as logs print it, e.g. "QUEUE_NOT_FOUND"; "UNKNOWN_ERROR" for a number that this
/// version does not know.
[[nodiscard]] WEIR_API std::string_view name(ErrorCode code);

/// One sentence for a person, without the particulars of the case.
[[nodiscard]] WEIR_API std::string_view describe(ErrorCode code);

/// True when the same request may succeed later without anything being changed by the caller.
[[nodiscard]] WEIR_API bool is_retriable(ErrorCode code);

/// A code to act on, a message to read, and when to come back (zero: nothing is known about that).
struct WEIR_API Error {
  Error();
  explicit Error(ErrorCode error_code);
  Error(ErrorCode error_code, std::string text,
        std::chrono::milliseconds retry_in = std::chrono::milliseconds{0});

  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::chrono::milliseconds retry_after{0};

  /// "QUEUE_NOT_FOUND: there is no queue 'x' in namespace 'default'".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Error&, const Error&) = default;
};

/// Thrown by Result<T>::value() on an error, and by nothing else in this library.
class WEIR_API Exception : public std::runtime_error {
 public:
  explicit Exception(Error error);
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

}  // namespace weir
