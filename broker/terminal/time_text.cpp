#include "broker/terminal/time_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace weir::terminal {

std::string time_text(std::int64_t ms) {
  namespace chr = std::chrono;
  constexpr chr::sys_time<chr::milliseconds> kFirst =
      chr::sys_days(chr::year{0} / chr::January / 1);
  constexpr chr::sys_time<chr::milliseconds> kEnd =
      chr::sys_days(chr::year{10'000} / chr::January / 1);
  const chr::sys_time<chr::milliseconds> time{chr::milliseconds(ms)};
  if (time < kFirst || time >= kEnd) {
    return std::to_string(ms) + " ms";
  }
  const auto day = chr::floor<chr::days>(time);
  const chr::year_month_day date(day);
  const chr::hh_mm_ss clock(time - day);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

std::string age_text(std::chrono::milliseconds age) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  constexpr std::array kUnits = {Unit{"d", 86'400}, Unit{"h", 3'600}, Unit{"m", 60}, Unit{"s", 1}};
  std::int64_t left = std::max<std::int64_t>(age.count() / 1'000, 0);
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (left >= kUnits[i].seconds) {
      std::string text = std::to_string(left / kUnits[i].seconds) + std::string(kUnits[i].name);
      left %= kUnits[i].seconds;
      if (i + 1 < kUnits.size() && left >= kUnits[i + 1].seconds) {
        text +=
            " " + std::to_string(left / kUnits[i + 1].seconds) + std::string(kUnits[i + 1].name);
      }
      return text;
    }
  }
  return "0s";
}

}  // namespace weir::terminal
