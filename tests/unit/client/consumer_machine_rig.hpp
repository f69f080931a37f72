#pragma once

#include "client/core/consumer_machine.hpp"
#include "tests/unit/client/fake_broker.hpp"
#include "tests/unit/client/start_time.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A consumer's machine, with every grant and settlement in the test's hand.
namespace weir::sdk {

/// Takes settlements straight to a machine.
class MachineSink : public SettleSink {
 public:
  explicit MachineSink(ConsumerMachine& machine) : machine_(machine) {}
  void settle(Grant& grant, std::uint32_t index, SettleWord word,
              SettleCallback callback) override {
    machine_.settle(grant, index, word, std::move(callback));
  }
  Result<> ack_and_wait(Grant&, std::uint32_t, std::chrono::milliseconds) override { return {}; }
  [[nodiscard]] const std::string& queue() const override { return queue_; }
  [[nodiscard]] std::int64_t wall_ms() const override { return 0; }
  void on_grant_made() override { ++grants; }
  void on_grant_gone() noexcept override { --grants; }

  int grants = 0;

 private:
  ConsumerMachine& machine_;
  std::string queue_ = "q";
};

class ConsumerMachineTest : public testing::Test {
 protected:
  explicit ConsumerMachineTest(bool is_fifo = false)
      : machine_(std::chrono::seconds(300), is_fifo) {}
  std::shared_ptr<Grant> grant(std::uint64_t id, const std::vector<std::string>& texts,
                               std::uint16_t attempts = 0, std::uint32_t lease_ms = 30'000) {
    const std::string records = test::FakeBroker::records(texts);
    proto::Deliver frame;
    frame.first_index = 2;
    frame.count = static_cast<std::uint32_t>(texts.size());
    frame.span = frame.count;
    frame.attempts = frame.failures = frame.losses = attempts;
    frame.lease_ms = lease_ms;
    frame.records = records;
    return made(id, frame);
  }
  /// Of messages at these places, each saying its own, with what is between them left out.
  std::shared_ptr<Grant> sparse(std::uint64_t id, const std::vector<std::uint32_t>& indexes) {
    std::vector<std::string> texts;
    for (std::uint32_t i = 0; i <= indexes.back(); ++i) {
      texts.push_back(std::to_string(i));
    }
    const std::string all = test::FakeBroker::records(texts);
    std::string_view rest = all;
    std::string records;
    for (std::uint32_t i = 0; i <= indexes.back(); ++i) {
      const std::size_t bytes = proto::decode_record(rest).value().bytes;
      records += std::ranges::find(indexes, i) != indexes.end() ? rest.substr(0, bytes)
                                                                : std::string_view();
      rest.remove_prefix(bytes);
    }
    proto::Deliver frame;
    frame.first_index = indexes.front();
    frame.span = indexes.back() - indexes.front() + 1;
    frame.count = static_cast<std::uint32_t>(indexes.size());
    frame.attempts = frame.failures = 1;
    frame.lease_ms = 30'000;
    frame.records = records;
    return made(id, frame);
  }
  static std::vector<std::string> many(std::size_t count) {
    return std::vector<std::string>(count, "x");
  }
  /// The ranges to be sent, as "kind grant first+count".
  std::vector<std::string> said() { return to_text(machine_.take_settlements().ranges); }
  /// The same, and the broker has answered them.
  std::vector<std::string> answer_all() {
    const std::vector<proto::SettleRange> ranges = machine_.take_settlements().ranges;
    machine_.on_answered(ranges);
    return to_text(ranges);
  }
  static std::vector<std::string> to_text(const std::vector<proto::SettleRange>& ranges) {
    std::vector<std::string> said;
    for (const proto::SettleRange& range : ranges) {
      constexpr std::array<const char*, 6> kNames = {"",        "ack",    "nack",
                                                     "release", "extend", "started"};
      said.push_back(std::string(kNames[static_cast<std::size_t>(range.kind)]) + " " +
                     std::to_string(range.grant.value) + " " + std::to_string(range.first_index) +
                     "+" + std::to_string(range.count));
    }
    return said;
  }
  Delivery begin_one(TimePoint now = kStart) {
    const auto chunk = machine_.begin_chunk(now, true);
    EXPECT_EQ(chunk->count, 1U);
    proto::Result<Delivery> delivery = chunk->grant->next();
    Taken<Delivery>::mark(*delivery);
    return std::move(*delivery);
  }

  std::shared_ptr<Grant> made(std::uint64_t id, proto::Deliver frame) {
    frame.grant = proto::GrantId(id);
    frame.nonce = id + 1'000;
    frame.base_offset = static_cast<proto::Offset>(100 * id);
    frame.base_timestamp = 1'000;
    GrantOrigin origin;
    origin.incarnation = 9;
    origin.epoch = 3;
    origin.queue = 77;
    origin.generation = 1;
    auto grant = std::make_shared<Grant>(frame, origin, sink_);
    EXPECT_TRUE(grant->read_indexes());
    return grant;
  }

  ConsumerMachine machine_;
  std::shared_ptr<MachineSink> sink_ = std::make_shared<MachineSink>(machine_);
};

}  // namespace weir::sdk
