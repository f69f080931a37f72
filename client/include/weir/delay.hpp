#pragma once

#include "weir/export.hpp"
#include "weir/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Messages that are put off until later: what Client::list_delayed() takes and gives.
namespace weir {

class WEIR_API DelayedOptions {
 public:
  DelayedOptions();

  /// From where the page before named its next one; empty: from the first.
  DelayedOptions& set_page_token(std::string token);
  /// At most so many; 0, the default, is the broker's maximum of 1000.
  DelayedOptions& set_max_messages(std::uint32_t messages);

  [[nodiscard]] const std::string& page_token() const { return page_token_; }
  [[nodiscard]] std::uint32_t max_messages() const { return max_messages_; }

 private:
  std::string page_token_;
  std::uint32_t max_messages_ = 0;
};

/// A message that is put off.
struct WEIR_API DelayedMessage {
  DelayedMessage();

  MessageId id;
  /// When it becomes ready.
  Timestamp due;
  /// When the broker took it, and the time that the sender gave it.
  Timestamp append_time;
  Timestamp timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

/// A part of what is put off, the next one that is due first.
struct WEIR_API DelayedPage {
  DelayedPage();

  std::vector<DelayedMessage> messages;
  /// Empty when this page is the last.
  std::string next_page_token;
};

}  // namespace weir
