#include "broker/cli/time_spec.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <string>
#include <utility>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;

// Leaves room for sums: far beyond every calendar that matters.
constexpr std::int64_t kMaxMilliseconds = std::numeric_limits<std::int64_t>::max() / 4;

Error bad(std::string_view text, std::string_view expected) {
  std::string message = "'";
  message += text;
  message += "' is not ";
  message += expected;
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Error bad_time(std::string_view text) {
  return bad(text,
             "a time: write RFC 3339 with a zone (2026-05-01T12:00:00Z), milliseconds since 1970, "
             "or how long ago (-1h30m)");
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  // from_chars takes a minus sign, which no number here has.
  if (error != std::errc() || stop != end || text.front() == '-') {
    return std::nullopt;
  }
  return number;
}

// Cuts pieces off the front of a text; after the first mismatch everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
  [[nodiscard]] bool sees(char letter) const { return ok_ && rest_.starts_with(letter); }

  void expect(std::string_view one_of) {
    if (!ok_ || rest_.empty() || one_of.find(rest_.front()) == std::string_view::npos) {
      ok_ = false;
      return;
    }
    last_ = rest_.front();
    rest_.remove_prefix(1);
  }
  [[nodiscard]] char last() const { return last_; }

  std::int64_t digits(std::size_t count) {
    std::int64_t number = 0;
    for (std::size_t i = 0; i < count && ok_; ++i) {
      expect("0123456789");
      number = number * 10 + (last_ - '0');
    }
    return number;
  }

  // Digits after a point, of which three count.
  std::int64_t fraction_ms() {
    std::int64_t number = 0;
    std::int64_t weight = 100;
    do {
      number += digits(1) * weight;
      weight /= 10;
    } while (ok_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9');
    return number;
  }

 private:
  std::string_view rest_;
  char last_ = 0;
  bool ok_ = true;
};

std::optional<std::chrono::minutes> zone(Scanner& scan) {
  scan.expect("Zz+-");
  if (!scan.ok() || scan.last() == 'Z' || scan.last() == 'z') {
    return std::chrono::minutes{0};
  }
  const bool is_west = scan.last() == '-';
  const std::int64_t hours = scan.digits(2);
  scan.expect(":");
  const std::int64_t minutes = scan.digits(2);
  if (hours > 23 || minutes > 59) {
    return std::nullopt;
  }
  const std::chrono::minutes ahead(hours * 60 + minutes);
  return is_west ? -ahead : ahead;
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  using std::chrono::day;
  using std::chrono::month;
  using std::chrono::year;
  Scanner scan(text);
  const auto y = static_cast<int>(scan.digits(4));
  scan.expect("-");
  const auto m = static_cast<unsigned>(scan.digits(2));
  scan.expect("-");
  const auto d = static_cast<unsigned>(scan.digits(2));
  scan.expect("Tt ");
  const std::int64_t hour = scan.digits(2);
  scan.expect(":");
  const std::int64_t minute = scan.digits(2);
  scan.expect(":");
  const std::int64_t second = scan.digits(2);
  std::int64_t fraction = 0;
  if (scan.sees('.')) {
    scan.expect(".");
    fraction = scan.fraction_ms();
  }
  const std::optional<std::chrono::minutes> ahead = zone(scan);
  const std::chrono::year_month_day date(year{y}, month{m}, day{d});
  // A 60th second exists in UTC; like everywhere else it counts as the next minute's first.
  if (!scan.done() || !ahead || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + milliseconds(fraction) - *ahead;
}

std::optional<std::int64_t> unit_ms(std::string_view unit) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  for (const auto& [name, factor] : kUnits) {
    if (name == unit) {
      return factor;
    }
  }
  return std::nullopt;
}

// "1h30m" in milliseconds.
std::optional<std::int64_t> parse_span(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  std::int64_t total = 0;
  while (!text.empty()) {
    const std::size_t number_size = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::size_t end = std::min(text.find_first_of("0123456789", number_size), text.size());
    if (number_size == 0) {
      return std::nullopt;
    }
    const std::optional<std::int64_t> count = whole_number(text.substr(0, number_size));
    const std::optional<std::int64_t> factor = unit_ms(text.substr(number_size, end - number_size));
    if (!count || !factor || *count > kMaxMilliseconds / *factor ||
        *count * *factor > kMaxMilliseconds - total) {
      return std::nullopt;
    }
    total += *count * *factor;
    text.remove_prefix(end);
  }
  return total;
}

}  // namespace

Result<Timestamp> parse_time(std::string_view text, Timestamp now) {
  if (text.starts_with('-')) {
    if (const std::optional<std::int64_t> ago = parse_span(text.substr(1))) {
      return now - milliseconds(*ago);
    }
    return bad_time(text);
  }
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    const std::optional<std::int64_t> number = whole_number(text);
    if (number && *number <= kMaxMilliseconds) {
      return Timestamp(milliseconds(*number));
    }
    return bad_time(text);
  }
  if (const std::optional<Timestamp> time = parse_rfc3339(text)) {
    return *time;
  }
  return bad_time(text);
}

Result<StartPosition> parse_from(std::string_view text, Timestamp now) {
  if (text == "start") {
    return StartPosition::start();
  }
  if (text == "end") {
    return StartPosition::end();
  }
  if (text.starts_with('@')) {
    Result<Timestamp> time = parse_time(text.substr(1), now);
    if (!time) {
      return std::move(time).error();
    }
    return StartPosition::time(*time);
  }
  if (const std::optional<std::int64_t> offset = text.empty() ? std::nullopt : whole_number(text)) {
    return StartPosition::offset(*offset);
  }
  std::string expected = "a place to start from: start, end, an offset, or @TIME";
  if (parse_time(text, now)) {
    expected.append("; write @").append(text).append(" for that time");
  }
  return bad(text, expected);
}

Result<StopPosition> parse_to(std::string_view text) {
  if (text == "end") {
    return StopPosition{};
  }
  if (const std::optional<std::int64_t> offset = text.empty() ? std::nullopt : whole_number(text)) {
    return StopPosition{.offset = offset};
  }
  return bad(text, "a place to stop at: end, or an offset (which is not shown itself)");
}

}  // namespace weir::cli
