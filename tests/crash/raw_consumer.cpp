#include "tests/crash/raw_consumer.hpp"

#include "proto/batch/record_batch.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace weir::crash {
namespace {

using proto::Errc;
using proto::fail;
using proto::SettleKind;

constexpr std::uint32_t kWindowMessages = 1'000;
constexpr std::uint32_t kWindowBytes = std::uint32_t{1} << 20;
constexpr std::uint64_t kMaxNackDelayMs = 30;
constexpr std::uint64_t kForgetPercent = 20;
/// A delivery leaves the broker with half of its lease left, which is 3 s here, at the least. What
/// is settled sooner than this, on the connection that got it, is this consumer's without doubt,
/// also where the delivery has waited for this process to run.
constexpr std::int64_t kSafeMs = 1'000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool ends(SettleKind kind) {
  return kind == SettleKind::kAck || kind == SettleKind::kNack || kind == SettleKind::kRelease;
}

bool begins(SettleKind kind) {
  return kind == SettleKind::kStarted || kind == SettleKind::kNack;
}

}  // namespace

RawConsumer::RawConsumer(Oracle& oracle, std::uint64_t seed)
    : oracle_(oracle),
      random_(seed),
      session_([this](const proto::RawFrame& frame) { return on_frame(frame); }) {}

proto::Result<> RawConsumer::open(std::uint16_t port) {
  if (proto::Result<> opened = session_.open(port); !opened) {
    return opened;
  }
  // Attached first: what is left from before is settled before anything new is handed out to it.
  weir::v1::Request attach;
  attach.mutable_attach()->set_queue(oracle_.destination());
  const proto::Result<weir::v1::Response> attached = session_.call(std::move(attach));
  if (!attached) {
    return attached.error();
  }
  alias_ = attached->attached().alias();
  const std::deque<OpenSettle> unconfirmed = std::exchange(open_, {});
  for (const OpenSettle& open : unconfirmed) {
    say(open.kind, open.part, open.value);
  }
  weir::v1::Request subscribe;
  subscribe.mutable_subscribe()->set_queue(oracle_.destination());
  subscribe.mutable_subscribe()->set_window_messages(kWindowMessages);
  subscribe.mutable_subscribe()->set_window_bytes(kWindowBytes);
  const proto::Result<weir::v1::Response> subscribed = session_.call(std::move(subscribe));
  return subscribed ? proto::Result<>() : proto::Result<>(subscribed.error());
}

void RawConsumer::close(bool forget) {
  session_.close();
  last_settle_ = 0;
  unanswered_ = 0;
  if (forget && random_.percent(kForgetPercent)) {
    held_.clear();
    open_.clear();
    held_messages_ = 0;
  }
  for (const Part& part : held_) {
    part.grant->is_old = true;
  }
  for (const OpenSettle& open : open_) {
    open.part.grant->is_old = true;
  }
}

proto::Result<> RawConsumer::on_frame(const proto::RawFrame& frame) {
  if (frame.type == proto::FrameType::kDeliver) {
    const proto::Result<proto::Deliver> deliver = proto::decode_deliver(frame.body);
    return deliver ? on_deliver(*deliver) : deliver.error();
  }
  if (frame.type == proto::FrameType::kSettled) {
    const proto::Result<proto::Settled> settled = proto::decode_settled(frame.body);
    return settled ? on_settled(*settled) : settled.error();
  }
  return fail(Errc::kMalformed, "a consumer's connection got a frame of another kind");
}

proto::Result<> RawConsumer::on_deliver(const proto::Deliver& deliver) {
  auto grant = std::make_shared<Grant>();
  grant->id = deliver.grant;
  grant->nonce = deliver.nonce;
  grant->base_offset = deliver.base_offset;
  grant->attempts = deliver.attempts;
  grant->got_ms = now_ms() - lost_ms_;
  bool known = true;
  const auto visit = [&](const proto::RecordView& record) {
    const proto::Offset offset = deliver.base_offset + record.offset_delta;
    const auto number = oracle_.delivered(record.value.value_or(std::string_view()), offset,
                                          deliver.attempts, deliver.grant);
    known = known && number.has_value();
    grant->messages.push_back(number.value_or(0));
    grant->indexes.push_back(static_cast<std::uint32_t>(record.offset_delta));
  };
  proto::Result<> read =
      proto::for_each_record(deliver.records, static_cast<std::int32_t>(deliver.count), visit);
  if (!read) {
    return read;
  }
  if (!known) {
    return fail(Errc::kInternal, "a delivery with a message that nobody sent");
  }
  unanswered_ += deliver.count;
  held_messages_ += deliver.count;
  held_.push_back({std::move(grant), 0, deliver.count});
  return {};
}

