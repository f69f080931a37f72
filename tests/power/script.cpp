#include "tests/power/script.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/handle.hpp"
#include "proto/limits.hpp"
#include "tests/power/disk_tap.hpp"
#include "tests/power/image_files.hpp"
#include "tests/support/sent_places.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace weir::power {
namespace {

constexpr std::size_t kNumberBytes = 8;

}  // namespace

std::string value_of(MessageNumber number, std::size_t bytes) {
  std::string value(std::max(bytes, kNumberBytes), static_cast<char>('a' + number % 26));
  std::memcpy(value.data(), &number, kNumberBytes);
  return value;
}

std::optional<MessageNumber> number_of(std::string_view value) {
  if (value.size() < kNumberBytes) {
    return std::nullopt;
  }
  MessageNumber number = 0;
  std::memcpy(&number, value.data(), kNumberBytes);
  return value == value_of(number, value.size()) ? std::optional(number) : std::nullopt;
}

namespace {

using Texts = std::vector<std::pair<std::string_view, std::string>>;

Texts headers_of(const Extras& extras, MessageNumber number) {
  Texts headers;
  if (extras.delay_ms > 0) {
    headers.emplace_back(proto::kHeaderDelay, std::to_string(extras.delay_ms));
  }
  if (extras.ttl_ms > 0) {
    headers.emplace_back(proto::kHeaderTtl, std::to_string(extras.ttl_ms));
  }
  if (extras.groups > 0) {
    headers.emplace_back(proto::kHeaderGroup, std::to_string(number % extras.groups));
  }
  if (extras.priority >= 0) {
    headers.emplace_back(proto::kHeaderPriority, std::to_string(extras.priority));
  }
  if (extras.has_deduplication_id) {
    headers.emplace_back(proto::kHeaderDeduplicationId, std::to_string(number));
  }
  return headers;
}

}  // namespace

std::string batch_of(const Word& word) {
  proto::BatchBuilder builder(proto::kStoredHeaderBytes);
  for (std::uint32_t i = 0; i < word.count; ++i) {
    const std::string value = value_of(word.number + i, word.value_bytes);
    const Texts texts = headers_of(word.extras, word.number + i);
    std::vector<proto::Header> headers;
    for (const auto& [key, text] : texts) {
      headers.push_back({key, text});
    }
    proto::RecordInput record;
    record.value = value;
    record.headers = headers;
    record.timestamp = word.now;
    builder.add(record);
  }
  return builder.finish({.id = static_cast<std::int64_t>(word.producer),
                         .epoch = static_cast<std::int16_t>(word.epoch),
                         .base_sequence = word.sequence},
                        proto::Compression::kNone);
}

std::string handle_of(const Word& word) {
  return proto::encode_handle({.incarnation = word.incarnation,
                               .queue = proto::QueueId{word.log},
                               .generation = word.generation,
                               .grant = proto::GrantId{word.grant},
                               .index = word.index,
                               .nonce = word.nonce,
                               .base_offset = word.base_offset});
}

class Script::Port final : public shard::SessionPort {
 public:
  explicit Port(Script& script) : script_(script) {}

  void on_sent(const proto::SentEntry& entry) override {
    const auto it = script_.sends_.find(entry.send_number);
    if (it == script_.sends_.end()) {
      script_.die(kWrong, "an answer to a send that was not made");
    }
    if (entry.code != 0) {
      script_.die(kWrong, "a send was refused: " +
                              std::string(proto::name(static_cast<proto::Errc>(entry.code))));
    }
    const Word asked = it->second.word;
    script_.sends_.erase(it);
    Word word = asked;
    word.kind = Word::Kind::kSendStored;
    word.count = 1;
    for (const test::SentPlace& at : test::places_of(entry, asked.count)) {
      word.offset = at.offset;
      script_.say(word);
      ++word.number;
    }
  }
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override {
    script_.hear_settled(up_to, failed);
  }
  void on_delivery(std::uint32_t alias, const core::Delivery& delivery) override {
    script_.hear_delivery(alias, delivery, false);
  }
  void on_topic_batch(const shard::TopicBatch& batch) override {
    const auto columns = proto::read_columns(batch.batch.view());
    if (!columns) {
      script_.die(kWrong, "a topic's batch cannot be read");
    }
    for (std::uint32_t i = 0; i < columns->count(); ++i) {
      const auto record =
          proto::decode_record(batch.batch.view().substr(columns->records[i].position));
      Word word;
      word.kind = Word::Kind::kRead;
      word.log = script_.partitions_.at(batch.partition);
      word.offset = columns->header.base_offset + i;
      word.number = number_of(record.value().record.value.value_or("")).value_or(0);
      script_.say(word);
    }
  }
  void on_reply(std::uint64_t request_id, const proto::Result<core::Reply>& reply) override {
    const auto it = script_.requests_.find(request_id);
    if (it == script_.requests_.end()) {
      script_.die(kWrong, "an answer to a request that was not made");
    }
    const Heard heard = std::move(it->second);
    script_.requests_.erase(it);
    heard(reply);
  }
  void on_subscription_ended(std::uint32_t /*alias*/, const proto::Error& why) override {
    script_.die(kWrong, "a subscription was ended: " + why.to_string());
  }
  void on_kicked(const proto::Error& why) override {
    script_.die(kWrong, "the session was ended: " + why.to_string());
  }
  void flush() override {}
  [[nodiscard]] std::size_t bulk_room() const override { return std::size_t{1} << 20; }

