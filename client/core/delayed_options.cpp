#include "weir/delay.hpp"

#include <utility>

namespace weir {

DelayedOptions::DelayedOptions() = default;

DelayedOptions& DelayedOptions::set_page_token(std::string token) {
  page_token_ = std::move(token);
  return *this;
}
DelayedOptions& DelayedOptions::set_max_messages(std::uint32_t messages) {
  max_messages_ = messages;
  return *this;
}

DelayedMessage::DelayedMessage() = default;
DelayedPage::DelayedPage() = default;

}  // namespace weir