void RawConsumer::say(SettleKind kind, const Part& part, std::uint32_t value) {
  if (part.first == part.end) {
    return;
  }
  proto::Settle settle;
  settle.settle_number = ++last_settle_;
  settle.alias = alias_;
  for (std::uint32_t i = part.first; i < part.end; ++i) {
    const std::uint32_t index = part.grant->indexes[i];
    if (i > part.first && part.grant->indexes[i - 1] + 1 == index) {
      ++settle.ranges.back().count;
    } else {
      settle.ranges.push_back({.kind = kind,
                               .grant = part.grant->id,
                               .nonce = part.grant->nonce,
                               .base_offset = part.grant->base_offset,
                               .first_index = index,
                               .count = 1,
                               .value = value});
    }
  }
  proto::encode(settle, session_.out());
  for (std::uint32_t i = part.first; i < part.end; ++i) {
    if (begins(kind)) {
      oracle_.begun(part.grant->messages[i]);
    } else if (kind == SettleKind::kAck) {
      oracle_.ack_said(part.grant->messages[i], part.grant->id);
    }
  }
  open_.push_back({last_settle_, kind, part, value});
}

// What a worker may do with messages, in shares that leave most of them done.
void RawConsumer::handle(const Part& part) {
  const std::uint64_t choice = random_.next() % 100;
  const std::uint32_t half = part.first + (part.end - part.first) / 2;
  const Part front{part.grant, part.first, half};
  const Part back{part.grant, half, part.end};
  const auto delay = static_cast<std::uint32_t>(random_.between(0, kMaxNackDelayMs));
  if (choice < 60) {
    say(SettleKind::kStarted, part);
    say(SettleKind::kAck, part);
  } else if (choice < 75) {
    say(SettleKind::kAck, part);
  } else if (choice < 85) {
    say(SettleKind::kStarted, part);
    say(SettleKind::kAck, front);
    say(SettleKind::kNack, back, delay);
  } else if (choice < 92) {
    say(SettleKind::kNack, front, delay);
    say(SettleKind::kAck, back);
  } else {
    say(SettleKind::kRelease, front);
    say(SettleKind::kAck, back);
  }
}

void RawConsumer::settle(std::uint64_t keep, bool drain) {
  if (!session_.is_open()) {
    return;
  }
  while (!held_.empty() && (drain || held_messages_ > keep)) {
    const Part part = std::move(held_.front());
    held_.pop_front();
    held_messages_ -= part.end - part.first;
    if (drain) {
      say(SettleKind::kAck, part);
    } else {
      handle(part);
    }
  }
}

proto::Result<> RawConsumer::on_settled(const proto::Settled& settled) {
  while (!open_.empty() && open_.front().number <= settled.up_to) {
    const OpenSettle open = std::move(open_.front());
    open_.pop_front();
    std::vector<bool> refused(open.part.end, false);
    for (const proto::SettleFailure& failure : settled.failed) {
      if (failure.settle_number != open.number) {
        continue;
      }
      const Grant& grant = *open.part.grant;
      const auto code = static_cast<Errc>(failure.code);
      const bool is_safe = !grant.is_old && now_ms() - lost_ms_ - grant.got_ms < kSafeMs;
      if (code != Errc::kReceiptExpired || is_safe) {
        return fail(Errc::kInternal, "settlement " + std::to_string(static_cast<int>(open.kind)) +
                                         " of grant " + std::to_string(grant.id.value) +
                                         " was refused: " + std::string(proto::name(code)));
      }
      for (std::uint32_t i = open.part.first; i < open.part.end; ++i) {
        if (grant.indexes[i] >= failure.first_index &&
            grant.indexes[i] - failure.first_index < failure.count) {
          refused[i] = true;
          ++expired_;
        }
      }
    }
    confirm(open, refused);
  }
  return {};
}

void RawConsumer::confirm(const OpenSettle& open, const std::vector<bool>& refused) {
  const Grant& grant = *open.part.grant;
  for (std::uint32_t i = open.part.first; i < open.part.end; ++i) {
    if (refused[i]) {
      if (open.kind == SettleKind::kAck) {
        oracle_.ack_refused(grant.messages[i], grant.id);
      }
      continue;
    }
    if (open.kind == SettleKind::kAck) {
      oracle_.settled(grant.messages[i]);
    } else if (begins(open.kind)) {
      oracle_.begun_confirmed(grant.messages[i], grant.attempts);
    }
  }
  if (ends(open.kind) && !grant.is_old) {
    unanswered_ -= open.part.end - open.part.first;
  }
}

}  // namespace weir::crash
