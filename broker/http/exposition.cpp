#include "broker/http/exposition.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <cstddef>
#include <limits>

namespace weir::http {

void Exposition::begin(std::string_view name, std::string_view help, prometheus::MetricType type) {
  prometheus::MetricFamily& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.type = type;
}

void Exposition::begin_gauge(std::string_view name, std::string_view help) {
  begin(name, help, prometheus::MetricType::Gauge);
}

void Exposition::begin_counter(std::string_view name, std::string_view help) {
  begin(name, help, prometheus::MetricType::Counter);
}

void Exposition::add(double value, const Labels& labels) {
  prometheus::ClientMetric& metric = add_metric(labels);
  if (families_.back().type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

void Exposition::gauge(std::string_view name, std::string_view help, double value) {
  begin_gauge(name, help);
  add(value);
}

void Exposition::counter(std::string_view name, std::string_view help, double value) {
  begin_counter(name, help);
  add(value);
}

void Exposition::histogram(std::string_view name, std::string_view help,
                           const LatencyHistogram::Snapshot& from) {
  begin(name, help, prometheus::MetricType::Histogram);
  prometheus::ClientMetric::Histogram& to = add_metric({}).histogram;
  to.sample_count = from.count;
  to.sample_sum = from.sum_seconds;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < from.buckets.size(); ++i) {
    cumulative += from.buckets[i];
    const double bound = i < LatencyHistogram::kBounds.size()
                             ? LatencyHistogram::kBounds[i]
                             : std::numeric_limits<double>::infinity();
    to.bucket.push_back({cumulative, bound});
  }
}

std::string Exposition::text() const {
  return prometheus::TextSerializer().Serialize(families_);
}

prometheus::ClientMetric& Exposition::add_metric(const Labels& labels) {
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  for (const auto& [name, value] : labels) {
    metric.label.push_back({std::string(name), std::string(value)});
  }
  return metric;
}

}  // namespace weir::http
