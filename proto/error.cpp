#include "proto/error.hpp"

#include <array>
#include <utility>

namespace weir::proto {
namespace {

struct Entry {
  Errc code;
  std::string_view name;
  std::string_view sentence;
  bool retriable;
};

constexpr std::array kEntries = {
    Entry{Errc::kMalformed, "MALFORMED", "the bytes do not follow the protocol", false},
    Entry{Errc::kUnsupported, "UNSUPPORTED", "this broker does not know the request", false},
    Entry{Errc::kUnauthenticated, "UNAUTHENTICATED", "the client has not proved who it is", false},
    Entry{Errc::kPermissionDenied, "PERMISSION_DENIED", "this client may not do that", false},
    Entry{Errc::kInvalidArgument, "INVALID_ARGUMENT", "a value of the request is not allowed",
          false},
    Entry{Errc::kInvalidName, "INVALID_NAME", "the name is not allowed", false},
    Entry{Errc::kNamespaceNotFound, "NAMESPACE_NOT_FOUND", "there is no such namespace", false},
    Entry{Errc::kQueueNotFound, "QUEUE_NOT_FOUND", "there is no such queue", false},
    Entry{Errc::kTopicNotFound, "TOPIC_NOT_FOUND", "there is no such topic", false},
    Entry{Errc::kPartitionNotFound, "PARTITION_NOT_FOUND", "the topic has no such partition",
          false},
    Entry{Errc::kGroupNotFound, "GROUP_NOT_FOUND", "there is no such consumer group", false},
    Entry{Errc::kAlreadyExists, "ALREADY_EXISTS", "it exists with other settings", false},
    Entry{Errc::kMessageTooLarge, "MESSAGE_TOO_LARGE", "the message is larger than the limit",
          false},
    Entry{Errc::kCorruptBatch, "CORRUPT_BATCH", "the batch does not match its checksum", false},
    Entry{Errc::kReceiptInvalid, "RECEIPT_INVALID", "the receipt handle was never issued", false},
    Entry{Errc::kReceiptExpired, "RECEIPT_EXPIRED", "the lease of the receipt handle has ended",
          false},
    Entry{Errc::kNotInFlight, "NOT_IN_FLIGHT", "the message is not leased to anybody", false},
    Entry{Errc::kOffsetOutOfRange, "OFFSET_OUT_OF_RANGE", "the log does not hold that offset",
          false},
    Entry{Errc::kOutOfOrderSequence, "OUT_OF_ORDER_SEQUENCE",
          "a batch of this producer is missing before this one", false},
    Entry{Errc::kProducerFenced, "PRODUCER_FENCED", "a newer instance of the producer is at work",
          false},
    Entry{Errc::kUnknownMember, "UNKNOWN_MEMBER", "the group does not know this member", false},
    Entry{Errc::kIllegalGeneration, "ILLEGAL_GENERATION",
          "the group has moved to a newer generation", false},
    Entry{Errc::kRebalanceInProgress, "REBALANCE_IN_PROGRESS", "the group is being rebalanced",
          true},
    Entry{Errc::kQueueFull, "QUEUE_FULL", "the queue holds as much as it may", true},
    Entry{Errc::kInFlightLimit, "IN_FLIGHT_LIMIT",
          "as many messages are leased as the queue allows", true},
    Entry{Errc::kLimitExceeded, "LIMIT_EXCEEDED", "a limit of the broker is reached", false},
    Entry{Errc::kThrottled, "THROTTLED", "the client sends faster than it may", true},
    Entry{Errc::kOverloaded, "OVERLOADED", "the broker has more work than it can do", true},
    Entry{Errc::kDiskFull, "DISK_FULL",
          "the disk is nearly full: sends are refused, acks and reads go on", true},
    Entry{Errc::kDeadlineExceeded, "DEADLINE_EXCEEDED",
          "the deadline passed before the work was done", true},
    Entry{Errc::kPaused, "PAUSED", "the destination is paused", true},
    Entry{Errc::kTransactionAborted, "TRANSACTION_ABORTED", "the transaction was aborted", false},
    Entry{Errc::kNotLeader, "NOT_LEADER", "another broker leads this shard", true},
    Entry{Errc::kShuttingDown, "SHUTTING_DOWN", "the broker is shutting down", true},
    Entry{Errc::kStorageFailed, "STORAGE_FAILED", "the disk failed: the broker has stopped writing",
          true},
    Entry{Errc::kConflict, "CONFLICT", "something else changed it first", true},
    Entry{Errc::kInternal, "INTERNAL", "the broker met a fault of its own", false},
    Entry{Errc::kInUse, "IN_USE", "something else needs it, or it is not empty", false},
    Entry{Errc::kKicked, "KICKED", "an operator has ended the connection", true},
    Entry{Errc::kMessageNotFound, "MESSAGE_NOT_FOUND", "there is no such message", false},
    Entry{Errc::kMessageExpired, "MESSAGE_EXPIRED", "the message's deadline has passed", false},
    Entry{Errc::kUnknownOutcome, "UNKNOWN_OUTCOME", "it may or may not have been done", true},
    Entry{Errc::kConnectFailed, "CONNECT_FAILED", "the broker cannot be reached", true},
    Entry{Errc::kCancelled, "CANCELLED", "the caller gave up", false},
};

const Entry* find(Errc code) {
  for (const Entry& entry : kEntries) {
    if (entry.code == code) {
      return &entry;
    }
  }
  return nullptr;
}

}  // namespace

std::string_view name(Errc code) {
  const Entry* entry = find(code);
  return entry != nullptr ? entry->name : "UNKNOWN_ERROR";
}

std::string_view describe(Errc code) {
  const Entry* entry = find(code);
  return entry != nullptr ? entry->sentence : "an error that this version does not know";
}

bool is_retriable(Errc code) {
  const Entry* entry = find(code);
  return entry != nullptr && entry->retriable;
}

bool is_wire_code(std::uint16_t number) {
  return number >= static_cast<std::uint16_t>(Errc::kMalformed) &&
         number <= static_cast<std::uint16_t>(Errc::kMessageExpired);
}

std::string Error::to_string() const {
  std::string text(name(code));
  text += ": ";
  text += message.empty() ? std::string(describe(code)) : message;
  return text;
}

Error make_error(Errc code) {
  return Error{code, std::string(describe(code)), 0};
}

Error make_error(Errc code, std::string message) {
  return Error{code, std::move(message), 0};
}

}  // namespace weir::proto
