#pragma once

#include "tests/sim/coverage.hpp"

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// What runs have met: the coverage of operations, outcomes and faults; marks beside it for
/// branches that are rare and no answer tells (a dead letter, a batch paged in); and extremes.
class Report {
 public:
  void count(std::string_view mark, std::uint64_t times = 1);
  void highest(std::string_view name, std::uint64_t value);
  Coverage& coverage() { return coverage_; }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }

  void merge(const Report& other);
  void print(std::ostream& out) const;
  /// Marks that must occur in a campaign and did not.
  [[nodiscard]] std::vector<std::string> missing() const;

  /// One line each: "mark NUMBER NAME", "highest NUMBER NAME", "cell NUMBER NAME".
  void save(std::ostream& out) const;
  /// Adds what save() wrote on one line; false where it is not of this form.
  bool load(const std::string& line);

 private:
  using Numbers = std::map<std::string, std::uint64_t, std::less<>>;
  static std::uint64_t& entry(Numbers& numbers, std::string_view name);
  Numbers marks_;
  Numbers highest_;
  Coverage coverage_;
};

}  // namespace weir::sim
