#include "tests/crash/raw_producers.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/limits.hpp"

#include <algorithm>
#include <utility>

namespace weir::crash {
namespace {

using proto::Errc;
using proto::fail;

/// Of the producers, how many in a hundred end with a killed broker.
constexpr std::uint64_t kForgottenPercent = 5;
constexpr std::uint64_t kRepeatedPercent = 30;
constexpr std::size_t kMaxOutBytes = std::size_t{1} << 20;

}  // namespace

RawProducers::RawProducers(std::vector<Target> targets, std::uint32_t messages_per_batch,
                           std::uint64_t seed)
    : targets_(std::move(targets)),
      messages_per_batch_(messages_per_batch),
      random_(seed),
      session_([this](const proto::RawFrame& frame) { return on_frame(frame); }) {
  for (std::size_t target = 0; target < targets_.size(); ++target) {
    for (std::uint32_t i = 0; i < targets_[target].producers; ++i) {
      producers_.emplace_back().target = target;
    }
  }
}

proto::Result<> RawProducers::open(std::uint16_t port) {
  if (proto::Result<> opened = session_.open(port); !opened) {
    return opened;
  }
  aliases_.clear();
  for (const Target& target : targets_) {
    weir::v1::Request request;
    if (target.topic) {
      request.mutable_attach()->set_topic("log");
    } else {
      request.mutable_attach()->set_queue(target.oracle->destination());
    }
    const proto::Result<weir::v1::Response> response = session_.call(std::move(request));
    if (!response) {
      return response.error();
    }
    aliases_.push_back(response->attached().alias());
  }
  for (Producer& producer : producers_) {
    if (producer.id < 0) {
      if (proto::Result<> done = introduce(producer); !done) {
        return done;
      }
    }
  }
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    repeat_answered(i);
  }
  fill(false);
  return {};
}

proto::Result<> RawProducers::introduce(Producer& producer) {
  weir::v1::Request request;
  request.mutable_init_producer();
  const proto::Result<weir::v1::Response> response = session_.call(std::move(request));
  if (!response) {
    return response.error();
  }
  producer.id = static_cast<std::int64_t>(response->producer().id());
  producer.epoch = static_cast<std::int16_t>(response->producer().epoch());
  return {};
}

void RawProducers::close(bool forget) {
  session_.close();
  open_.clear();
  last_send_ = 0;
  unanswered_ = 0;
  open_bytes_ = 0;
  for (Producer& producer : producers_) {
    producer.sent = 0;
    producer.is_refused = false;
    // Order in a topic is judged by one producer, which therefore lives on.
    if (forget && !targets_[producer.target].topic && random_.percent(kForgottenPercent)) {
      const std::size_t target = producer.target;
      producer = Producer();
      producer.target = target;
    }
  }
}

// A batch that was answered before its broker died: it must be recognised, and lie where it lay.
void RawProducers::repeat_answered(std::size_t index) {
  const Producer& producer = producers_[index];
  const std::size_t room = proto::kMaxUnconfirmedBatches - producer.waiting.size();
  if (room == 0 || producer.answered.empty() || !random_.percent(kRepeatedPercent)) {
    return;
  }
  const std::size_t count = std::min(room, producer.answered.size());
  for (std::size_t i = producer.answered.size() - count; i < producer.answered.size(); ++i) {
    send(index, producer.answered[i], true);
  }
}

void RawProducers::make_batch(Producer& producer) {
  Oracle& oracle = *targets_[producer.target].oracle;
  Batch batch;
  batch.count =
      static_cast<std::uint32_t>(random_.between(1, std::uint64_t{2} * messages_per_batch_ - 1));
  batch.base_sequence = producer.next_sequence;
  proto::BatchBuilder builder;
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    const MessageNumber number = oracle.make();
    if (i == 0) {
      batch.first = number;
    }
    const std::string body = oracle.make_body(number);
    proto::RecordInput record;
    record.value = body;
    record.timestamp = 1'700'000'000'000;
    builder.add(record);
  }
  batch.bytes = builder.finish(
      {.id = producer.id, .epoch = producer.epoch, .base_sequence = batch.base_sequence},
      proto::Compression::kNone);
  producer.next_sequence += static_cast<std::int32_t>(batch.count);
  producer.waiting.push_back(std::move(batch));
}

