#include "proto/names.hpp"

#include "proto/hex.hpp"

#include <algorithm>

namespace weir::proto {
namespace {

constexpr std::size_t kQueueNameMax = 80;
constexpr std::size_t kTopicNameMax = 249;
constexpr std::size_t kNamespaceNameMax = 63;
constexpr std::size_t kPrintableMax = 100;
constexpr std::string_view kFifoEnding = ".fifo";

// Not <cctype>: these must not depend on the locale.
bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool is_queue_character(char c) {
  return is_alphanumeric(c) || c == '_' || c == '-';
}

bool is_topic_character(char c) {
  return is_queue_character(c) || c == '.';
}

bool is_namespace_character(char c) {
  return is_lower_or_digit(c) || c == '-';
}

bool is_reserved(std::string_view name) {
  return name.starts_with("__") || name.starts_with("weir.");
}

Error invalid(std::string_view what, std::string_view name, std::string_view rule) {
  std::string message("'");
  message.append(printable(name)).append("' is no name of a ").append(what).append(": ");
  return fail(Errc::kInvalidName, message.append(rule));
}

Error reserved(std::string_view what, std::string_view name) {
  return invalid(what, name, "what begins with '__' or 'weir.' is reserved");
}

}  // namespace

Result<> check_queue_name(std::string_view name) {
  std::string_view stem = name;
  if (stem.ends_with(kFifoEnding)) {
    stem.remove_suffix(kFifoEnding.size());
  }
  if (stem.empty() || name.size() > kQueueNameMax ||
      !std::ranges::all_of(stem, is_queue_character)) {
    return invalid("queue", name, kQueueNameRule);
  }
  if (is_reserved(name)) {
    return reserved("queue", name);
  }
  return {};
}

bool is_fifo_name(std::string_view queue) {
  return queue.ends_with(kFifoEnding);
}

Result<> check_topic_name(std::string_view name) {
  if (name.empty() || name.size() > kTopicNameMax ||
      !std::ranges::all_of(name, is_topic_character) || name == "." || name == "..") {
    return invalid("topic", name, kTopicNameRule);
  }
  if (is_reserved(name)) {
    return reserved("topic", name);
  }
  return {};
}

Result<> check_namespace_name(std::string_view name) {
  if (name.empty() || name.size() > kNamespaceNameMax ||
      !std::ranges::all_of(name, is_namespace_character)) {
    return invalid("namespace", name, kNamespaceNameRule);
  }
  return {};
}

std::string printable(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte < 0x7f;
    if (text.size() + (plain ? 1 : 4) > kPrintableMax) {
      break;
    }
    if (plain) {
      text.push_back(c);
    } else {
      text.append("\\x");
      append_hex(text, byte, 2);
    }
  }
  return text;
}

}  // namespace weir::proto
