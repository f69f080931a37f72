#include "bench/load/report.hpp"

#include "bench/load/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace weir::bench {
namespace {

std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
    }
    json += static_cast<unsigned char>(c) < 0x20U ? ' ' : c;
  }
  json += '"';
  return json;
}

std::string number(double value) {
  char text[48];
  const double size = std::fabs(value);
  const int digits = value == std::floor(value) || size >= 1000 ? 0 : size >= 10 ? 1 : 3;
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

}  // namespace

void Report::add(std::string_view name, double value, std::string_view unit) {
  Figure& figure = figures_.emplace_back();
  figure.name = name;
  figure.value = value;
  figure.unit = unit;
}

void Report::add(std::string_view name, std::string_view text) {
  Figure& figure = figures_.emplace_back();
  figure.name = name;
  figure.value = std::string(text);
}

void Report::target(std::string_view promise, bool kept) {
  figures_.back().promise = promise;
  figures_.back().kept = kept;
}

double Report::value(std::string_view name) const {
  const auto found = std::ranges::find(figures_, name, &Figure::name);
  if (found == figures_.end() || !std::holds_alternative<double>(found->value)) {
    return 0;
  }
  return std::get<double>(found->value);
}

std::string Report::json() const {
  std::string line = "{\"report\":" + json_string(title_);
  for (const Figure& figure : figures_) {
    const std::string name =
        figure.unit.empty() || figure.unit == "x" ? figure.name : figure.name + "_" + figure.unit;
    line += "," + json_string(name) + ":";
    const double* value = std::get_if<double>(&figure.value);
    line += value != nullptr ? number(*value) : json_string(std::get<std::string>(figure.value));
    if (!figure.promise.empty()) {
      line += "," + json_string(name + "_kept") + ":" + (figure.kept ? "true" : "false");
    }
  }
  return line + "}";
}

std::string Report::text() const {
  std::string block = title_ + "\n";
  for (const Figure& figure : figures_) {
    const double* value = std::get_if<double>(&figure.value);
    const std::string shown =
        value != nullptr ? number(*value) + " " + figure.unit : std::get<std::string>(figure.value);
    char line[1024];
    std::snprintf(line, sizeof(line), "  %-34s %s", figure.name.c_str(), shown.c_str());
    block += line;
    if (!figure.promise.empty()) {
      block += "  (target " + figure.promise + ": " + (figure.kept ? "kept" : "MISSED") + ")";
    }
    block += "\n";
  }
  return block;
}

Report Report::median_of(std::string title, const std::vector<Report>& runs) {
  Report middle(std::move(title));
  if (runs.empty()) {
    return middle;
  }
  for (const Figure& figure : runs.front().figures_) {
    if (!std::holds_alternative<double>(figure.value)) {
      continue;
    }
    std::vector<double> values;
    for (const Report& run : runs) {
      values.push_back(run.value(figure.name));
    }
    middle.add(figure.name, median(std::move(values)), figure.unit);
  }
  return middle;
}

void Printer::print(const Report& report) const {
  std::fputs((json_ ? report.json() + "\n" : report.text()).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace weir::bench
