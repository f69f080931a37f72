#include "broker/core/expiry.hpp"

#include <algorithm>

namespace weir::core {

std::vector<proto::TimeMs> expiries_of(const proto::BatchColumns& columns,
                                       proto::TimeMs append_time) {
  std::vector<proto::TimeMs> expiries;
  expiries.reserve(columns.lives.size());
  for (const proto::RecordLife& life : columns.lives) {
    const proto::TimeMs by_ttl = life.ttl_ms > 0 ? append_time + life.ttl_ms : kNeverExpires;
    const proto::TimeMs by_deadline = life.deadline >= 0 ? life.deadline : kNeverExpires;
    expiries.push_back(std::min(by_ttl, by_deadline));
  }
  return expiries;
}

proto::TimeMs retained_until(const Queue& queue, proto::TimeMs append_time) {
  const std::int64_t retention_ms = queue.definition().settings.retention_ms;
  return retention_ms > 0 ? append_time + retention_ms : kNeverExpires;
}

}  // namespace weir::core
