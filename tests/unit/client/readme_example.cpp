#include "weir/client.hpp"

#include <string_view>

// The example of the repository's README.md, as it stands there: a test compares the lines.
namespace weir::readme {

void handle(std::string_view body);
void example();

void example() {
  // clang-format off
    auto client = weir::Client::connect(weir::ClientOptions("weir://127.0.0.1:7340")).value();
    auto producer = client.queue_producer("work", weir::ProducerOptions()).value();
    auto receipt = producer.send("hello");            // waits until it is on disk
    auto later = producer.async_send("hello");        // later.get(), later.then(…), or co_await it

    auto workers = client.start_workers("work", weir::WorkerPoolOptions().set_concurrency(8),
                                        [](const weir::Delivery& delivery) {
      handle(delivery.body());                        // returns: done; throws: handed out again
    }).value();
  // clang-format on
}

void handle(std::string_view) {}

}  // namespace weir::readme
