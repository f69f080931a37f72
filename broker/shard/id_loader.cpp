#include "broker/shard/id_loader.hpp"

#include "broker/core/row_codec.hpp"
#include "storage/key_codec.hpp"

namespace weir::shard {

proto::Result<ReadIds> load_ids(const storage::Reader& reader, const core::NeedIds& need) {
  ReadIds ids;
  for (const core::DeduplicationId& id : need.ids) {
    std::optional<core::KnownMessage>& found = ids[id];
    for (auto part = need.parts.rbegin(); part != need.parts.rend() && !found; ++part) {
      const auto value =
          reader.get(storage::Family::kState,
                     storage::deduplication_key(need.queue, need.generation, *part, id));
      if (!value) {
        return value.error();
      }
      if (!*value) {
        continue;
      }
      const auto row = core::rows::decode_deduplication(**value);
      if (!row) {
        return row.error();
      }
      found = *row;
    }
  }
  return ids;
}

}  // namespace weir::shard
