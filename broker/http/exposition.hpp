#pragma once

#include "broker/http/latency_histogram.hpp"

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

/// A metrics page in the making: families in the order in which they were begun.
class Exposition {
 public:
  void begin_gauge(std::string_view name, std::string_view help);
  void begin_counter(std::string_view name, std::string_view help);
  /// One value of the family that was begun last.
  void add(double value, const Labels& labels = {});
  void add(std::uint64_t value, const Labels& labels = {}) {
    add(static_cast<double>(value), labels);
  }

  /// Families of one value.
  void gauge(std::string_view name, std::string_view help, double value);
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    gauge(name, help, static_cast<double>(value));
  }
  void counter(std::string_view name, std::string_view help, double value);
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    counter(name, help, static_cast<double>(value));
  }
  void histogram(std::string_view name, std::string_view help,
                 const LatencyHistogram::Snapshot& from);

  /// The page in the Prometheus text format, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  void begin(std::string_view name, std::string_view help, prometheus::MetricType type);
  prometheus::ClientMetric& add_metric(const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace weir::http
