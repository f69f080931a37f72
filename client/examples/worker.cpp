// Works off a queue with several threads, until SIGINT:
//
//     ./worker orders 4
//
// A message whose handler throws comes again a second later. Its lease is extended while its
// handler runs, so that no other worker gets it.
#include "example.hpp"
#include "weir/weir.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

void handle(const weir::Delivery& order) {
  if (order.body().empty()) {
    throw std::runtime_error("an order without a body");
  }
  std::printf("%s\n", std::string(order.body()).c_str());
  std::fflush(stdout);
}

// One thread's part: false when the queue cannot be read.
bool work(weir::QueueConsumer consumer, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto delivery = consumer.next(stop);
    if (!delivery) {
      if (delivery.error().code == weir::ErrorCode::kCancelled) {
        break;
      }
      std::fprintf(stderr, "worker: %s\n", delivery.error().to_string().c_str());
      return false;
    }
    if (!*delivery) {
      continue;  // nothing came for a while
    }
    try {
      handle(**delivery);
      (*delivery)->ack();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "worker: %s\n", error.what());
      (*delivery)->nack(std::chrono::seconds(1));
    }
  }
  consumer.close();  // what waits in the library goes to other workers at once
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  const std::string queue = argc > 1 ? argv[1] : "orders";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 4;
  try {
    auto client = connect();
    const auto options = weir::ConsumerOptions().set_window_messages(10);
    std::atomic<int> failures = 0;
    std::vector<std::jthread> pool;
    for (int i = 0; i < threads; ++i) {
      pool.emplace_back([&failures, &stop, consumer = client.subscribe(queue, options).value()] {
        failures += work(consumer, stop) ? 0 : 1;
      });
    }
    pool.clear();    // waits for all of them
    client.close();  // waits for the last acknowledgements
    return failures == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker: %s\n", error.what());
    return 1;
  }
}
