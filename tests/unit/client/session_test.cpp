#include "client/session/session.hpp"

#include "client/session/link.hpp"
#include "proto/frame/frames.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace weir::sdk {
namespace {

/// A connection whose other end never reads.
class FullLink final : public Link {
 public:
  void connect(const HostPort&) override {}
  void close() override {}
  bool flush() override { return false; }
  void read_on() override {}
};

TEST(Session, AnswersPingsOnceWhileTheAnswerCannotLeave) {
  const Clock clock;
  LinkEvents* events = nullptr;
  Link* link = nullptr;
  Session::Options options;
  options.link.hosts = {{"a", 1}};
  Session session(
      std::move(options),
      [&](LinkEvents& to) {
        auto made = std::make_unique<FullLink>();
        events = &to;
        link = made.get();
        return made;
      },
      clock);
  static_cast<void>(session.turn(clock.now()));
  events->on_connected();
  const std::uint64_t greeting = link->outbox().total_bytes();
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(events->on_frame({.type = proto::FrameType::kPing, .body = {}}));
  }
  std::string pong;
  proto::encode_frame(proto::FrameType::kPong, {}, pong);
  EXPECT_EQ(link->outbox().total_bytes(), greeting + pong.size());
  link->outbox().consume(greeting + pong.size());
  ASSERT_TRUE(events->on_frame({.type = proto::FrameType::kPing, .body = {}}));
  EXPECT_EQ(link->outbox().total_bytes(), greeting + 2 * pong.size());
}

}  // namespace
}  // namespace weir::sdk
