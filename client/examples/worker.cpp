// Works off a queue with a pool of threads, until SIGINT:
//
//     ./worker orders 4
//
// A handler that returns acknowledges its message, one that throws has it handed out again after a
// pause. Leases are extended while handlers run, so that no other worker gets their messages.
#include "example.hpp"
#include "weir/weir.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

namespace {

// On the pool's threads, several at a time. It may take as long as it needs.
void handle(const weir::Delivery& order) {
  if (order.body().empty()) {
    throw std::runtime_error("an order without a body");
  }
  std::printf("%s\n", std::string(order.body()).c_str());
  std::fflush(stdout);
}

void tell_failure(const weir::Delivery& order, std::string_view reason) {
  std::fprintf(stderr, "worker: message %lld, attempt %u: %s\n",
               static_cast<long long>(order.offset()), order.attempt(),
               std::string(reason).c_str());
}

void work_off(const std::string& queue, std::uint32_t threads, const std::stop_token& stop) {
  auto client = connect();
  const auto options =
      weir::WorkerPoolOptions().set_concurrency(threads).set_failure_handler(tell_failure);
  auto pool = client.start_workers(queue, options, handle).value();
  wait_for(stop);
  // What was begun is handled and acknowledged, what waits is given back. While the broker is away
  // that takes the drain timeout, and says what is not confirmed.
  const weir::Result<> drained = pool.drain();
  if (!drained) {
    std::fprintf(stderr, "worker: %s\n", drained.error().to_string().c_str());
  }
  std::fprintf(stderr, "handled %llu\n", static_cast<unsigned long long>(pool.stats().acked));
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  try {
    work_off(argc > 1 ? argv[1] : "orders",
             argc > 2 ? static_cast<std::uint32_t>(std::atoi(argv[2])) : 4, stop);
    return 0;
  } catch (const std::exception& error) {  // value() of a Result that holds an error
    std::fprintf(stderr, "worker: %s\n", error.what());
    return 1;
  }
}
