#pragma once

#include "proto/ids.hpp"
#include "proto/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::proto {

/// What a receipt handle says: which message of which grant, in which life of which queue. Users
/// see base64url text and treat it as opaque. 57 bytes: u8 version, then the fields in order,
/// big-endian, then CRC-32C of all of it, so that an altered handle is told from one that merely
/// ended.
struct ReceiptHandle {
  std::uint32_t incarnation = 0;
  std::uint32_t epoch = 0;
  QueueId queue;
  std::uint32_t generation = 0;
  GrantId grant;
  std::uint32_t index = 0;  // index of the record within its batch
  std::uint64_t nonce = 0;  // random, drawn with the grant and kept in its row
  Offset base_offset = 0;   // of the batch
  std::uint32_t shard = 0;
  friend bool operator==(const ReceiptHandle&, const ReceiptHandle&) = default;
};
inline constexpr std::size_t kReceiptHandleBytes = 1 + 4 + 4 + 8 + 4 + 8 + 4 + 8 + 8 + 4 + 4;
static_assert(kReceiptHandleBytes <= 64);

/// 76 characters of base64url without padding.
std::string encode_handle(const ReceiptHandle& handle);
/// RECEIPT_INVALID for anything that encode_handle did not make.
Result<ReceiptHandle> decode_handle(std::string_view text);

/// The id of a message: incarnation and object id of its first home and the offset there, printed
/// as a UUID. u32 incarnation | u8 tag of the lane | u40 object id (low bits) | u48 offset in the
/// lane, with no version bits set: it is an identity, not a random UUID.
std::string message_id(std::uint32_t incarnation, std::uint64_t object, Offset offset);

struct MessagePlace {
  std::uint32_t incarnation = 0;
  std::uint64_t object = 0;  // its low 40 bits
  Offset offset = 0;         // with its lane
};
/// What an id says; nullopt for anything that message_id() did not make.
[[nodiscard]] std::optional<MessagePlace> parse_message_id(std::string_view text);

}  // namespace weir::proto
