#include "broker/core/record_codec.hpp"
#include "proto/assert.hpp"
#include "tests/fuzz/targets.hpp"

#include <string>
#include <string_view>

namespace weir::fuzz {

void records(std::string_view bytes) {
  const auto record = core::records::decode(bytes);
  if (!record) {
    WEIR_ASSERT(record.error().code == proto::Errc::kCorruptBatch, "damage is named as such");
    return;
  }
  const std::string once = core::records::encode(*record);
  const auto again = core::records::decode(once);
  WEIR_ASSERT(again && core::records::encode(*again) == once,
              "a record that was read is written as it was");
}

}  // namespace weir::fuzz
