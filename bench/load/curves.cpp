#include "bench/load/circulation.hpp"
#include "bench/load/workload.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir::bench {
namespace {

// As many bytes go round as a broker takes in without holding them back.
constexpr std::size_t kCurveBytes = std::size_t{16} << 20U;

// Each run has a broker of its own: the points of a curve do not depend on their order.
proto::Result<> run_point(const Options& options, const Printer& printer,
                          const CirculationShape& shape, const std::string& title) {
  std::vector<Report> runs;
  for (std::size_t run = 0; run < options.runs; ++run) {
    const proto::Result<Subject> subject = Subject::make(options);
    if (!subject) {
      return subject.error();
    }
    proto::Result<Report> report = run_circulation(*subject, shape, title);
    if (!report) {
      return report.error();
    }
    runs.push_back(std::move(*report));
  }
  printer.print(Report::median_of(title, runs));
  return {};
}

// From the shape of all curves where they meet, `put(point, shape)` makes that of a point.
template <class Put>
proto::Result<> run_curve(const Options& options, const Printer& printer, const std::string& name,
                          const std::vector<std::size_t>& points, Put put) {
  for (const std::size_t point : options.points.empty() ? points : options.points) {
    CirculationShape shape;
    shape.payload_bytes = options.payload_bytes;
    shape.messages = options.max_unacked;
    shape.seconds = options.seconds;
    put(point, shape);
    const std::string title = name + " " + std::to_string(point);
    if (proto::Result<> done = run_point(options, printer, shape, title); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace

proto::Result<> run_curve_payload(const Options& options, const Printer& printer) {
  return run_curve(options, printer, "curve-payload", {16, 100, 1'000, 10'000, 100'000, 1'000'000},
                   [](std::size_t bytes, CirculationShape& shape) {
                     shape.payload_bytes = bytes;
                     shape.messages =
                         std::clamp<std::size_t>(kCurveBytes / bytes, 4, shape.messages);
                   });
}

proto::Result<> run_curve_connections(const Options& options, const Printer& printer) {
  return run_curve(
      options, printer, "curve-connections", {1, 3, 10, 30, 100, 300, 1'000},
      [](std::size_t connections, CirculationShape& shape) { shape.connections = connections; });
}

proto::Result<> run_curve_queues(const Options& options, const Printer& printer) {
  return run_curve(options, printer, "curve-queues", {1, 10, 100, 1'000, 10'000},
                   [](std::size_t queues, CirculationShape& shape) {
                     // More than one, as one client would not have so many queues.
                     shape.connections = 10;
                     shape.queues = queues;
                   });
}

}  // namespace weir::bench
