#include "broker/core/row_codec.hpp"
#include "proto/assert.hpp"
#include "proto/ids.hpp"
#include "storage/commit_chain.hpp"
#include "storage/key_codec.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::fuzz {
namespace {

using core::rows::encode;

// What is read of a row, written, is read again as the same: the second writing equals the first.
template <class Decode, class Encode>
void check_stable(std::string_view bytes, const Decode& decode, const Encode& encode_row) {
  const auto row = decode(bytes);
  if (!row) {
    WEIR_ASSERT(row.error().code == proto::Errc::kCorruptBatch, "damage is named as such");
    return;
  }
  const std::string once = encode_row(*row);
  const auto again = decode(once);
  WEIR_ASSERT(again && encode_row(*again) == once, "a row that was read is written as it was");
}

template <class Row, class Decode>
void check_row(std::string_view bytes, const Decode& decode) {
  check_stable(bytes, decode, [](const Row& row) { return encode(row); });
}

void check_partition(std::string_view bytes) {
  core::Partition partition;
  if (!core::rows::decode_partition(bytes, partition)) {
    return;
  }
  const std::string once = encode(partition);
  core::Partition again;
  WEIR_ASSERT(core::rows::decode_partition(once, again) && encode(again) == once,
              "a partition that was read is written as it was");
}

void check_touched(std::string_view bytes, proto::Offset last_offset) {
  check_stable(
      bytes,
      [last_offset](std::string_view from) {
        return core::rows::decode_touched(from, last_offset);
      },
      [](const core::rows::TouchedRow& row) { return encode(row.batch, row.is_cold); });
}

// Whatever a row says of a redrive, one that was read knows how far it may go.
void check_redrive(std::string_view bytes) {
  check_row<core::Redrive>(bytes, core::rows::decode_redrive);
  if (auto redrive = core::rows::decode_redrive(bytes)) {
    WEIR_ASSERT(redrive->position >= 0 && redrive->position <= redrive->end,
                "a redrive is before its end");
    constexpr proto::TimeMs kNow = 1'700'000'000'000;
    const std::uint64_t allowed = redrive->allowance(kNow);
    WEIR_ASSERT(redrive->max_messages == 0 || allowed <= redrive->max_messages,
                "a redrive takes no more than its most");
    WEIR_ASSERT(redrive->rate == 0 || allowed <= redrive->rate,
                "a redrive takes no more than its rate");
    static_cast<void>(redrive->next_time());
  }
}

// A key is one of its kind and length, and says its parts again.
void check_keys(std::string_view key) {
  using storage::KeyKind;
  for (int number = 0; number < 256; ++number) {
    const auto kind = static_cast<KeyKind>(number);
    if (const auto id = storage::parse_object_key(kind, key)) {
      WEIR_ASSERT(storage::object_key(kind, *id) == key, "an object's key says its id");
    }
    if (const auto batch = storage::parse_batch_key(kind, key)) {
      WEIR_ASSERT(storage::batch_key(kind, batch->id, batch->generation, batch->last_offset) == key,
                  "a batch's key says its parts");
    }
    if (const auto timed = storage::parse_timed_batch_key(kind, key)) {
      WEIR_ASSERT(storage::timed_batch_key(kind, timed->id, timed->generation, timed->when,
                                           timed->last_offset) == key,
                  "a timed key says its parts");
    }
  }
  if (const auto window = storage::parse_producer_window_key(key)) {
    WEIR_ASSERT(storage::producer_window_key(window->producer, window->log) == key,
                "a window's key says its parts");
  }
  if (const auto known = storage::parse_deduplication_key(key)) {
    const std::string part =
        storage::deduplication_prefix(known->queue, known->generation, known->part);
    WEIR_ASSERT(key.starts_with(part), "the key of a deduplication id says its part");
  }
  const std::string end = storage::prefix_end(key);
  WEIR_ASSERT(end.empty() || end > key, "the end of a prefix lies behind it");
}

void check_point(std::string_view bytes) {
  if (const auto point = storage::decode_commit_point(bytes)) {
    WEIR_ASSERT(storage::encode_commit_point(*point) == bytes, "a commit point says its bytes");
  }
}

}  // namespace

void rows(std::string_view bytes) {
  Input input(bytes);
  switch (input.below(12)) {
    case 0:
      return check_row<core::NamespaceCreated>(input.rest(), core::rows::decode_namespace);
    case 1:
      return check_row<core::QueueCreated>(input.rest(), core::rows::decode_queue);
    case 2:
      return check_row<core::TopicCreated>(input.rest(), core::rows::decode_topic);
    case 3:
      return check_row<core::Queue::Counters>(input.rest(), core::rows::decode_counters);
    case 4:
      return check_row<core::ProducerWindow>(input.rest(), core::rows::decode_window);
    case 5:
      return check_row<core::rows::ProducerHead>(input.rest(), core::rows::decode_producer);
    case 6:
      return check_row<core::rows::AllocatorValues>(input.rest(), core::rows::decode_allocator);
    case 7:
      return check_partition(input.rest());
    case 8: {
      const auto last_offset = static_cast<proto::Offset>(input.number<std::uint16_t>());
      return check_touched(input.rest(), last_offset);
    }
    case 9:
      return check_keys(input.rest());
    case 10:
      return check_point(input.rest());
    default:
      check_row<core::rows::DelayIndex>(input.rest(), core::rows::decode_delay_index);
      check_row<core::KnownMessage>(input.rest(), core::rows::decode_deduplication);
      return check_redrive(input.rest());
  }
}

}  // namespace weir::fuzz
