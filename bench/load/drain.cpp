#include "bench/load/drain.hpp"

#include "bench/load/fill.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace weir::bench {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{1};
constexpr std::chrono::minutes kDrainPatience{10};
// A shallow queue is drained so often that it takes as long as a deep one.
constexpr std::uint64_t kDrainedAtLeast = 600'000;

}  // namespace

proto::Result<double> drain(const Subject& subject, const std::string& queue,
                            std::uint64_t messages) {
  proto::Result<Client> client = connect(subject.url());
  if (!client) {
    return client.error();
  }
  std::atomic<std::uint64_t> handled = 0;
  std::atomic<std::int64_t> first_ns = 0;
  const Result<QueueConsumer> consumer = client->subscribe(
      queue, ConsumerOptions(), [&handled, &first_ns, messages](Delivery delivery) {
        if (first_ns == 0) {
          first_ns = now_ns();
        }
        const std::uint64_t count = handled.fetch_add(1) + 1;
        if (count < messages) {
          delivery.ack();
        } else {
          delivery.ack([&handled](const Result<>&) { handled = UINT64_MAX; });
        }
      });
  if (!consumer) {
    return to_error(consumer.error());
  }
  const auto give_up = std::chrono::steady_clock::now() + kDrainPatience;
  while (handled != UINT64_MAX) {
    if (std::chrono::steady_clock::now() > give_up) {
      return proto::fail(proto::Errc::kDeadlineExceeded,
                         "only " + std::to_string(handled) + " messages came");
    }
    std::this_thread::sleep_for(kDrainPoll);
  }
  return static_cast<double>(now_ns() - first_ns) / 1e9;
}

proto::Result<> fill_and_drain(const Subject& subject, std::uint64_t depth,
                               std::size_t payload_bytes, const Traits& traits, Drained& drained) {
  while (drained.messages < kDrainedAtLeast) {
    proto::Result<Client> client = connect(subject.url());
    if (!client) {
      return client.error();
    }
    const std::string next = unique_name("shallow") + (traits.is_fifo() ? ".fifo" : "");
    if (auto filled = fill_queue(*client, next, depth, payload_bytes, traits); !filled) {
      return filled;
    }
    const proto::Result<double> seconds = drain(subject, next, depth);
    if (!seconds) {
      return seconds.error();
    }
    drained.seconds += *seconds;
    drained.messages += depth;
  }
  return {};
}

}  // namespace weir::bench
