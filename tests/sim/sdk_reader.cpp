#include "tests/sim/sdk_reader.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace weir::sim {

SdkReader::SdkReader(Stage& stage, std::shared_ptr<SimEngine> engine, const Target& topic)
    : stage_(stage), topic_(topic), is_push_(stage.world.rng().per_mille(500)) {
  Rng& rng = stage_.world.rng();
  ReaderOptions options;
  options.set_window_messages(stage_.options.window_messages);
  options.set_window_bytes(stage_.options.window_bytes);
  stops_ = rng.per_mille(700);
  if (stops_) {
    options.set_stop_at_end();
  }
  StartPosition from = StartPosition::start();
  switch (stage_.healed ? 0 : rng.below(6)) {
    case 1:
      from = StartPosition::end();
      break;
    case 2:
      from = StartPosition::offset(rng.between(0, stage_.oracle.next_offset(topic_.logs.front())));
      break;
    case 3:
      from = StartPosition::time(std::chrono::sys_time<std::chrono::milliseconds>(
          std::chrono::milliseconds(stage_.host.now() - rng.between(-100, 5000))));
      break;
    default:
      break;
  }
  options.set_from(from);
  begins_at_start_ = from.kind() == StartPosition::Kind::kStart;
  const bool picks = topic_.logs.size() > 1 && rng.per_mille(200);
  for (std::uint32_t i = 0; i < (picks ? 1 : topic_.logs.size()); ++i) {
    if (picks) {
      options.add_partition(i);
    }
    known_end_[i] = stage_.oracle.next_offset(topic_.logs[i]);
    if (begins_at_start_) {
      next_[i] = 0;
    }
  }
  stage_.world.report().count(stops_ ? "sdk: reader that stops" : "sdk: reader that goes on");
  RecordHandler handler;
  if (is_push_) {
    handler = [this](const Record& record) { get(record); };
  }
  front_ = std::make_shared<sdk::ReaderFront>(engine, topic_.name, options, std::move(handler));
  engine->post([front = front_](sdk::Session& session) { session.add(front); });
}

void SdkReader::get(const Record& record) {
  stage_.world.report().count("sdk: record read");
  const std::string_view value = record.value().value_or("");
  const MessageNumber number = number_of(value);
  stage_.world.fold(number);
  if (!known_end_.contains(record.partition())) {
    stage_.world.violate("a reader got a partition that it did not ask for");
    return;
  }
  const auto [expected, is_first] = next_.emplace(record.partition(), record.offset());
  if (expected->second != record.offset()) {
    stage_.world.violate("a reader of the library got offset " + std::to_string(record.offset()) +
                         " of partition " + std::to_string(record.partition()) + " instead of " +
                         std::to_string(expected->second));
    return;
  }
  ++expected->second;
  stage_.oracle.client_got(value, value_bytes(stage_.options, number),
                           topic_.logs[record.partition()], record.offset());
}

void SdkReader::step() {
  if (!is_push_) {
    for (int i = 0; i < 20; ++i) {
      Result<std::optional<Record>> taken = front_->take();
      if (!taken || !*taken) {
        break;
      }
      get(**taken);
    }
  }
  look_for_end();
}

void SdkReader::look_for_end() {
  if (const Result<> status = front_->status(); !status) {
    stage_.world.report().count("sdk: reader ended, " + std::string(name(status.error().code)));
    is_over_ = true;
    return;
  }
  if (!front_->finished()) {
    return;
  }
  is_over_ = true;
  stage_.world.report().count("sdk: reader finished");
  if (!stops_) {
    stage_.world.violate("a reader that goes on for ever has finished");
    return;
  }
  for (const auto& [partition, end] : known_end_) {
    if (begins_at_start_ && next_[partition] < end) {
      stage_.world.violate("a reader stopped at offset " + std::to_string(next_[partition]) +
                           " of partition " + std::to_string(partition) +
                           ", and the end was known to be at least " + std::to_string(end));
    }
  }
}

}  // namespace weir::sim
