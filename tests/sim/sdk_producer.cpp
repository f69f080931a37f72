#include "tests/sim/sdk_producer.hpp"

#include <map>
#include <string>
#include <utility>

namespace weir::sim {
namespace {

ProducerOptions producer_options(Stage& stage, const Target& target) {
  Rng& rng = stage.world.rng();
  ProducerOptions options;
  if (rng.per_mille(300)) {
    options.set_max_buffered_messages(static_cast<std::size_t>(rng.between(1, 20)));
  }
  if (rng.per_mille(300)) {
    options.set_max_buffered_bytes(static_cast<std::size_t>(rng.between(1, 2000)));
  }
  if (target.topic) {
    options.set_compression(static_cast<Compression>(rng.below(3)));
  }
  return options;
}

std::shared_ptr<sdk::ProducerFront> make_front(Stage& stage,
                                               const std::shared_ptr<SimEngine>& engine,
                                               const Target& target) {
  sdk::ProducerFront::Destination destination;
  destination.name = target.name;
  destination.is_topic = target.topic;
  return std::make_shared<sdk::ProducerFront>(engine, std::move(destination),
                                              producer_options(stage, target));
}

}  // namespace

SdkProducer::SdkProducer(Stage& stage, std::shared_ptr<SimEngine> engine, const Target& target)
    : stage_(stage),
      engine_(std::move(engine)),
      target_(target),
      timeout_(stage.world.rng().per_mille(400) ? stage.world.rng().between(1, 100)
                                                : stage.world.rng().between(100, 20'000)),
      front_(make_front(stage, engine_, target_)) {
  stage_.world.report().count(target_.topic ? "sdk: producer for a topic"
                                            : "sdk: producer for a queue");
  engine_->post([front = front_](sdk::Session& session) { session.add(front); });
}

void SdkProducer::step() {
  if (stage_.world.rng().per_mille(150)) {
    stage_.world.report().count("sdk: sends stopped");
    std::exchange(stop_, std::stop_source()).request_stop();
  }
  for (std::int64_t left = 1 + stage_.world.rng().skewed(stage_.options.max_batch - 1); left > 0;
       --left) {
    send_one();
  }
}

void SdkProducer::close() {
  is_closed_ = true;
  front_->close();
}

void SdkProducer::send_one() {
  Rng& rng = stage_.world.rng();
  const auto sent = std::make_shared<Sent>();
  sent->message = stage_.oracle.new_message(target_.logs.front());
  const std::string value = value_of(sent->message, value_bytes(stage_.options, sent->message));
  const std::string key = std::to_string(rng.below(5));
  MessageView message(value);
  if (target_.topic && rng.per_mille(300)) {
    message.set_key(key);
  } else if (target_.topic && rng.per_mille(300)) {
    message.set_partition(static_cast<std::uint32_t>(rng.below(target_.logs.size())));
  }
  const std::string group = group_of(sent->message);
  const std::string id = "d" + std::to_string(sent->message);
  if (target_.is_fifo()) {
    message.set_group(group);
    if (rng.per_mille(stage_.options.deduplication_per_mille)) {
      message.set_deduplication_id(id);
    }
  } else if (!target_.topic && rng.per_mille(stage_.options.delay_per_mille)) {
    message.set_delay(std::chrono::milliseconds(some_delay_ms(rng, stage_.options)));
  }
  if (!target_.topic && !target_.is_fifo()) {
    if (rng.per_mille(stage_.options.priority_per_mille)) {
      message.set_priority(some_priority(rng));
    }
    if (rng.per_mille(stage_.options.group_per_mille)) {
      message.set_group(group);
    }
  }
  if (!target_.topic && rng.per_mille(stage_.options.ttl_per_mille)) {
    const proto::RecordLife life = some_life(rng, stage_.options, stage_.host.wall_ms());
    if (life.ttl_ms >= 0) {
      message.set_ttl(std::chrono::milliseconds(life.ttl_ms));
    }
    if (life.deadline >= 0) {
      message.set_deadline(Timestamp(std::chrono::milliseconds(life.deadline)));
    }
  }
  CallOptions call(timeout_);
  if (rng.per_mille(200)) {
    call.set_stop_token(stop_.get_token());
  }
  ++open_;
  const Result<> taken =
      front_->send(message, call, /*may_block=*/true,
                   [this, sent](const Result<SendReceipt>& result) { hear(*sent, result); });
  if (taken) {
    sent_.push_back(sent);
    return;
  }
  --open_;
  stage_.oracle.client_refused(sent->message);
  stage_.world.report().count("sdk: send not taken, " + std::string(name(taken.error().code)));
}

void SdkProducer::hear(Sent& sent, const Result<SendReceipt>& result) {
  if (++sent.answers > 1) {
    stage_.world.violate("the library answered message " + std::to_string(sent.message) + " twice");
    return;
  }
  --open_;
  stage_.world.fold(sent.message);
  if (result) {
    stage_.world.fold(static_cast<std::uint64_t>(result->offset));
    stage_.world.report().count(result->duplicate ? "sdk: send done, by an earlier try"
                                                  : "sdk: send done");
    if (result->partition >= target_.logs.size()) {
      stage_.world.violate("the library answers with a partition that does not exist");
      return;
    }
    stage_.oracle.client_stored(sent.message, target_.logs[result->partition], result->offset);
    return;
  }
  stage_.world.fold(static_cast<std::uint64_t>(result.error().code));
  if (result.error().code == ErrorCode::kUnknownOutcome) {
    stage_.world.report().count("sdk: send unknown");
    return;
  }
  stage_.world.report().count("sdk: send refused, " + std::string(name(result.error().code)));
  stage_.oracle.client_refused(sent.message);
}

void SdkProducer::check_order() const {
  std::map<std::pair<proto::LogId, proto::LaneTag>, proto::Offset> last;
  for (const auto& sent : sent_) {
    if (stage_.oracle.was_put_off(sent->message)) {
      continue;  // it comes when it is due
    }
    for (const proto::LogId log : target_.logs) {
      const auto offset = stage_.oracle.offset_in(sent->message, log);
      if (!offset) {
        continue;
      }
      const auto [before, is_first] =
          last.emplace(std::pair(log, proto::lane_tag(*offset)), *offset);
      if (!is_first && before->second >= *offset) {
        stage_.world.violate("a producer's messages are out of order: message " +
                             std::to_string(sent->message) + " at offset " +
                             std::to_string(*offset) + " of log " + std::to_string(log.value));
      }
      before->second = *offset;
    }
  }
}

}  // namespace weir::sim
