#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

// How an event is written to the log: a text for a person, and what it is about for whoever
// searches. Pure.
namespace weir::logging {

/// What an event is about: `client`, `session`, `request`. Keys are our own words.
struct Field {
  std::string_view key;
  std::string value;
};

/// Text and fields as one string, which is what goes through the logging library; to_text() and
/// to_json() take it apart. Control characters in them become '?'.
std::string with_fields(std::string_view text, std::initializer_list<Field> fields);

/// One line, with its end: "2026-11-25T10:00:00.123Z info text key=value".
std::string to_text(std::int64_t time_ms, std::string_view level, std::string_view event);
/// One line, with its end: {"time":"2026-11-25T10:00:00.123Z","level":"info","message":"text",
/// "key":"value"}. Bytes that are no UTF-8 become U+FFFD.
std::string to_json(std::int64_t time_ms, std::string_view level, std::string_view event);

}  // namespace weir::logging
