#pragma once

#include "tests/integration/broker_process.hpp"
#include "tests/unit/client/fake_broker.hpp"
#include "weir/client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::hostile {

/// The first errors that ended a client's sessions. Any thread.
class Disconnects {
 public:
  void add(const ClientEvent& event) {
    const std::lock_guard lock(mutex_);
    if (event.kind == ClientEvent::Kind::kLost && !first_) {
      first_ = event.error;
      happened_.notify_all();
    }
  }
  /// Why the first one ended; nullopt when none does as long as a test may hang.
  [[nodiscard]] std::optional<Error> first() {
    std::unique_lock lock(mutex_);
    happened_.wait_for(lock, std::chrono::seconds(20), [this] { return first_.has_value(); });
    return first_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable happened_;
  std::optional<Error> first_;
};

/// A broker that says what it must not, on one address, and the real one on the next. What a
/// client that meets both is asked for at the end is always the same: that it works.
class HostileBrokerTest : public testing::Test {
 protected:
  using Answer = sdk::test::FakeBroker::Answer;
  using Peer = sdk::test::FakeBroker::Peer;

  HostileBrokerTest() : good_(dir_.path(), integration::usual_flags(dir_.path() / "data")) {}
  void SetUp() override { ASSERT_TRUE(good_.wait_until_ready()) << good_.log(); }

  /// Of a client that knows the hostile broker alone.
  [[nodiscard]] ClientOptions alone() const { return quick(hostile_.address()); }
  /// Of a client that comes to the hostile broker first, and to the real one when it turns away.
  [[nodiscard]] ClientOptions with_good() const {
    return quick(hostile_.address() + ",127.0.0.1:" + std::to_string(good_.port()));
  }
  /// Of a client that knows the real broker alone.
  [[nodiscard]] ClientOptions good_alone() const {
    return quick("weir://127.0.0.1:" + std::to_string(good_.port()));
  }

  /// What the hostile broker says in place of its greeting.
  void greet_with(std::function<void(Peer&)> say) {
    hostile_.with([&] {
      hostile_.on_frame = [say = std::move(say)](Peer& peer, const proto::RawFrame& frame) {
        if (frame.type != proto::FrameType::kHello) {
          return Answer::kUsual;
        }
        say(peer);
        return Answer::kNothing;
      };
    });
  }
  /// The client and what it is connected to carry one message there and back.
  static void expect_works(Client& client, const std::string& queue) {
    const auto made = client.create_queue(queue, QueueSettings());
    ASSERT_TRUE(made) << made.error().to_string();
    auto producer = client.queue_producer(queue, ProducerOptions());
    ASSERT_TRUE(producer) << producer.error().to_string();
    const auto sent = producer->send(Message("it works"));
    ASSERT_TRUE(sent) << sent.error().to_string();
    auto got = client.receive(queue, ReceiveOptions().set_wait(std::chrono::seconds(10)));
    ASSERT_TRUE(got) << got.error().to_string();
    ASSERT_EQ(got->size(), 1U);
    EXPECT_EQ(got->front().body(), "it works");
    const auto acked = got->front().ack_and_wait(std::chrono::seconds(10));
    EXPECT_TRUE(acked) << acked.error().to_string();
  }

  integration::TempDir dir_;
  integration::BrokerProcess good_;
  sdk::test::FakeBroker hostile_;

 private:
  [[nodiscard]] static ClientOptions quick(std::string address) {
    ClientOptions options(std::move(address));
    options.set_reconnect_backoff(std::chrono::milliseconds(1), std::chrono::milliseconds(10));
    options.set_connect_timeout(std::chrono::seconds(5));
    return options;
  }
};

/// A frame of any type around any body.
inline std::string frame_of(std::uint8_t type, std::string_view body) {
  std::string bytes;
  proto::encode_frame(static_cast<proto::FrameType>(type), body, bytes);
  return bytes;
}
inline std::string frame_of(proto::FrameType type, std::string_view body) {
  return frame_of(static_cast<std::uint8_t>(type), body);
}
/// A frame whose length says what it likes.
inline std::string with_length(std::uint32_t length, std::string_view rest) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(length >> shift);
  }
  return bytes.append(rest);
}

}  // namespace weir::hostile
