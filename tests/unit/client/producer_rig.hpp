#pragma once

#include "client/core/batcher.hpp"
#include "client/core/producer_machine.hpp"
#include "client/core/send_ledger.hpp"
#include "client/core/stoppable_send.hpp"
#include "tests/unit/client/model_broker.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::sdk::test {

/// A ProducerMachine with both of its sides in the hands of a test: messages go in by say(), what
/// left lies in `wire`, and answers are given one by one.
class ProducerRig : public BatchSource, public SendPort {
 public:
  explicit ProducerRig(ProducerMachine::Options options = {})
      : machine(options, *this, *this, /*seed=*/1) {
    ledger.restart(1U << 20U);
  }

  // ---- what a test does

  /// Connects, and answers what the machine asks for.
  void connect() {
    is_up = true;
    ledger.restart(ledger.window_bytes());
    machine.on_session_up(/*incarnation=*/9);
    grant_requests();
  }
  void disconnect() {
    is_up = false;
    wire.clear();
    wants_attach = false;
    machine.on_session_lost();
  }
  void grant_requests() {
    if (wants_attach) {
      wants_attach = false;
      ProducerMachine::Attachment attached;
      attached.alias = 4;
      attached.object = 77;
      attached.partitions = 8;
      machine.on_attached(attached, now);
    }
    if (wants_id) {
      const auto [previous, epoch] = *wants_id;
      wants_id.reset();
      const auto [id, granted] = broker.init_producer(previous, epoch);
      if (granted < 0) {
        machine.on_producer(proto::make_error(proto::Errc::kProducerFenced), now);
        grant_requests();
        return;
      }
      ProducerMachine::Identity identity;
      identity.id = id;
      identity.epoch = static_cast<std::uint32_t>(granted);
      machine.on_producer(identity, now);
    }
  }
  /// Takes a message whose text is its name.
  void say(const std::string& text, std::uint32_t partition = 0,
           Duration patience = std::chrono::seconds(15)) {
    proto::RecordInput record;
    record.value = text;
    buffered_bytes += batchers[partition].add(record, listen(text), now + patience);
    ++buffered_messages;
    machine.on_waiting(partition);
  }
  /// Takes a message that the test stops by what it gets.
  std::shared_ptr<SendStop> say_stoppably(const std::string& text) {
    auto stop = std::make_shared<SendStop>(listen(text));
    proto::RecordInput record;
    record.value = text;
    buffered_bytes += batchers[0].add(record, StoppableSend(stop), now + std::chrono::seconds(15));
    ++buffered_messages;
    machine.on_waiting(0);
    return stop;
  }
  /// Looks for what was stopped.
  void drop_stopped() {
    machine.take_stopped();
    Batcher::Dropped stopped;
    batchers[0].take_stopped(stopped);
    finish(stopped, ErrorCode::kCancelled);
  }
  void turn() {
    machine.expire(now);
    for (auto& [partition, batcher] : batchers) {
      Batcher::Dropped expired;
      batcher.take_expired(now, expired);
      finish(expired);
    }
    machine.pump(now);
  }
  /// The broker takes the oldest batch of `wire` and answers it.
  proto::SentEntry answer() {
    return answer(broker.append(wire.front().partition, *wire.front().batch));
  }
  proto::SentEntry refuse(proto::Errc code, std::uint32_t retry_after_ms = 0) {
    proto::SentEntry entry;
    entry.code = static_cast<std::uint16_t>(code);
    entry.retry_after_ms = retry_after_ms;
    return answer(entry);
  }
  proto::SentEntry answer(const proto::SentEntry& entry) {
    const OutgoingBatch batch = wire.front();
    wire.pop_front();
    ledger.take(first_number++);
    machine.on_answer(batch.partition, batch.ordinal, entry, now);
    return entry;
  }
  void answer_all() {
    turn();
    while (!wire.empty()) {
      answer();
      turn();
    }
  }

  /// "ok", the name of the error, or "-" when there was no answer; "twice" is never right.
  [[nodiscard]] std::string outcome(const std::string& text) const {
    const auto found = results.find(text);
    if (found == results.end()) {
      return "-";
    }
    if (found->second.size() != 1) {
      return "twice";
    }
    const Result<SendReceipt>& result = found->second.front();
    return result ? "ok" : std::string(name(result.error().code));
  }
  [[nodiscard]] const SendReceipt& receipt(const std::string& text) const {
    return *results.at(text).front();
  }
  [[nodiscard]] static proto::BatchHeader header(const OutgoingBatch& batch) {
    return *proto::parse_batch_header(*batch.batch);
  }

  // ---- BatchSource

  std::size_t waiting_bytes(std::uint32_t partition) override {
    return batchers[partition].waiting_bytes();
  }
  std::optional<WaitingBatch> take(std::uint32_t partition, TimePoint at) override {
    Batcher::Dropped expired;
    std::optional<WaitingBatch> batch = batchers[partition].take(at, expired);
    finish(expired);
    return batch;
  }
  void release(const Released& room) override {
    buffered_messages -= room.messages;
    buffered_bytes -= room.bytes;
  }
  void on_destination(const std::optional<proto::Error>& refused, std::uint32_t) override {
    refusal = refused;
  }

  // ---- SendPort

  bool has_room(std::size_t bytes) override { return is_up && ledger.has_room(bytes + 20); }
  void send(OutgoingBatch batch) override {
    const std::uint64_t number =
        ledger.add({1, batch.partition, batch.ordinal}, batch.batch->size() + 20);
    if (wire.empty()) {
      first_number = number;
    }
    wire.push_back(std::move(batch));
  }
  void attach() override { wants_attach = true; }
  void init_producer(std::uint64_t previous_id, std::uint32_t previous_epoch) override {
    wants_id.emplace(previous_id, previous_epoch);
  }

  ModelBroker broker;
  TimePoint now{std::chrono::seconds(1'000)};
  SendLedger ledger;
  bool is_up = false;
  std::deque<OutgoingBatch> wire;
  std::uint64_t first_number = 1;
  bool wants_attach = false;
  std::optional<std::pair<std::uint64_t, std::uint32_t>> wants_id;
  std::map<std::uint32_t, Batcher> batchers;
  std::size_t buffered_messages = 0;
  std::size_t buffered_bytes = 0;
  std::optional<proto::Error> refusal;
  std::map<std::string, std::vector<Result<SendReceipt>>> results;
  std::vector<std::string> order;
  ProducerMachine machine;

 private:
  SendCallback listen(const std::string& text) {
    return [this, text](const Result<SendReceipt>& result) {
      results[text].push_back(result);
      order.push_back(text);
    };
  }
  void finish(Batcher::Dropped& dropped, ErrorCode why = ErrorCode::kDeadlineExceeded) {
    for (SendCallback& callback : dropped.callbacks) {
      callback(Error(why));
    }
    for (const Released& room : dropped.released) {
      release(room);
    }
  }
};

}  // namespace weir::sdk::test
