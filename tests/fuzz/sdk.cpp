#include "client/core/consumer_machine.hpp"
#include "client/core/grant.hpp"
#include "client/core/reader_machine.hpp"
#include "client/core/request_table.hpp"
#include "client/core/send_ledger.hpp"
#include "client/core/settle_ledger.hpp"
#include "proto/assert.hpp"
#include "proto/batch/crc32c.hpp"
#include "proto/batch/header_layout.hpp"
#include "proto/endian.hpp"
#include "proto/frame/frames.hpp"
#include "proto/limits.hpp"
#include "proto/wire_message.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The client library's machines, spoken to by a broker that may say anything.
namespace weir::fuzz {
namespace {

constexpr std::array<std::int64_t, 10> kOffsets = {
    0, 1, 2, 3, 100, -1, INT64_MIN, INT64_MAX, INT64_MAX - 1, INT64_MAX - 10'000};

void complete(std::string& batch) {
  if (batch.size() >= proto::kBatchHeaderBytes) {
    proto::store_be<std::int32_t>(
        batch.data() + proto::kBatchLengthAt,
        static_cast<std::int32_t>(batch.size() - proto::kLengthCountsFrom));
    proto::store_be<std::uint8_t>(batch.data() + proto::kMagicAt, proto::kMagic);
    proto::store_be<std::uint32_t>(
        batch.data() + proto::kCrcAt,
        proto::crc32c(0, std::string_view(batch).substr(proto::kAttributesAt)));
  }
}

// A batch of a few small records, whose header's numbers the input may replace.
std::string make_batch(Input& input) {
  proto::BatchBuilder builder;
  const std::size_t count = 1 + input.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    proto::RecordInput record;
    record.value = input.piece();
    record.timestamp = input.pick(kOffsets);
    builder.add(record);
  }
  // Seldom, since setting up a codec takes longer than all the rest.
  const std::uint8_t codec = input.byte();
  std::string batch = builder.finish({}, codec == 1   ? proto::Compression::kLz4
                                         : codec == 2 ? proto::Compression::kZstd
                                                      : proto::Compression::kNone);
  proto::store_be<std::int64_t>(batch.data() + proto::kBaseOffsetAt, input.pick(kOffsets));
  if (input.flag()) {
    constexpr std::array<std::size_t, 5> kFields = {proto::kLastOffsetDeltaAt,
                                                    proto::kBaseTimestampAt, proto::kMaxTimestampAt,
                                                    proto::kRecordCountAt, proto::kAttributesAt};
    proto::store_be<std::int16_t>(batch.data() + input.pick(kFields), input.number<std::int16_t>());
  }
  complete(batch);
  return batch;
}

class Reader {
 public:
  void step(Input& input) {
    switch (input.below(6)) {
      case 0: {
        PartitionPosition position;
        position.partition = static_cast<std::uint32_t>(input.below(4));
        position.offset = input.pick(kOffsets);
        position.high_watermark = input.pick(kOffsets);
        machine_.on_subscribed({position});
        break;
      }
      case 1:
        return give(input, make_batch(input));
      case 2: {
        std::string raw(input.piece());
        if (input.flag()) {
          complete(raw);
        }
        return give(input, raw);
      }
      case 3:
        read();
        break;
      case 4:
        machine_.on_session_lost();
        ended_ = false;
        break;
      default:
        machine_.on_subscription_ended(proto::make_error(proto::Errc::kCorruptBatch));
        break;
    }
  }

  void read() {
    while (!ended_) {
      const auto record = machine_.next();
      ended_ = !record;
      if (ended_ || !*record) {
        break;
      }
      WEIR_ASSERT(
          !(*record)->record.value || (*record)->record.value->size() <= (*record)->bytes->size(),
          "a record lies in its batch");
    }
    static_cast<void>(machine_.take_credit());
    static_cast<void>(machine_.request());
    static_cast<void>(machine_.positions());
    static_cast<void>(machine_.finished());
  }

 private:
  void give(Input& input, std::string_view bytes) {
    if (ended_) {
      return;  // the subscription is at an end: nobody asks the machine any more
    }
    const auto partition = static_cast<std::uint32_t>(input.below(4));
    const std::int64_t next = input.pick(kOffsets);
    const std::size_t cut = std::min<std::size_t>(input.byte(), bytes.size());
    for (const std::string_view part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      ended_ = ended_ || !machine_.on_records({.alias = 1,
                                               .partition = partition,
                                               .next_offset = next,
                                               .high_watermark = next,
                                               .bytes = part});
    }
  }

  sdk::ReaderMachine machine_{ReaderOptions().set_max_batch_bytes(std::size_t{64} << 10)};
  bool ended_ = false;
};

class Sink final : public sdk::SettleSink {
 public:
  void settle(sdk::Grant& grant, std::uint32_t index, sdk::SettleWord word,
              SettleCallback callback) override {
    machine.settle(grant, index, word, std::move(callback));
  }
  Result<> ack_and_wait(sdk::Grant&, std::uint32_t, std::chrono::milliseconds) override {
    return Error(ErrorCode::kCancelled, "nobody waits here");
  }
  [[nodiscard]] const std::string& queue() const override { return name_; }
  [[nodiscard]] std::int64_t wall_ms() const override { return 0; }
  void on_grant_made() override { ++grants; }
  void on_grant_gone() noexcept override { --grants; }

