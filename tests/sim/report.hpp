#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

/// How often each thing happened: operations, classes of replies, faults, checks. A run that never
/// met a case has not tested it, so the report names what must occur.
class Report {
 public:
  void count(std::string_view cell, std::uint64_t times = 1);
  void merge(const Report& other);
  void print(std::ostream& out) const;
  /// Cells that must occur in a campaign and did not.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  std::map<std::string, std::uint64_t, std::less<>> cells_;
};

}  // namespace weir::sim
