// Works off a queue with several threads, until SIGINT:
//
//     ./worker orders 4
//
// A message whose handler throws comes again later, and later each time. Its lease is kept alive
// while its handler runs, so that no other worker gets it.
#include "example.hpp"
#include "weir/weir.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

namespace {

// Runs on several threads at once.
void handle(const weir::Delivery& order) {
  if (order.body().empty()) {
    throw std::runtime_error("an order without a body");
  }
  std::printf("%s\n", std::string(order.body()).c_str());
  std::fflush(stdout);
}

void tell(const weir::Delivery& /*order*/, std::string_view reason) {
  std::fprintf(stderr, "worker: %s\n", std::string(reason).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  const std::string queue = argc > 1 ? argv[1] : "orders";
  const auto threads = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 4);
  try {
    auto client = connect();
    weir::WorkerPoolOptions options;
    options.set_concurrency(threads)
        .set_retry_backoff(std::chrono::seconds(1), std::chrono::minutes(1))
        .set_failure_handler(tell);
    auto workers = client.start_workers(queue, options, handle).value();
    wait_for(stop);
    workers.drain().value();  // finishes what was begun, and gives the rest to other workers
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker: %s\n", error.what());
    return 1;
  }
}