 private:
  Script& script_;
};

Script::Script(std::string root, Journal& journal, std::uint64_t seed)
    : root_(std::move(root)), journal_(journal), rng_(seed), port_(std::make_unique<Port>(*this)) {
  DiskTap::instance().watch(root_, journal_);
}

Script::~Script() {
  end_life();
  DiskTap::instance().thaw();
  DiskTap::instance().unwatch();
}

void Script::die(int code, const std::string& message) {
  DiskTap::instance().note(Step::kDeath, static_cast<std::uint64_t>(code), message);
  std::_Exit(code);
}

void Script::say(Word word) {
  word.now = now_;
  DiskTap::instance().note(Step::kWord, 0,
                           std::string_view(reinterpret_cast<const char*>(&word), sizeof(word)));
}

// ---- lives

void Script::start(LifeOptions options) {
  DiskTap::instance().begin_process();
  Life::Ports ports;
  ports.on_failed = [this](const proto::Error& error) {
    if (!is_ending_) {
      die(kDied, error.to_string());
    }
  };
  ports.on_opened = [this](storage::RocksStore& store) { return witness_.attach(store); };
  life_ = std::make_unique<Life>(root_ + "/data", options, now_, rng_.next(), std::move(ports));
  if (const proto::Result<> started = life_->start(); !started) {
    die(kNotStarted, started.error().message);
  }
  session_ = life_->shard().open_session(*port_);
  if (!producer_) {
    producer_ = std::get<core::ProducerInfo>(answer_to(core::InitProducer{}));
    Word word;
    word.kind = Word::Kind::kProducer;
    word.producer = producer_->id.value;
    word.epoch = producer_->epoch;
    say(word);
  }
}

void Script::stop() {
  wait();
  life_->shard().close_session(session_);
  if (!life_->advance(0)) {
    die(kHung, "the broker does not come to rest");
  }
  life_->stop();
  life_.reset();
  held_.clear();
}

void Script::end_life() {
  is_ending_ = true;  // what its objects meet on a frozen disk, no process would
  DiskTap::instance().freeze();
  life_.reset();
  is_ending_ = false;
  held_.clear();
  requests_.clear();
  settles_.clear();
}

void Script::kill() {
  end_life();
  DiskTap::instance().thaw();
}

void Script::lose_power(Loss loss) {
  end_life();
  const std::vector<Entry> entries = journal_.read();
  DiskModel model(entries);
  model.advance(entries.size());
  DiskTap::instance().unwatch();
  write_image(model.image(loss, rng_), root_);
  DiskTap::instance().watch(root_, journal_);
}

// ---- requests

void Script::run_until(const std::function<bool()>& done) {
  if (!life_->run_until(done)) {
    die(kHung, "the broker does not answer");
  }
}

void Script::ask(core::Request request, Heard heard) {
  requests_.emplace(++last_request_, std::move(heard));
  life_->shard().request(session_, last_request_, std::move(request), 0);
}

const core::Reply& Script::answer_to(core::Request request) {
  answer_.reset();
  ask(std::move(request), [this](const proto::Result<core::Reply>& reply) { answer_ = reply; });
  run_until([this] { return answer_.has_value(); });
  if (!*answer_) {
    die(kWrong, "a request was refused: " + answer_->error().to_string());
  }
  return **answer_;
}

