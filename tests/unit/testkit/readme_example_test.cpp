#include "weir/client.hpp"
#include "weir/testkit.hpp"

#include <gtest/gtest.h>

#include <chrono>

// The example of broker/testkit/README.md, as it stands there: a test compares the lines.
namespace weir::readme {

// clang-format off
    TEST(Work, ComesAgainWhenAWorkerHangs) {
      weir::testkit::Broker broker;
      auto client = weir::Client::connect(weir::ClientOptions(broker.url())).value();
      auto settings = weir::QueueSettings().set_lease(std::chrono::minutes(5));
      ASSERT_TRUE(client.create_queue("work", settings));
      ASSERT_TRUE(client.queue_producer("work", weir::ProducerOptions()).value().send("hello"));

      auto hung = client.receive("work", weir::ReceiveOptions()).value();
      broker.advance(std::chrono::minutes(5));        // of the broker's time: nobody waits
      auto again = client.receive("work", weir::ReceiveOptions()).value();
      ASSERT_EQ(again.size(), 1U);
      EXPECT_EQ(again[0].body(), "hello");
      EXPECT_EQ(again[0].attempt(), 2U);
    }
// clang-format on

}  // namespace weir::readme
