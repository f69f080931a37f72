#include "client/core/link_machine.hpp"

#include "tests/unit/client/start_time.hpp"

#include <gtest/gtest.h>

namespace weir::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = LinkMachine::Action::Kind;
using State = LinkMachine::State;

LinkMachine link_to(std::vector<HostPort> hosts) {
  LinkMachine::Options options;
  options.hosts = std::move(hosts);
  options.connect_timeout = milliseconds(500);
  options.welcome_timeout = seconds(5);
  options.first_backoff = milliseconds(100);
  options.longest_backoff = seconds(5);
  return LinkMachine(std::move(options), 1, kStart);
}

proto::Error refused() {
  return proto::make_error(proto::Errc::kConnectFailed, "refused");
}

void bring_up(LinkMachine& link, TimePoint now) {
  ASSERT_EQ(link.tick(now).kind, Kind::kConnect);
  link.on_connected(now);
  link.on_welcome(seconds(10), seconds(30), now);
}

TEST(LinkMachine, ConnectsAtOnce) {
  LinkMachine link = link_to({{"a", 1}});
  EXPECT_EQ(link.next_deadline(), kStart);
  EXPECT_EQ(link.tick(kStart).kind, Kind::kConnect);
  EXPECT_EQ(link.state(), State::kConnecting);
  EXPECT_EQ(link.tick(kStart).kind, Kind::kNone);
}

TEST(LinkMachine, GivesUpAHostThatDoesNotTakeTheConnection) {
  LinkMachine link = link_to({{"a", 1}});
  static_cast<void>(link.tick(kStart));
  EXPECT_EQ(link.next_deadline(), kStart + milliseconds(500));
  const auto action = link.tick(kStart + milliseconds(500));
  EXPECT_EQ(action.kind, Kind::kDrop);
  EXPECT_EQ(action.why.code, proto::Errc::kConnectFailed);
}

TEST(LinkMachine, GivesUpAHostThatDoesNotGreet) {
  LinkMachine link = link_to({{"a", 1}});
  static_cast<void>(link.tick(kStart));
  link.on_connected(kStart);
  EXPECT_EQ(link.tick(kStart + milliseconds(4'999)).kind, Kind::kNone);
  EXPECT_EQ(link.tick(kStart + seconds(5)).kind, Kind::kDrop);
}

TEST(LinkMachine, TriesEachHostOnceBeforeItPauses) {
  LinkMachine link = link_to({{"a", 1}, {"b", 2}, {"c", 3}});
  for (const char* host : {"a", "b", "c"}) {
    EXPECT_FALSE(link.tried_all());
    EXPECT_EQ(link.host().host, host);
    ASSERT_EQ(link.tick(kStart).kind, Kind::kConnect);
    link.on_lost(refused(), kStart);
  }
  EXPECT_TRUE(link.tried_all());
  EXPECT_EQ(link.failure()->code, proto::Errc::kConnectFailed);
  EXPECT_EQ(link.host().host, "a");
  EXPECT_EQ(link.tick(kStart).kind, Kind::kNone);
  EXPECT_GE(*link.next_deadline(), kStart + milliseconds(50));
  EXPECT_LE(*link.next_deadline(), kStart + milliseconds(100));
  EXPECT_EQ(link.tick(kStart + milliseconds(100)).kind, Kind::kConnect);
}

TEST(LinkMachine, PausesLongerEachRound) {
  LinkMachine link = link_to({{"a", 1}});
  TimePoint now = kStart;
  Duration before{};
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(link.tick(now).kind, Kind::kConnect);
    link.on_lost(refused(), now);
    const Duration pause = *link.next_deadline() - now;
    EXPECT_GE(pause, before);
    before = pause;
    now += pause;
  }
  EXPECT_GE(before, milliseconds(400));
}

TEST(LinkMachine, TurnsToTheNextHostWhenASessionEnds) {
  LinkMachine link = link_to({{"a", 1}, {"b", 2}});
  bring_up(link, kStart);
  EXPECT_EQ(link.state(), State::kUp);
  EXPECT_FALSE(link.failure().has_value());
  link.on_lost(refused(), kStart + seconds(1));
  EXPECT_EQ(link.host().host, "b");
  EXPECT_EQ(link.tick(kStart + seconds(1)).kind, Kind::kNone);
}

TEST(LinkMachine, HurriesOnlyAfterASessionThatLasted) {
  LinkMachine link = link_to({{"a", 1}});
  TimePoint now = kStart;
  for (int i = 0; i < 5; ++i) {
    bring_up(link, now);
    link.on_lost(refused(), now);
    now = *link.next_deadline();
  }
  bring_up(link, now);
  link.on_lost(refused(), now);
  EXPECT_GE(*link.next_deadline() - now, milliseconds(1'000));
  for (const Duration too_short : {milliseconds(900), milliseconds(0)}) {
    now = *link.next_deadline();
    bring_up(link, now);
    now += too_short;
    link.on_lost(refused(), now);
    EXPECT_GE(*link.next_deadline() - now, milliseconds(1'000));
  }
  // Longer than the pause in front of it.
  const Duration pause = *link.next_deadline() - now;
  now += pause;
  bring_up(link, now);
  now += pause + milliseconds(1);
  link.on_lost(refused(), now);
  EXPECT_LE(*link.next_deadline() - now, milliseconds(100));
}

TEST(LinkMachine, PingsAndNoticesSilence) {
  LinkMachine link = link_to({{"a", 1}});
  bring_up(link, kStart);
  EXPECT_EQ(link.tick(kStart + seconds(10)).kind, Kind::kPing);
  link.on_bytes(kStart + seconds(10));
  EXPECT_EQ(link.tick(kStart + seconds(20)).kind, Kind::kPing);
  EXPECT_EQ(link.tick(kStart + seconds(30)).kind, Kind::kPing);
  EXPECT_EQ(link.tick(kStart + seconds(40)).kind, Kind::kDrop);
}

TEST(LinkMachine, LeavesADrainingBrokerInTime) {
  LinkMachine link = link_to({{"a", 1}});
  bring_up(link, kStart);
  EXPECT_FALSE(link.may_leave());
  link.on_draining(seconds(3), kStart);
  EXPECT_TRUE(link.may_leave());
  EXPECT_EQ(link.tick(kStart + seconds(2)).kind, Kind::kNone);
  EXPECT_EQ(link.tick(kStart + seconds(3)).kind, Kind::kDrop);
}

TEST(LinkMachine, LeavesABrokerThatWantsToDrainForEver) {
  LinkMachine link = link_to({{"a", 1}});
  bring_up(link, kStart);
  link.on_draining(milliseconds(UINT32_MAX), kStart);
  const TimePoint end = kStart + std::chrono::minutes(10);
  link.on_bytes(end - seconds(1));
  EXPECT_NE(link.tick(end - seconds(1)).kind, Kind::kDrop);
  EXPECT_EQ(link.tick(end).kind, Kind::kDrop);
}

TEST(LinkMachine, DoesNothingOnceStopped) {
  LinkMachine link = link_to({{"a", 1}});
  bring_up(link, kStart);
  link.stop();
  link.on_lost(refused(), kStart);
  EXPECT_EQ(link.tick(kStart + seconds(100)).kind, Kind::kNone);
  EXPECT_FALSE(link.next_deadline().has_value());
}

}  // namespace
}  // namespace weir::sdk
