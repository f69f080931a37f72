#include "broker/logging/log_line.hpp"

#include "proto/json_string.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>

namespace weir::logging {
namespace {

constexpr char kSeparator = '\x1f';

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
}

void append_printable(std::string_view text, std::string& out) {
  std::ranges::transform(text, std::back_inserter(out),
                         [](char c) { return is_control(c) ? '?' : c; });
}

std::string utc(std::int64_t time_ms) {
  using std::chrono::milliseconds;
  const std::chrono::sys_time<milliseconds> time{milliseconds(time_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<milliseconds> clock(time - day);
  char buffer[64];
  std::snprintf(
      buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return buffer;
}

// The parts of an event: its text, then "key=value" each.
template <class Use>
void for_each_part(std::string_view event, Use use) {
  while (true) {
    const std::size_t end = event.find(kSeparator);
    use(event.substr(0, end));
    if (end == std::string_view::npos) {
      return;
    }
    event.remove_prefix(end + 1);
  }
}

}  // namespace

std::string with_fields(std::string_view text, std::initializer_list<Field> fields) {
  std::string event;
  append_printable(text, event);
  for (const Field& field : fields) {
    event += kSeparator;
    event += field.key;
    event += '=';
    append_printable(field.value, event);
  }
  return event;
}

std::string to_text(std::int64_t time_ms, std::string_view level, std::string_view event) {
  std::string line = utc(time_ms) + " " + std::string(level);
  for_each_part(event, [&line](std::string_view part) {
    line += ' ';
    line += part;
  });
  return line + "\n";
}

std::string to_json(std::int64_t time_ms, std::string_view level, std::string_view event) {
  std::string line = R"({"time":")" + utc(time_ms) + R"(","level":")" + std::string(level) + '"';
  std::string_view key = "message";
  for_each_part(event, [&](std::string_view part) {
    if (key.empty()) {
      const std::size_t equals = part.find('=');
      key = part.substr(0, equals);
      part.remove_prefix(std::min(part.size(), key.size() + 1));
    }
    line += ',' + proto::json_string(key) + ':' + proto::json_string(part);
    key = {};
  });
  return line + "}\n";
}

}  // namespace weir::logging
