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

std::vector<std::size_t> points_of(const Options& options, std::vector<std::size_t> all) {
  return options.points.empty() ? std::move(all) : options.points;
}

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

// The shape of all curves where they meet.
CirculationShape common_shape(const Options& options) {
  CirculationShape shape;
  shape.payload_bytes = options.payload_bytes;
  shape.messages = options.max_unacked;
  shape.seconds = options.seconds;
  return shape;
}

}  // namespace

proto::Result<> run_curve_payload(const Options& options, const Printer& printer) {
  for (const std::size_t bytes : points_of(options, {16, 100, 1'000, 10'000, 100'000, 1'000'000})) {
    CirculationShape shape = common_shape(options);
    shape.payload_bytes = bytes;
    shape.messages = std::clamp<std::size_t>(kCurveBytes / bytes, 4, shape.messages);
    const std::string title = "curve-payload " + std::to_string(bytes);
    if (proto::Result<> done = run_point(options, printer, shape, title); !done) {
      return done;
    }
  }
  return {};
}

proto::Result<> run_curve_connections(const Options& options, const Printer& printer) {
  for (const std::size_t connections : points_of(options, {1, 3, 10, 30, 100, 300, 1'000})) {
    CirculationShape shape = common_shape(options);
    shape.connections = connections;
    const std::string title = "curve-connections " + std::to_string(connections);
    if (proto::Result<> done = run_point(options, printer, shape, title); !done) {
      return done;
    }
  }
  return {};
}

proto::Result<> run_curve_queues(const Options& options, const Printer& printer) {
  // More than one, as one client would not have so many queues.
  constexpr std::size_t kConnections = 10;
  for (const std::size_t queues : points_of(options, {1, 10, 100, 1'000, 10'000})) {
    CirculationShape shape = common_shape(options);
    shape.connections = kConnections;
    shape.queues = queues;
    const std::string title = "curve-queues " + std::to_string(queues);
    if (proto::Result<> done = run_point(options, printer, shape, title); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace weir::bench
