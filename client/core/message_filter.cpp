#include "weir/message_filter.hpp"

#include <utility>

namespace weir {

MessageFilter::MessageFilter() = default;

MessageFilter& MessageFilter::set_id(const MessageId& id) {
  id_ = id;
  return *this;
}
MessageFilter& MessageFilter::set_reason(std::string reason) {
  reason_ = std::move(reason);
  return *this;
}
MessageFilter& MessageFilter::set_header(std::string name, std::string value) {
  header_ = std::move(name);
  header_value_ = std::move(value);
  return *this;
}
MessageFilter& MessageFilter::set_key(std::string key) {
  key_ = std::move(key);
  return *this;
}
MessageFilter& MessageFilter::set_died_after(Timestamp time) {
  died_after_ = time;
  return *this;
}
MessageFilter& MessageFilter::set_died_before(Timestamp time) {
  died_before_ = time;
  return *this;
}

}  // namespace weir
