// Sends numbered orders to a queue:
//
//     weir queue create orders
//     ./producer orders 1000          without a number: until SIGINT
//
// Many sends are under way at a time. Each is counted when the broker has it on disk.
#include "example.hpp"
#include "weir/weir.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <limits>
#include <string>

namespace {

constexpr std::size_t kMaxUnderWay = 1000;

struct Counts {
  std::uint64_t stored = 0;
  std::uint64_t not_stored = 0;
  std::uint64_t unknown = 0;
};

// The answers come in any order; the oldest is waited for.
void take_oldest(std::deque<weir::Future<weir::SendReceipt>>& under_way, Counts& counts) {
  const weir::Result<weir::SendReceipt> receipt = under_way.front().get();
  under_way.pop_front();
  if (receipt) {
    ++counts.stored;
    return;
  }
  // UNKNOWN_OUTCOME: it may have been stored all the same. Everything else: it was not.
  const bool is_unknown = receipt.error().code == weir::ErrorCode::kUnknownOutcome;
  ++(is_unknown ? counts.unknown : counts.not_stored);
  std::fprintf(stderr, "producer: %s\n", receipt.error().to_string().c_str());
}

Counts produce(const std::string& queue, std::uint64_t count, const std::stop_token& stop) {
  auto client = connect();
  auto producer = client.queue_producer(queue, weir::ProducerOptions()).value();

  Counts counts;
  std::deque<weir::Future<weir::SendReceipt>> under_way;
  for (std::uint64_t number = 1; number <= count && !stop.stop_requested(); ++number) {
    if (under_way.size() == kMaxUnderWay) {
      take_oldest(under_way, counts);
    }
    weir::Message order("order " + std::to_string(number));
    order.add_header("source", "example");
    under_way.push_back(producer.async_send(order));
  }
  while (!under_way.empty()) {
    take_oldest(under_way, counts);
  }
  return counts;
}

}  // namespace

int main(int argc, char** argv) {
  const std::stop_token stop = stop_on_signal();
  const std::string queue = argc > 1 ? argv[1] : "orders";
  const std::uint64_t count =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::numeric_limits<std::uint64_t>::max();
  try {
    const Counts counts = produce(queue, count, stop);
    std::printf("stored %llu, not stored %llu, unknown %llu\n",
                static_cast<unsigned long long>(counts.stored),
                static_cast<unsigned long long>(counts.not_stored),
                static_cast<unsigned long long>(counts.unknown));
    return counts.not_stored + counts.unknown == 0 ? 0 : 1;
  } catch (const std::exception& error) {  // value() of a Result that holds an error
    std::fprintf(stderr, "producer: %s\n", error.what());
    return 1;
  }
}