Script::Target Script::queue(const std::string& name, core::QueueSettings settings) {
  const auto info =
      std::get<core::QueueInfo>(answer_to(core::CreateQueue{"default", name, settings, {}}));
  Word word;
  word.kind = Word::Kind::kQueue;
  word.log = info.id.value;
  word.max_receive_count = info.settings.max_receive_count;
  set_text(word.name, name);
  word.keeps_expired = info.settings.dead_letter_expired != 0;
  set_text(word.dead_letters, info.settings.dead_letter_queue);
  say(word);
  return {.name = name, .log = info.id.value};
}

std::vector<Script::Target> Script::topic(const std::string& name, std::uint32_t partitions) {
  answer_to(core::CreateTopic{"default", name, {.partitions = partitions}, {}});
  const auto attached = std::get<core::Attached>(answer_to(core::Attach{"default", name, true}));
  std::vector<Target> targets;
  for (const proto::LogId log : attached.logs) {
    Word word;
    word.kind = Word::Kind::kTopic;
    word.log = log.value;
    word.index = static_cast<std::uint32_t>(targets.size());
    set_text(word.name, name);
    say(word);
    targets.push_back({.name = name, .log = log.value, .is_topic = true});
  }
  return targets;
}

// ---- sends

void Script::send(const Target& target, std::uint32_t messages, std::size_t bytes, Extras extras) {
  const auto open = [&] {
    return std::ranges::count_if(
        sends_, [&](const auto& entry) { return entry.second.target.log == target.log; });
  };
  if (open() >= static_cast<std::ptrdiff_t>(proto::kMaxUnconfirmedBatches)) {
    run_until([&] { return open() < static_cast<std::ptrdiff_t>(proto::kMaxUnconfirmedBatches); });
  }
  Flight flight;
  flight.target = target;
  flight.word.kind = Word::Kind::kSendAsked;
  flight.word.log = target.log;
  flight.word.number = last_number_ + 1;
  flight.word.count = messages;
  flight.word.value_bytes = static_cast<std::uint32_t>(bytes);
  flight.word.extras = extras;
  flight.word.now = now_;
  if (extras.has_deduplication_id) {
    flight.word.producer = kNoProducer;
  } else {
    flight.word.producer = producer_->id.value;
    flight.word.epoch = producer_->epoch;
    flight.word.sequence = next_sequence_[target.log];
    next_sequence_[target.log] += static_cast<std::int32_t>(messages);
  }
  flight.bytes = batch_of(flight.word);
  last_number_ += messages;
  sends_.emplace(++last_send_, std::move(flight));
  transmit(last_send_);
}

void Script::transmit(std::uint64_t send_number) {
  const Flight& flight = sends_.at(send_number);
  const std::string_view batch = std::string_view(flight.bytes).substr(proto::kStoredHeaderBytes);
  auto columns = proto::validate_batch(
      batch, flight.target.is_topic ? proto::BatchUse::kTopic : proto::BatchUse::kQueue);
  say(flight.word);
  life_->shard().send(session_,
                      {.log = proto::LogId{flight.target.log},
                       .topic = flight.target.is_topic,
                       .send_number = send_number,
                       .stored = flight.bytes,
                       .columns = std::move(columns.value())},
                      0);
}

void Script::send_again() {
  for (const auto& [number, flight] : sends_) {
    transmit(number);
  }
}

// ---- consuming

std::size_t Script::receive(const Target& queue, std::uint32_t messages, std::int64_t lease_ms) {
  const std::size_t before = held_.size();
  core::Receive wish{.name_space = "default", .queue = queue.name, .max_messages = messages};
  if (lease_ms != 0) {
    wish.lease_ms = lease_ms;
  }
  const auto received = std::get<core::Received>(answer_to(wish));
  for (const core::Delivery& delivery : received.deliveries) {
    hear_delivery(0, delivery, true);
  }
  return held_.size() - before;
}

void Script::subscribe(const Target& queue, std::uint32_t window) {
  answer_to(core::Subscribe{.name_space = "default",
                            .queue = queue.name,
                            .alias = ++last_alias_,
                            .window_messages = window,
                            .window_bytes = std::uint32_t{1} << 20});
}