  sdk::ConsumerMachine machine{std::chrono::minutes(5)};
  int grants = 0;

 private:
  const std::string name_ = "q";
};

class Consumer {
 public:
  ~Consumer() {
    deliveries_.clear();
    sink_->machine.drop_waiting();
  }
  void step(Input& input, sdk::TimePoint now) {
    switch (input.below(5)) {
      case 0: {
        const std::string_view body = input.piece();
        if (const auto frame = proto::decode_deliver(body)) {
          deliver(*frame, now);
        }
        break;
      }
      case 1: {
        const std::string batch = make_batch(input);
        proto::Deliver frame;
        frame.first_index = static_cast<std::uint32_t>(input.below(3));
        frame.count = static_cast<std::uint32_t>(1 + input.below(4));
        frame.span = frame.count + static_cast<std::uint32_t>(input.below(3));
        frame.lease_ms = input.number<std::uint32_t>();
        frame.grant = proto::GrantId(input.below(4));
        frame.base_offset = input.pick(kOffsets);
        frame.base_timestamp = input.pick(kOffsets);
        frame.attempts = input.byte();
        frame.losses = static_cast<std::uint16_t>(input.below(2));
        frame.records = std::string_view(batch).substr(proto::kBatchHeaderBytes);
        deliver(frame, now);
        break;
      }
      case 2:
        take(now);
        break;
      case 3:
        sink_->machine.on_failed({{.settle_number = 1,
                                   .grant = proto::GrantId(input.below(4)),
                                   .first_index = input.number<std::uint32_t>(),
                                   .count = input.number<std::uint32_t>(),
                                   .code = input.number<std::uint16_t>()}});
        break;
      default:
        deliveries_.clear();
        break;
    }
    sink_->machine.tick(now);
    static_cast<void>(sink_->machine.next_deadline());
    if (sink_->machine.has_settlements()) {
      settled_ = sink_->machine.take_settlements();
    }
  }

 private:
  // As the session does it: the first look is its own.
  void deliver(const proto::Deliver& frame, sdk::TimePoint now) {
    if (!sdk::is_sound(frame)) {
      return;
    }
    auto grant = std::make_shared<sdk::Grant>(frame, sdk::GrantOrigin(), sink_);
    if (grant->read_indexes()) {
      sink_->machine.add_grant(std::move(grant), now);
    }
  }
  void take(sdk::TimePoint now) {
    while (const auto chunk = sink_->machine.begin_chunk(now, true)) {
      for (std::uint32_t i = 0; i < chunk->count; ++i) {
        proto::Result<Delivery> delivery = chunk->grant->next();
        if (!delivery) {
          return;
        }
        static_cast<void>(delivery->body().size());
        deliveries_.push_back(std::move(*delivery));
      }
    }
  }

  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
  std::vector<Delivery> deliveries_;
  sdk::SettleBatch settled_;
};

// Numbers that the broker answers with, open or not.
class Ledgers {
 public:
  void step(Input& input, sdk::TimePoint now) {
    switch (input.below(6)) {
      case 0:
        if (sends_.has_room(100)) {
          sends_.add({.producer = 1, .partition = 0, .ordinal = 1}, 100);
        }
        break;
      case 1:
        if (const auto sent = proto::decode_sent(input.piece())) {
          for (const proto::SentEntry& entry : sent->entries) {
            static_cast<void>(sends_.take(entry.send_number));
          }
        }
        break;
      case 2:
        sends_.set_window(input.number<std::uint32_t>());
        break;
      case 3:
        settles_.add(1, sdk::SettleBatch{.ranges = {{.grant = proto::GrantId(1), .count = 3}},
                                         .waiters = {}});
        break;
      case 4:
        if (const auto settled = proto::decode_settled(input.piece())) {
          if (auto done = settles_.on_settled(*settled)) {
            for (sdk::SettleLedger::Outcome& outcome : *done) {
              sdk::answer_waiters(outcome.batch, outcome.failures);
            }
          }
        }
        break;
      default:
        request(input, now);
        break;
    }
  }

 private:
  void request(Input& input, sdk::TimePoint now) {
    v1::Request ask;
    ask.mutable_describe_queue()->set_name("q");
    sdk::RequestPolicy policy;
    policy.deadline = now + std::chrono::seconds(5);
    requests_.add(std::move(ask), policy, [](const proto::Result<v1::Response>& /*answer*/) {});
    sdk::RequestTable::Sink sink = [](const v1::Request& /*request*/) {};
    requests_.send_ready(now, sink);
    if (auto response = proto::parse_response(input.piece())) {
      static_cast<void>(requests_.on_response(std::move(*response), now));
    }
    requests_.expire(now, std::nullopt);
  }

  sdk::SendLedger sends_;
  sdk::SettleLedger settles_;
  sdk::RequestTable requests_{1};
};

}  // namespace

void sdk(std::string_view bytes) {
  Input input(bytes);
  Reader reader;
  Consumer consumer;
  Ledgers ledgers;
  sdk::TimePoint now{std::chrono::hours(1)};
  while (!input.empty()) {
    switch (input.below(4)) {
      case 0:
        reader.step(input);
        break;
      case 1:
        consumer.step(input, now);
        break;
      case 2:
        ledgers.step(input, now);
        break;
      default:
        now += std::chrono::milliseconds(input.number<std::uint16_t>());
        break;
    }
  }
  reader.read();
}

}  // namespace weir::fuzz
