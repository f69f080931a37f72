#pragma once

#include "proto/frame/frames.hpp"
#include "proto/ids.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::power {

/// Messages are numbered from 1; the number is in the message.
using MessageNumber = std::uint64_t;

/// In a word: the batch names no producer.
inline constexpr std::uint64_t kNoProducer = ~std::uint64_t{0};

/// Messages of FIFO queues are in so many groups.
inline constexpr std::uint32_t kFifoGroups = 3;

/// What a message may say of itself beside its value.
struct Extras {
  std::int64_t delay_ms = 0;
  std::int64_t ttl_ms = 0;            // 0: for ever
  std::uint32_t groups = 0;           // it is in one of so many groups, by its number; 0: in none
  std::int32_t priority = -1;         // -1: it names none
  bool has_deduplication_id = false;  // which takes the place of the producer's sequence
};

/// One thing that a client asked or that the broker said, as it lies in the journal.
struct Word {
  enum class Kind : std::uint32_t {
    kQueue,        // exists: `log`, `name`, `dead_letters`, `max_receive_count`, `keeps_expired`
    kTopic,        // exists: `log` of one partition, `name`, `index` of the partition
    kProducer,     // `producer`, `epoch`
    kSendAsked,    // messages `number` …, `count` of them, for `log`
    kSendStored,   // the same or some of them, from `offset` on
    kHandedOut,    // message `number` at `offset` of `log`, until `until`
    kSettleAsked,  // of the lease that was handed out last, in the way of `settle`
    kSettled,      // the same, confirmed
    kRead,         // a topic's reader got message `number` at `offset` of `log`
  };
  Kind kind = Kind::kQueue;
  std::uint32_t count = 0;
  proto::TimeMs now = 0;
  std::uint64_t log = 0;
  MessageNumber number = 0;
  proto::Offset offset = -1;
  proto::TimeMs until = 0;  // end of a lease; of a nack, when the message may come again
  std::uint64_t producer = 0;
  std::uint64_t grant = 0;
  std::uint64_t nonce = 0;
  proto::Offset base_offset = 0;
  std::uint32_t epoch = 0;
  std::int32_t sequence = -1;
  std::uint32_t generation = 0;
  std::uint32_t incarnation = 0;
  std::uint32_t index = 0;
  std::uint32_t attempts = 0;  // begun before this hand-out
  std::int64_t max_receive_count = 0;
  std::uint32_t value_bytes = 0;  // of each message
  Extras extras;                  // likewise
  proto::SettleKind settle = proto::SettleKind::kAck;
  bool is_started = false;
  bool keeps_expired = false;  // what expires goes to the dead-letter queue
  std::array<char, 22> name{};
  std::array<char, 24> dead_letters{};
};

template <std::size_t kSize>
void set_text(std::array<char, kSize>& to, std::string_view text) {
  to.fill('\0');
  std::memcpy(to.data(), text.data(), text.size() < kSize ? text.size() : kSize - 1);
}

}  // namespace weir::power