void Script::read(const Target& first_partition) {
  const auto attached =
      std::get<core::Attached>(answer_to(core::Attach{"default", first_partition.name, true}));
  for (std::size_t i = 0; i < attached.logs.size(); ++i) {
    partitions_[static_cast<std::uint32_t>(i)] = attached.logs[i].value;
  }
  core::SubscribeTopic command;
  command.name_space = "default";
  command.topic = first_partition.name;
  command.alias = ++last_alias_;
  command.window_messages = 100'000;
  command.window_bytes = std::uint32_t{1} << 24;
  answer_to(std::move(command));
}

void Script::hear_delivery(std::uint32_t alias, const core::Delivery& delivery, bool is_started) {
  const auto read =
      proto::for_each_record(delivery.records.view(), static_cast<std::int32_t>(delivery.count),
                             [&](const proto::RecordView& record) {
                               Word word;
                               word.kind = Word::Kind::kHandedOut;
                               word.log = delivery.queue.value;
                               word.number = number_of(record.value.value_or("")).value_or(0);
                               word.base_offset = delivery.base_offset;
                               word.offset = delivery.base_offset + record.offset_delta;
                               word.index = static_cast<std::uint32_t>(record.offset_delta);
                               word.until = is_started ? now_ + delivery.lease_ms : 0;
                               word.grant = delivery.grant.value;
                               word.nonce = delivery.nonce;
                               word.generation = delivery.generation;
                               word.incarnation = life_->shard().incarnation();
                               word.attempts = delivery.attempts;
                               word.is_started = is_started;
                               word.count = alias;  // for the settlement
                               say(word);
                               held_.push_back(word);
                             });
  if (!read) {
    die(kWrong, "a delivery cannot be read");
  }
}

void Script::settle(proto::SettleKind kind, std::size_t messages, std::uint32_t value_ms) {
  const bool stays = kind == proto::SettleKind::kExtend || kind == proto::SettleKind::kStarted;
  for (std::size_t i = std::min(messages, held_.size()); i > 0; --i) {
    Word word = held_.front();
    held_.pop_front();
    if (stays) {
      held_.push_back(word);
    }
    Settling settling;
    settling.word = word;
    settling.word.kind = Word::Kind::kSettleAsked;
    settling.word.settle = kind;
    settling.word.until = now_ + value_ms;
    settling.range = {.kind = kind,
                      .grant = proto::GrantId{word.grant},
                      .nonce = word.nonce,
                      .base_offset = word.base_offset,
                      .first_index = word.index,
                      .count = 1,
                      .value = value_ms};
    say(settling.word);
    proto::Settle settle;
    settle.settle_number = ++last_settle_;
    settle.alias = word.count;
    settle.ranges.push_back(settling.range);
    settles_.emplace(last_settle_, settling);
    life_->shard().settle(session_, proto::QueueId{word.log}, settle);
  }
}

void Script::hear_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) {
  while (!settles_.empty() && settles_.begin()->first <= up_to) {
    const auto& [number, settling] = *settles_.begin();
    const bool is_refused = std::ranges::any_of(
        failed,
        [number](const proto::SettleFailure& failure) { return failure.settle_number == number; });
    if (!is_refused) {
      confirm(settling.word);
    }
    settles_.erase(settles_.begin());
  }
}

void Script::confirm(const Word& word) {
  Word said = word;
  said.kind = Word::Kind::kSettled;
  say(said);
}

void Script::settle_by_handle(proto::SettleKind kind, std::uint32_t value_ms) {
  if (held_.empty()) {
    return;
  }
  Word word = held_.front();
  held_.pop_front();
  core::SettleByHandle command;
  command.handle = handle_of(word);
  command.kind = kind;
  command.value_ms = value_ms;
  word.kind = Word::Kind::kSettleAsked;
  word.settle = kind;
  word.until = now_ + value_ms;
  say(word);
  ask(std::move(command), [this, word](const proto::Result<core::Reply>& reply) {
    if (reply) {
      confirm(word);
    }
  });
}

void Script::wait() {
  run_until([this] { return sends_.empty() && settles_.empty() && requests_.empty(); });
}

void Script::advance(std::int64_t ms) {
  if (!life_->advance(ms)) {
    die(kHung, "the broker does not come to rest");
  }
}

}  // namespace weir::power
