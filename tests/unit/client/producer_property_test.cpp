#include "client/core/random.hpp"
#include "tests/unit/client/producer_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

// A producer against a broker that keeps Kafka's rules, with everything that can go wrong between
// them, in an order drawn from a seed. Whatever happens: each message is answered once, what is
// confirmed lies in the log once, what is reported as not stored does not lie there, nothing lies
// there twice, and each partition has the order of the sends.
namespace weir::sdk::test {
namespace {

using std::chrono::milliseconds;

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed) {}

  void run() {
    rig_.connect();
    for (int step = 0; step < 600; ++step) {
      act();
      rig_.turn();
    }
    settle_down();
  }

  void check(std::uint64_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::map<std::string, int> stored;
    for (const auto& [partition, log] : rig_.broker.logs) {
      for (const std::string& text : log) {
        ++stored[text];
      }
      // Names of one partition rise with the order of the sends.
      EXPECT_TRUE(std::ranges::is_sorted(log)) << "partition " << partition;
    }
    for (const std::string& text : sent_) {
      const std::string outcome = rig_.outcome(text);
      EXPECT_LE(stored[text], 1) << text;
      if (outcome == "ok") {
        EXPECT_EQ(stored[text], 1) << text;
        const SendReceipt& receipt = rig_.receipt(text);
        EXPECT_EQ(rig_.broker.logs[receipt.partition].at(static_cast<std::size_t>(receipt.offset)),
                  text);
      } else if (outcome != "UNKNOWN_OUTCOME") {
        EXPECT_EQ(stored[text], 0) << text << ' ' << outcome;
        EXPECT_NE(outcome, "-") << text;
        EXPECT_NE(outcome, "twice") << text;
      }
    }
    EXPECT_EQ(unexpected_gaps_, 0);
    EXPECT_EQ(rig_.buffered_messages, 0U);
    EXPECT_EQ(rig_.buffered_bytes, 0U);
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_.next() % limit; }

  void act() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const auto partition = static_cast<std::uint32_t>(below(3));
        std::string text = "000000" + std::to_string(sent_.size());
        text = text.substr(text.size() - 6);
        sent_.push_back(text);
        rig_.say(text, partition, milliseconds(200 + below(3'000)));
        break;
      }
      case 4:
      case 5:
      case 6:
      case 7:
        answer();
        break;
      case 8:
        refuse();
        break;
      case 9:
        rig_.now += milliseconds(below(150));
        break;
      case 10:
        if (below(4) == 0) {
          lose_connection();
        }
        break;
      case 11:
        rig_.grant_requests();
        break;
      default:
        break;
    }
  }

  void answer() {
    if (rig_.wire.empty()) {
      return;
    }
    const std::uint32_t partition = rig_.wire.front().partition;
    const std::uint64_t gaps = rig_.broker.out_of_order;
    rig_.answer();
    // A gap is the broker's word only behind a batch that it refused on this connection.
    if (rig_.broker.out_of_order != gaps && !refused_[partition]) {
      ++unexpected_gaps_;
    }
  }

  void refuse() {
    if (rig_.wire.empty()) {
      return;
    }
    refused_[rig_.wire.front().partition] = true;
    switch (below(4)) {
      case 0:
        rig_.refuse(proto::Errc::kInvalidArgument);
        break;
      case 1:
        rig_.refuse(proto::Errc::kOverloaded, static_cast<std::uint32_t>(below(300)));
        break;
      default:
        rig_.refuse(proto::Errc::kQueueFull);
        break;
    }
  }

  void lose_connection() {
    // Some of what was on its way is stored, and nobody learns of it.
    while (!rig_.wire.empty() && below(3) != 0) {
      rig_.broker.append(rig_.wire.front().partition, *rig_.wire.front().batch);
      rig_.wire.pop_front();
    }
    rig_.disconnect();
    rig_.now += milliseconds(below(400));
    rig_.turn();
    rig_.connect();
  }

  // The storm is over: everything is answered, or its time runs out.
  void settle_down() {
    for (int i = 0; i < 2'000 && (rig_.buffered_messages != 0 || rig_.buffered_bytes != 0); ++i) {
      rig_.grant_requests();
      rig_.now += milliseconds(10);
      rig_.answer_all();
    }
  }

  Random random_;
  ProducerRig rig_;
  std::vector<std::string> sent_;
  std::map<std::uint32_t, bool> refused_;
  int unexpected_gaps_ = 0;
};

TEST(ProducerProperty, NeitherLosesNorDoublesNorReorders) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Chaos chaos(seed);
    chaos.run();
    chaos.check(seed);
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace weir::sdk::test
