#pragma once

#include "weir/export.hpp"
#include "weir/message.hpp"

#include <string>

namespace weir {

/// Which messages of a queue are meant, for those who look at them, move them back or drop them.
/// Unset: all. Of several conditions all must hold.
class WEIR_API MessageFilter {
 public:
  MessageFilter();

  /// The one with this id, wherever in the queue it lies.
  MessageFilter& set_id(const MessageId& id);
  /// Those that died for this reason: "max_receive_count", "poison" or "expired".
  MessageFilter& set_reason(std::string reason);
  /// Those with this header.
  MessageFilter& set_header(std::string name, std::string value);
  /// Those with this key.
  MessageFilter& set_key(std::string key);
  /// Those that died at that time or later.
  MessageFilter& set_died_after(Timestamp time);
  /// Those that died before that time.
  MessageFilter& set_died_before(Timestamp time);

  /// The nil id: any.
  [[nodiscard]] const MessageId& id() const { return id_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] const std::string& header() const { return header_; }
  [[nodiscard]] const std::string& header_value() const { return header_value_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  /// The epoch: whenever.
  [[nodiscard]] Timestamp died_after() const { return died_after_; }
  [[nodiscard]] Timestamp died_before() const { return died_before_; }

 private:
  MessageId id_;
  std::string reason_;
  std::string header_;
  std::string header_value_;
  std::string key_;
  Timestamp died_after_;
  Timestamp died_before_;
};

}  // namespace weir
