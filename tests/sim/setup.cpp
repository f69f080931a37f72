#include "tests/sim/setup.hpp"

#include "proto/limits.hpp"
#include "proto/names.hpp"

#include <variant>

namespace weir::sim {

void Setup::came_up() {
  const Options& options = stage_.options;
  std::string last;
  for (std::uint32_t i = 0; i < options.queues; ++i) {
    const bool is_fifo = rng().per_mille(options.fifo_per_mille);
    const std::string ending = is_fifo ? ".fifo" : "";
    const std::string name = "queue-" + std::to_string(i) + ending;
    // A chain of dead-letter queues now and then.
    const bool has_dead_letters = rng().per_mille(options.dead_letter_per_mille);
    if (has_dead_letters &&
        (last.empty() || proto::is_fifo_name(last) != is_fifo || rng().per_mille(700))) {
      last = "queue-" + std::to_string(i) + "-dead" + ending;
      create_queue(last, "");
    }
    create_queue(name, has_dead_letters ? last : "");
    if (rng().per_mille(300)) {
      last = name;
    }
  }
  for (std::uint32_t i = 0; i < options.topics; ++i) {
    create_topic("topic-" + std::to_string(i));
  }
  --left_;
}

void Setup::create_queue(const std::string& name, const std::string& dead_letter_queue) {
  ++left_;
  core::CreateQueue command;
  command.name_space = kNamespace;
  command.name = name;
  command.settings.lease_ms = stage_.options.lease_ms;
  command.settings.max_receive_count = stage_.options.max_receive_count;
  command.settings.dead_letter_queue = dead_letter_queue;
  command.settings.redelivery_delay_ms = stage_.options.redelivery_ms;
  command.settings.redelivery_budget_percent = stage_.options.budget_percent;
  command.settings.redelivery_max_delay_ms =
      rng().per_mille(500) ? 4 * std::int64_t{stage_.options.redelivery_ms} : 0;
  if (rng().per_mille(stage_.options.bounded_per_mille)) {
    const auto some = [this](std::uint32_t bound) { return rng().per_mille(600) ? bound : 0; };
    command.settings.max_messages = some(stage_.options.max_messages);
    command.settings.max_bytes = some(stage_.options.max_bytes);
    command.settings.max_in_flight = some(stage_.options.max_in_flight);
  }
  if (rng().per_mille(stage_.options.expired_per_mille)) {
    command.settings.dead_letter_expired = 1;
  }
  if (rng().per_mille(stage_.options.retention_per_mille)) {
    command.settings.retention_ms = proto::kMinRetentionMs;
  }
  if (proto::is_fifo_name(name)) {
    command.settings.deduplication_ms = proto::kMaxDeduplicationMs;  // longer than any run
  } else if (rng().per_mille(stage_.options.strict_per_mille)) {
    command.settings.strict_priority = 1;
  } else if (stage_.options.queue_delay_ms > 0 && rng().per_mille(400)) {
    command.settings.delay_ms = stage_.options.queue_delay_ms;
  }
  request(command, [this](const proto::Result<core::Reply>& reply) {
    const auto& info = std::get<core::QueueInfo>(reply.value());
    stage_.oracle.queue_exists(info);
    targets_.push_back({info.name, false, {proto::LogId{info.id.value}}});
    --left_;
  });
}

void Setup::create_topic(const std::string& name) {
  left_ += 2;
  core::CreateTopic command;
  command.name_space = kNamespace;
  command.name = name;
  command.settings.partitions = stage_.options.partitions;
  request(command, [this](const proto::Result<core::Reply>&) { --left_; });
  request(core::Attach{kNamespace, name, true},
          [this, name](const proto::Result<core::Reply>& reply) {
            const auto& attached = std::get<core::Attached>(reply.value());
            stage_.oracle.topic_exists(name, attached.logs);
            targets_.push_back({name, true, attached.logs});
            --left_;
          });
}

}  // namespace weir::sim
