#pragma once

#include "client/core/grant.hpp"
#include "client/core/time.hpp"
#include "weir/message.hpp"
#include "weir/options.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weir::sdk {

/// Knows which messages the application holds, and which of their leases are about to end: nobody
/// extends them any more, and only so much is left. Costs memory for each of those messages. One
/// owner, or guarded by one lock.
class LeaseWatch {
 public:
  explicit LeaseWatch(Duration before);

  /// The application has got this message.
  void add(Grant& grant, std::uint32_t index, const MessageId& id);
  /// These are settled, or no longer this consumer's.
  void remove(proto::GrantId grant, std::uint32_t index, std::uint32_t count = 1);
  /// The application gave it a lease of its own. It begins with the next take_ending().
  void extend(const Grant& grant, std::uint32_t index, Duration lease);
  /// Every message whose moment has come, told once for each end of a lease.
  [[nodiscard]] std::vector<LeaseEnding> take_ending(TimePoint now);
  /// Not before this is there anything to take.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

 private:
  using Key = std::pair<proto::GrantId, std::uint32_t>;
  struct Lease {
    TimePoint since;
    TimePoint until;
  };
  struct Held {
    std::weak_ptr<Grant> grant;
    MessageId id;
    std::optional<Lease> own;  // what the application asked for
    TimePoint look_at{};       // max(): it was told
  };

  [[nodiscard]] static TimePoint end_of(const Grant& grant, const Held& held);
  void look_later(const Key& key, Held& held, TimePoint when);

  Duration before_;
  std::map<Key, Held> held_;
  std::set<std::pair<TimePoint, Key>> by_time_;
  std::vector<std::pair<Key, Duration>> extended_;  // since the last take_ending()
};

}  // namespace weir::sdk
