#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir::bench {

/// What one run, or the median of several, has to say: names and figures in the order given.
class Report {
 public:
  explicit Report(std::string title) : title_(std::move(title)) {}

  /// `unit` ends the name in JSON ("confirm_p50_us").
  void add(std::string_view name, double value, std::string_view unit);
  void add(std::string_view name, std::string_view text);
  /// What was promised of the figure that was added last, and whether it was kept.
  void target(std::string_view promise, bool kept);

  /// The figure by its name, 0 when it is not there.
  [[nodiscard]] double value(std::string_view name) const;

  /// One JSON object without a newline.
  [[nodiscard]] std::string json() const;
  /// A block for people.
  [[nodiscard]] std::string text() const;

  /// Figure by figure the median; texts and targets are left out.
  [[nodiscard]] static Report median_of(std::string title, const std::vector<Report>& runs);

 private:
  struct Figure {
    std::string name;
    std::variant<double, std::string> value;
    std::string unit;
    std::string promise;
    bool kept = true;
  };

  std::string title_;
  std::vector<Figure> figures_;
};

/// Prints reports as they come, in one of the two forms.
class Printer {
 public:
  explicit Printer(bool json) : json_(json) {}
  void print(const Report& report) const;

 private:
  bool json_;
};

}  // namespace weir::bench
