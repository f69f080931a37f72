#include "client/core/grant.hpp"
#include "proto/batch/record_batch.hpp"
#include "proto/settlement.hpp"
#include "weir/consumer.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace weir {
namespace {

constexpr std::string_view kIdHeader = "weir.id";

// What is longer than anything allowed stays so, and the broker refuses it.
std::uint32_t whole_ms(std::chrono::milliseconds duration) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(duration.count(), 0, proto::kDelayByPolicy - 1));
}

}  // namespace

namespace sdk {

SettleWord to_word(const Outcome& outcome) {
  using proto::SettleKind;
  const bool has_policy =
      outcome.kind() == Outcome::Kind::kNack || outcome.kind() == Outcome::Kind::kTransient;
  const std::uint32_t otherwise = has_policy ? proto::kDelayByPolicy : 0;
  SettleWord word;
  word.value = outcome.delay() ? whole_ms(*outcome.delay()) : otherwise;
  word.reason = proto::reason_of(outcome.reason());
  switch (outcome.kind()) {
    case Outcome::Kind::kAck:
      break;
    case Outcome::Kind::kNack:
      word.kind = SettleKind::kNack;
      break;
    case Outcome::Kind::kRelease:
      word.kind = SettleKind::kRelease;
      break;
    case Outcome::Kind::kPoison:
      word.kind = SettleKind::kPoison;
      break;
    case Outcome::Kind::kTransient:
      word.kind = SettleKind::kTransient;
      break;
    case Outcome::Kind::kNotNow:
      word.kind = SettleKind::kNotNow;
      break;
  }
  return word;
}

SettleWord to_extension(std::chrono::milliseconds lease) {
  return {proto::SettleKind::kExtend, whole_ms(lease)};
}

/// What the ways of settling a delivery have in common.
struct Settling {
  static SettleWord of(proto::SettleKind kind,
                       std::chrono::milliseconds value = std::chrono::milliseconds{0}) {
    return {kind, whole_ms(value)};
  }
  // Nothing, if the delivery was settled before.
  static void say(Delivery& delivery, SettleWord word, SettleCallback callback) {
    if (begin(delivery, word.kind)) {
      delivery.grant_->sink().settle(*delivery.grant_, delivery.index_, std::move(word),
                                     std::move(callback));
    }
  }
  static Future<> ask(Delivery& delivery, SettleWord word) {
    if (delivery.settled_) {
      return Future<>(Error(ErrorCode::kInvalidArgument, "the delivery is settled already"));
    }
    Promise<> promise;
    Future<> future = promise.future();
    say(delivery, std::move(word),
        [promise = std::move(promise)](const Result<>& result) mutable { promise.set(result); });
    return future;
  }

 private:
  static bool begin(Delivery& delivery, proto::SettleKind kind) {
    const bool was_settled = delivery.settled_;
    delivery.settled_ = was_settled || kind != proto::SettleKind::kExtend;
    return !was_settled;
  }
};

}  // namespace sdk

using proto::SettleKind;
using sdk::Settling;

Delivery::Delivery(Delivery&& other) noexcept
    : grant_(std::move(other.grant_)),
      index_(other.index_),
      settled_(std::exchange(other.settled_, true)),
      handed_out_(other.handed_out_),
      offset_(other.offset_),
      timestamp_(other.timestamp_),
      body_(other.body_),
      key_(other.key_),
      headers_(std::move(other.headers_)) {}

Delivery& Delivery::operator=(Delivery&& other) noexcept {
  if (this != &other) {
    abandon();
    grant_ = std::move(other.grant_);
    index_ = other.index_;
    settled_ = std::exchange(other.settled_, true);
    handed_out_ = other.handed_out_;
    offset_ = other.offset_;
    timestamp_ = other.timestamp_;
    body_ = other.body_;
    key_ = other.key_;
    headers_ = std::move(other.headers_);
  }
  return *this;
}

Delivery::~Delivery() {
  abandon();
}

void Delivery::abandon() noexcept {
  if (!settled_) {
    settled_ = true;
    grant_->sink().settle(
        *grant_, index_, sdk::to_word(handed_out_ ? Outcome::nack() : Outcome::release()), nullptr);
  }
}

