#include "tests/faults/clock_jumps.hpp"

#include "tests/faults/hand_client.hpp"
#include "tests/integration/wire_client.hpp"

#include <array>
#include <chrono>
#include <ctime>
#include <vector>

namespace weir::faults {
namespace {

using Clock = std::chrono::steady_clock;
using proto::Errc;
using proto::fail;

constexpr std::int64_t kHourS = 3'600;
constexpr std::int64_t kTenYearsS = 10 * 365 * 24 * kHourS;
constexpr std::int64_t kSecondNs = 1'000'000'000;

constexpr std::int64_t kLeaseMs = 800;
/// Broker time may run 1 % faster or slower, and machines are slow at times.
constexpr std::int64_t kLeastMs = 780;
constexpr std::int64_t kMostMs = 3'000;

std::int64_t ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

}  // namespace

ClockRun::ClockRun(const std::string& binary, const std::filesystem::path& dir, ShimHandle& shim)
    : shim_(shim), broker_(binary, dir, shim.with({.flags = {"--drain-ms", "300"}})) {}

proto::Result<> ClockRun::run() {
  if (proto::Result<> ready = prepare(); !ready) {
    return ready;
  }
  const std::int64_t to_1970 = -static_cast<std::int64_t>(std::time(nullptr)) + kHourS;
  for (const std::int64_t shift : {kHourS, -kHourS, -kTenYearsS, to_1970, kTenYearsS, -kHourS}) {
    if (proto::Result<> jumped = jump(shift); !jumped) {
      return fail(Errc::kInternal,
                  "shifted by " + std::to_string(shift) + " s: " + jumped.error().to_string());
    }
    ++jumps_;
  }
  return broker_.stop();
}

proto::Result<> ClockRun::prepare() {
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  integration::WireClient client(broker_.port());
  client.hello();
  weir::v1::Request request;
  request.mutable_create_queue()->set_name("held");
  request.mutable_create_queue()->mutable_settings()->set_lease_ms(kLeaseMs);
  client.ask(request);
  request.mutable_create_topic()->set_name("events");
  client.ask(request);
  return publish();
}

proto::Result<> ClockRun::jump(std::int64_t shift_s) {
  if (proto::Result<> kept = check_leases(shift_s); !kept) {
    return kept;
  }
  if (proto::Result<> published = publish(); !published) {
    return published;
  }
  if (proto::Result<> killed = broker_.kill(); !killed) {
    return killed;
  }
  if (proto::Result<> started = broker_.start(); !started) {
    return started;
  }
  return publish();
}

// One lease is used after the jump, the other ends, neither sooner nor later.
proto::Result<> ClockRun::check_leases(std::int64_t shift_s) {
  integration::WireClient sender(broker_.port());
  sender.hello();
  const std::uint32_t alias = sender.attach_queue("held").attached().alias();
  HandClient holder;
  if (proto::Result<> opened = holder.open(broker_.port()); !opened) {
    return opened;
  }
  std::vector<HandClient::Message> held;
  Clock::time_point begin;
  for (const char* body : {"used", "left"}) {
    if (sender.send(alias, body).code != 0) {
      return fail(Errc::kInternal, "a send was refused");
    }
    begin = Clock::now();
    const auto got = holder.receive("held", 1, 5'000);
    if (!got || got->size() != 1 || got->front().body != body) {
      return fail(Errc::kInternal, "a message was not received");
    }
    held.push_back(got->front());
  }
  shim_.control().wall_shift_ns.store(shift_s * kSecondNs);
  if (proto::Result<> used = holder.ack(held[0].handle); !used) {
    return fail(Errc::kInternal, "a lease was shortened: " + used.error().to_string());
  }
  const auto again = holder.receive("held", 1, static_cast<std::uint32_t>(2 * kMostMs));
  const std::int64_t took = ms_since(begin);
  if (!again || again->size() != 1 || again->front().body != "left" || took < kLeastMs ||
      took > kMostMs) {
    return fail(Errc::kInternal,
                "a lease of " + std::to_string(kLeaseMs) + " ms took " + std::to_string(took));
  }
  return holder.ack(again->front().handle);
}

proto::Result<> ClockRun::publish() {
  integration::WireClient client(broker_.port());
  client.hello();
  weir::v1::Request request;
  request.mutable_attach()->set_topic("events");
  const proto::SentEntry sent = client.send(client.ask(request).attached().alias(), "event");
  if (sent.code != 0 || sent.base_offset != last_offset_ + 1 || sent.append_time < last_time_) {
    return fail(Errc::kInternal, "offset " + std::to_string(sent.base_offset) + " of time " +
                                     std::to_string(sent.append_time) + " after " +
                                     std::to_string(last_offset_) + " of " +
                                     std::to_string(last_time_));
  }
  last_offset_ = sent.base_offset;
  last_time_ = sent.append_time;
  return {};
}

}  // namespace weir::faults
