#include "broker/shard/loaded_attempts.hpp"

#include "broker/core/row_codec.hpp"
#include "proto/planted_bugs.hpp"
#include "storage/key_codec.hpp"

#include <algorithm>
#include <utility>

namespace weir::shard {

using storage::Family;

proto::Result<AttemptRows> load_attempts(const storage::Reader& reader,
                                         const core::NeedAttempts& need) {
  AttemptRows attempts;
  // A row may be of messages behind the one that its key names.
  const proto::Offset first =
      std::max<proto::Offset>(need.base_offset - core::AttemptSpans::kMaxMessages + 1, 0);
  const auto rows =
      reader.scan(Family::kState, storage::attempt_key(need.queue, need.generation, first, 0),
                  storage::attempt_key(need.queue, need.generation, need.last_offset + 1, 0), {});
  for (; rows->valid(); rows->next()) {
    const auto at = storage::parse_attempt_key(rows->key());
    if (!at) {
      return proto::fail(proto::Errc::kCorruptBatch, "the key of an attempt is damaged");
    }
    const auto row = core::rows::decode_attempt(rows->value(), at->attempt);
    if (!row) {
      return row.error();
    }
    const proto::Offset end =
        std::min(at->offset + static_cast<proto::Offset>(row->messages), need.last_offset + 1);
    for (proto::Offset i = std::max(at->offset, need.base_offset); i < end; ++i) {
      attempts[i].push_back(row->attempt);
    }
  }
  if (auto read = rows->status(); !read) {
    return read.error();
  }
  for (auto& [offset, of_message] : attempts) {
    std::ranges::sort(of_message, {}, &core::Attempt::number);
  }
  return attempts;
}

void LoadedAttempts::on_committed(proto::CommitIndex index) {
  std::erase_if(ended_, [index](const auto& ended) { return ended.second <= index; });
}

bool LoadedAttempts::begin(const core::NeedAttempts& need, proto::CommitIndex committed) {
  const auto known = loads_.find(need.queue);
  if (known != loads_.end() && known->second.is_of(need) &&
      (!known->second.rows || known->second.as_of >= committed)) {
    return false;
  }
  const bool has_all_rows = !ended_.contains(need.queue);
  loads_.insert_or_assign(need.queue, Load{need, committed, has_all_rows, std::nullopt});
  return true;
}

void LoadedAttempts::finish(const core::NeedAttempts& need, AttemptRows rows) {
  const auto load = loads_.find(need.queue);
  if (load != loads_.end() && load->second.is_of(need)) {
    load->second.rows = std::move(rows);
  }
}

bool LoadedAttempts::is_loading() const {
  return std::ranges::any_of(loads_, [](const auto& load) { return !load.second.rows; });
}

void LoadedAttempts::clear() {
  loads_.clear();
  ended_.clear();
}

const std::vector<core::Attempt>* LoadedAttempts::find(proto::QueueId queue, proto::Offset offset,
                                                       std::uint16_t attempts) const {
  static const std::vector<core::Attempt> none;
  const auto load = loads_.find(queue);
  if (load == loads_.end() || !load->second.rows || offset < load->second.need.base_offset ||
      offset > load->second.need.last_offset) {
    return nullptr;
  }
  const auto found = load->second.rows->find(offset);
  const bool has_newest =
      found != load->second.rows->end() && found->second.back().number >= attempts;
  // What ended before there was a history has none.
  if (!has_newest && !load->second.has_all_rows && !WEIR_PLANTED(tell_stale_history)) {
    return nullptr;
  }
  return found != load->second.rows->end() ? &found->second : &none;
}

}  // namespace weir::shard
