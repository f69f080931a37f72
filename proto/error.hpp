#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The one list of errors of the whole system. Numbers go over the wire and are never reused; a
// code exists only where a caller can act on it, and detail belongs into the message.
namespace weir::proto {

enum class Errc : std::uint16_t {
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
  kMessageNotFound = 40,
  kMessageExpired = 41,
  // On the client's side only; a broker never sends these.
  kUnknownOutcome = 1001,
  kConnectFailed = 1002,
  kCancelled = 1003,
};

/// The code's name as logs, metrics and the command line print it, e.g. "QUEUE_NOT_FOUND".
/// A number outside the list gives "UNKNOWN_ERROR".
std::string_view name(Errc code);

/// One sentence for a person, without the particulars of the case.
std::string_view describe(Errc code);

/// True when the same request may succeed later without anything being changed by the caller.
bool is_retriable(Errc code);

/// True for a code that may stand in a frame from a broker.
bool is_wire_code(std::uint16_t number);

/// What went wrong: a code to act on, a message to read, and when to come back if that is known.
struct Error {
  Errc code = Errc::kInternal;
  std::string message;
  /// Milliseconds to wait before another try; 0 where there is nothing to say.
  std::uint32_t retry_after_ms = 0;

  /// "QUEUE_NOT_FOUND: there is no queue 'x' in namespace 'default'".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Error&, const Error&) = default;
};

/// An error whose message is the code's own sentence.
Error make_error(Errc code);
Error make_error(Errc code, std::string message);

}  // namespace weir::proto
