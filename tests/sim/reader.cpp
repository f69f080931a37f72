#include "tests/sim/reader.hpp"

#include "proto/batch/record_batch.hpp"

namespace weir::sim {

void Reader::step() {
  if (link_ == nullptr) {
    return;
  }
  const std::uint64_t dice = rng().below(1000);
  if (alias_ == 0 || dice < 100) {
    subscribe();
  } else if (dice < 700) {
    give_credit();
  } else if (dice < 800) {
    list_offsets();
  }
}

void Reader::subscribe() {
  if (alias_ != 0) {
    request(core::Unsubscribe{alias_}, nullptr, nullptr, 0, Op::kUnsubscribeTopic);
  }
  const std::vector<std::size_t> topics = targets(true);
  const Target& target = stage_.targets[rng().pick(topics)];
  alias_ = ++last_alias_;
  messages_ = 0;
  bytes_ = 0;
  core::SubscribeTopic command;
  command.name_space = kNamespace;
  command.topic = target.name;
  command.alias = alias_;
  command.window_messages = stage_.options.window_messages;
  command.window_bytes = stage_.options.window_bytes;
  using At = core::StartPosition::At;
  switch (stage_.healed ? 0 : rng().below(4)) {
    case 0:
      break;
    case 1:
      command.from = {At::kEnd, 0};
      break;
    case 2:
      command.from = {At::kOffset, rng().between(0, seen_ + 2)};
      break;
    default:
      command.from = {At::kTime, clock_ms() - rng().between(-100, 5000)};
      break;
  }
  request(
      command,
      [this, alias = alias_](const proto::Result<core::Reply>& reply) {
        if (!reply && alias_ == alias) {
          alias_ = 0;
        }
      },
      [this, alias = alias_, logs = target.logs](auto session, std::uint64_t id) {
        stage_.oracle.heard_subscribe_topic(session, id, alias, logs);
      });
}

void Reader::give_credit() {
  count("client: topic credit");
  proto::Credit credit;
  credit.alias = alias_;
  credit.window_messages = stage_.options.window_messages;
  credit.window_bytes = stage_.options.window_bytes;
  credit.consumed_messages = messages_;
  credit.consumed_bytes = bytes_;
  link_->up([credit](shard::Shard& shard, proto::SessionId session) {
    shard.set_credit(session, credit);
  });
}

void Reader::list_offsets() {
  const std::vector<std::size_t> topics = targets(true);
  core::ListOffsets command;
  command.name_space = kNamespace;
  command.topic = stage_.targets[rng().pick(topics)].name;
  request(command, nullptr);
}

void Reader::hear_topic_batch(const shard::TopicBatch& batch) {
  ended(Op::kTopicBatch, kDone, now_us());
  if (batch.alias != alias_) {
    return;
  }
  seen_ = batch.next_offset;
  const auto header = proto::parse_batch_header(batch.batch.view());
  messages_ += static_cast<std::uint64_t>(header->record_count);
  bytes_ += batch.batch.size();
  if (stage_.healed) {
    give_credit();
  }
}

}  // namespace weir::sim
