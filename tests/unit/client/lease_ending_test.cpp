#include "tests/unit/client/client_fixture.hpp"
#include "weir/consumer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ClientTest;
using test::Latch;

class LeaseEndingTest : public ClientTest {};

/// Nobody extends the leases; told when 20 ms are left.
ConsumerOptions told_of_leases(std::vector<LeaseEnding>& told, Latch& latch) {
  ConsumerOptions options;
  options.set_max_hold(milliseconds(0))
      .set_lease_ending_handler(milliseconds(20), [&](const LeaseEnding& ending) {
        told.push_back(ending);
        latch.open();
      });
  return options;
}

TEST_F(LeaseEndingTest, IsToldOfWhatAHandlerKept) {
  std::vector<LeaseEnding> told;
  Latch latch;
  std::optional<Delivery> held;
  Client client = connect();
  const auto consumer = client.subscribe("q", told_of_leases(told, latch), [&](Delivery delivery) {
    if (delivery.body() == "kept") {
      held = std::move(delivery);
    } else {
      delivery.ack();
    }
  });
  ASSERT_TRUE(consumer.has_value());
  broker_.with([&] { broker_.deliver(1, {"done", "kept", "done"}, 0, /*lease_ms=*/40); });
  ASSERT_TRUE(latch.wait());
  client.close();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].queue, "q");
  EXPECT_EQ(told[0].handle, held->handle());
  EXPECT_EQ(told[0].offset, held->offset());
}

TEST_F(LeaseEndingTest, IsToldOfWhatNextGaveAndOfNothingElse) {
  std::vector<LeaseEnding> told;
  Latch latch;
  Client client = connect();
  auto consumer = client.subscribe("q", told_of_leases(told, latch));
  ASSERT_TRUE(consumer.has_value());
  broker_.with([&] { broker_.deliver(1, {"taken", "waits"}, 0, /*lease_ms=*/40); });
  const auto taken = consumer->next(seconds(20));
  ASSERT_TRUE(taken.has_value() && *taken);
  ASSERT_TRUE(latch.wait());
  consumer->close();
  client.close();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].handle, (*taken)->handle());
}

}  // namespace
}  // namespace weir::sdk