bool RawProducers::send(std::size_t index, const Batch& batch, bool repeated) {
  if (!open_.empty() && open_bytes_ + batch.bytes.size() > session_.send_window_bytes()) {
    return false;
  }
  const Producer& producer = producers_[index];
  proto::Send frame;
  frame.alias = aliases_[producer.target];
  frame.partition = targets_[producer.target].partition;
  frame.send_number = ++last_send_;
  frame.batch = batch.bytes;
  proto::encode(frame, session_.out());
  open_bytes_ += batch.bytes.size();
  unanswered_ += repeated ? 0 : batch.count;
  open_.emplace(last_send_, OpenSend{.producer = index, .batch = batch, .repeated = repeated});
  return true;
}

void RawProducers::fill(bool more) {
  if (!session_.is_open() || session_.out().size() > kMaxOutBytes) {
    return;
  }
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    const std::size_t index = (next_ + i) % producers_.size();
    Producer& producer = producers_[index];
    if (producer.is_refused) {
      continue;
    }
    while (more && producer.waiting.size() < proto::kMaxUnconfirmedBatches) {
      make_batch(producer);
    }
    while (producer.sent < producer.waiting.size()) {
      if (!send(index, producer.waiting[producer.sent], false)) {
        next_ = index;
        return;
      }
      ++producer.sent;
    }
  }
}

proto::Result<> RawProducers::on_frame(const proto::RawFrame& frame) {
  if (frame.type != proto::FrameType::kSent) {
    return fail(Errc::kMalformed, "a producer's connection got a frame of another kind");
  }
  const proto::Result<proto::Sent> sent = proto::decode_sent(frame.body);
  if (!sent) {
    return sent.error();
  }
  for (const proto::SentEntry& entry : sent->entries) {
    if (proto::Result<> done = on_sent(entry); !done) {
      return done;
    }
  }
  return {};
}

proto::Result<> RawProducers::on_sent(const proto::SentEntry& entry) {
  const auto found = open_.find(entry.send_number);
  if (found == open_.end()) {
    return fail(Errc::kMalformed, "an answer to a send that nobody made");
  }
  const OpenSend open = std::move(found->second);
  open_.erase(found);
  open_bytes_ -= open.batch.bytes.size();
  Producer& producer = producers_[open.producer];
  Oracle& oracle = *targets_[producer.target].oracle;
  if (entry.code != 0) {
    unanswered_ -= open.repeated ? 0 : open.batch.count;
    return on_refused(producer, open.batch, entry);
  }
  duplicates_ += (entry.flags & proto::SentEntry::kDuplicate) != 0 ? 1 : 0;
  for (std::uint32_t i = 0; i < open.batch.count; ++i) {
    oracle.acknowledged(open.batch.first + i, entry.base_offset + i);
  }
  if (open.repeated) {
    return {};
  }
  unanswered_ -= open.batch.count;
  if (producer.waiting.empty() ||
      producer.waiting.front().base_sequence != open.batch.base_sequence) {
    return fail(Errc::kMalformed, "the sends of one producer were answered out of order");
  }
  if (!producer.answered.empty() && producer.answered.back().offset >= entry.base_offset) {
    return fail(Errc::kInternal, "the sends of one producer were stored out of order");
  }
  producer.waiting.front().offset = entry.base_offset;
  producer.answered.push_back(std::move(producer.waiting.front()));
  producer.waiting.pop_front();
  --producer.sent;
  if (producer.answered.size() > proto::kMaxUnconfirmedBatches) {
    producer.answered.pop_front();
  }
  return {};
}

proto::Result<> RawProducers::on_refused(Producer& producer, const Batch& batch,
                                         const proto::SentEntry& entry) {
  const auto code = static_cast<Errc>(entry.code);
  if (code == Errc::kShuttingDown && session_.is_leaving()) {
    return {};  // not stored; sent again on the next connection
  }
  if (code == Errc::kDiskFull && expects_full_disk_ && entry.retry_after_ms > 0) {
    producer.is_refused = true;
    return {};
  }
  if (code == Errc::kOutOfOrderSequence && producer.is_refused) {
    return {};  // the one before it was refused
  }
  return fail(Errc::kInternal, "producer " + std::to_string(producer.id) + ", sequence " +
                                   std::to_string(batch.base_sequence) +
                                   " was refused: " + std::string(proto::name(code)));
}

void RawProducers::retry_refused() {
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    const bool is_open =
        std::ranges::any_of(open_, [&](const auto& entry) { return entry.second.producer == i; });
    if (producers_[i].is_refused && !is_open) {
      producers_[i].is_refused = false;
      producers_[i].sent = 0;
    }
  }
}

std::size_t RawProducers::refused() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(producers_, [](const Producer& each) { return each.is_refused; }));
}

bool RawProducers::is_idle() const {
  return open_.empty() && std::ranges::all_of(producers_, [](const Producer& producer) {
           return producer.waiting.empty();
         });
}

}  // namespace weir::crash