std::uint32_t Delivery::attempt() const {
  return grant_->attempts() + 1;
}

std::uint32_t Delivery::failures() const {
  return grant_->failures();
}

MessageId Delivery::message_id() const {
  for (const HeaderView& header : headers_) {
    if (header.key == kIdHeader && header.value) {
      if (const std::optional<MessageId> id = MessageId::parse(*header.value)) {
        return *id;
      }
    }
  }
  const sdk::GrantOrigin& origin = grant_->origin();
  return MessageId(origin.incarnation, origin.queue, offset_);
}

std::uint8_t Delivery::priority() const {
  const auto it = std::ranges::find(headers_, proto::kHeaderPriority, &HeaderView::key);
  const auto named = it != headers_.end() ? proto::read_priority(it->value) : std::nullopt;
  return named.value_or(proto::kDefaultPriority);
}

std::optional<std::string_view> Delivery::group() const {
  const auto it = std::ranges::find(headers_, proto::kHeaderGroup, &HeaderView::key);
  return it != headers_.end() ? it->value : std::nullopt;
}

std::optional<Timestamp> Delivery::deadline() const {
  for (const HeaderView& header : headers_) {
    if (header.key == proto::kHeaderDeadline && header.value) {
      std::int64_t ms = 0;
      const char* const end = header.value->data() + header.value->size();
      if (std::from_chars(header.value->data(), end, ms).ptr == end) {
        return Timestamp(std::chrono::milliseconds(ms));
      }
    }
  }
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> Delivery::time_left() const {
  const std::optional<Timestamp> until = deadline();
  if (!until) {
    return std::nullopt;
  }
  const Timestamp now(std::chrono::milliseconds(grant_->sink().wall_ms()));
  return std::max(std::chrono::milliseconds(0), *until - now);
}

std::string Delivery::handle() const {
  return grant_->handle_of(index_);
}

const std::string& Delivery::queue() const {
  return grant_->sink().queue();
}

std::chrono::milliseconds Delivery::lease() const {
  return grant_->lease();
}

void Delivery::ack() {
  ack(nullptr);
}

void Delivery::ack(SettleCallback callback) {
  Settling::say(*this, Settling::of(SettleKind::kAck), std::move(callback));
}

void Delivery::nack() {
  settle(Outcome::nack());
}

void Delivery::nack(std::chrono::milliseconds delay) {
  nack(delay, nullptr);
}

void Delivery::nack(std::chrono::milliseconds delay, SettleCallback callback) {
  Settling::say(*this, Settling::of(SettleKind::kNack, delay), std::move(callback));
}

void Delivery::release() {
  release(nullptr);
}

void Delivery::release(SettleCallback callback) {
  Settling::say(*this, Settling::of(SettleKind::kRelease), std::move(callback));
}

void Delivery::settle(const Outcome& outcome, SettleCallback callback) {
  Settling::say(*this, sdk::to_word(outcome), std::move(callback));
}

Future<> Delivery::async_settle(const Outcome& outcome) {
  return Settling::ask(*this, sdk::to_word(outcome));
}

void Delivery::extend(std::chrono::milliseconds lease) {
  Settling::say(*this, sdk::to_extension(lease), nullptr);
}

Result<> Delivery::ack_and_wait(std::chrono::milliseconds timeout) {
  if (settled_) {
    return Error(ErrorCode::kInvalidArgument, "the delivery is settled already");
  }
  Result<> result = grant_->sink().ack_and_wait(*grant_, index_, timeout);
  settled_ = result.has_value() || result.error().code != ErrorCode::kInvalidArgument;
  return result;
}

Future<> Delivery::async_ack() {
  return Settling::ask(*this, Settling::of(SettleKind::kAck));
}

Future<> Delivery::async_nack() {
  return async_settle(Outcome::nack());
}

Future<> Delivery::async_nack(std::chrono::milliseconds delay) {
  return Settling::ask(*this, Settling::of(SettleKind::kNack, delay));
}

Future<> Delivery::async_release() {
  return Settling::ask(*this, Settling::of(SettleKind::kRelease));
}

Future<> Delivery::async_extend(std::chrono::milliseconds lease) {
  return Settling::ask(*this, sdk::to_extension(lease));
}

}  // namespace weir
