#include "tests/power/judge.hpp"

#include "proto/batch/record_batch.hpp"
#include "proto/batch/stored_batch.hpp"
#include "proto/limits.hpp"
#include "proto/names.hpp"
#include "storage/commit_chain.hpp"
#include "tests/power/script.hpp"
#include "tests/power/witness.hpp"
#include "tests/support/sent_places.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace weir::power {
namespace {

constexpr std::int64_t kPastEveryLeaseMs = std::int64_t{13} * 3600 * 1000;
constexpr std::size_t kHandlesTried = 2;
constexpr MessageNumber kFirstOwnNumber = 1'000'000'000;

// Ends a judgement; the text says what is wrong.
struct Broken {
  std::string what;
};

class Trial final : public shard::SessionPort {
 public:
  Trial(const std::string& data_dir, Expectations expectations, std::uint64_t seed)
      : known_(std::move(expectations)),
        now_(known_.now()),
        life_(data_dir, {}, now_, seed, ports()) {}

  std::optional<std::string> run() {
    try {
      start();
      repeat_last_sends();
      send_new_ones();
      const std::uint64_t described = describe();
      use_handles();
      drain(true);
      advance(kPastEveryLeaseMs);
      drain(false);
      advance(kPastEveryLeaseMs);  // what has died moves when its lease ends
      drain(false);
      read_topics();
      compare(described);
      life_.stop();
      return std::nullopt;
    } catch (const Broken& broken) {
      return broken.what;
    }
  }

  void on_sent(const proto::SentEntry& entry) override { sent_ = entry; }
  void on_settled(std::uint64_t up_to, std::span<const proto::SettleFailure> failed) override {
    settled_ = up_to;
    is_settle_refused_ = is_settle_refused_ || !failed.empty();
  }
  void on_delivery(std::uint32_t, const core::Delivery&) override {}
  void on_topic_batch(const shard::TopicBatch& batch) override { read_batches_.push_back(batch); }
  void on_reply(std::uint64_t, const proto::Result<core::Reply>& reply) override { reply_ = reply; }
  void on_subscription_ended(std::uint32_t, const proto::Error& why) override {
    failure_ = "a subscription was ended: " + why.to_string();
  }
  void on_kicked(const proto::Error& why) override {
    failure_ = "the session was ended: " + why.to_string();
  }
  void flush() override {}
  [[nodiscard]] std::size_t bulk_room() const override { return std::size_t{1} << 26; }

 private:
  Life::Ports ports() {
    Life::Ports made;
    made.on_failed = [this](const proto::Error& error) {
      failure_ = "the broker cannot go on: " + error.to_string();
    };
    made.on_opened =
        [this](
            storage::RocksStore& store) -> proto::Result<std::unique_ptr<storage::KeyValueStore>> {
      check_rows(store);
      return std::unique_ptr<storage::KeyValueStore>();
    };
    return made;
  }

  [[noreturn]] static void broken(std::string what) { throw Broken{std::move(what)}; }
  static void must_hold(const std::optional<std::string>& wrong) {
    if (wrong) {
      broken(*wrong);
    }
  }
  [[noreturn]] static void broken_at(const std::string& what, std::uint64_t log,
                                     proto::Offset offset, MessageNumber number) {
    broken(what + ": message " + std::to_string(number) + " at offset " + std::to_string(offset) +
           " of log " + std::to_string(log));
  }

  void run_until(const std::function<bool()>& done) {
    if (!life_.run_until([&] { return !failure_.empty() || done(); })) {
      broken("the broker does not answer");
    }
    if (!failure_.empty()) {
      broken(failure_);
    }
  }
  const core::Reply& ask(core::Request request) {
    reply_.reset();
    life_.shard().request(session_, ++last_request_, std::move(request), 0);
    run_until([this] { return reply_.has_value(); });
    if (!*reply_) {
      broken("a request was refused: " + reply_->error().to_string());
    }
    return **reply_;
  }
  void advance(std::int64_t ms) {
    if (!life_.advance(ms)) {
      broken("the broker does not come to rest");
    }
  }

  void start() {
    if (const proto::Result<> started = life_.start(); !started) {
      broken("the start was refused: " + started.error().message);
    }
    if (!wrong_rows_.empty()) {
      broken(wrong_rows_);
    }
    session_ = life_.shard().open_session(*this);
  }

  // Called by the start, so it only remembers.
  void check_rows(const storage::KeyValueStore& store) {
    const auto reader = store.snapshot();
    const auto point = storage::read_commit_point(*reader);
    const auto digest = rows_digest(*reader);
    if (!point || !digest) {
      wrong_rows_ = "rows cannot be read: " + (point ? digest.error() : point.error()).to_string();
      return;
    }
    const std::uint64_t index = point->index.value;
    if (index < known_.promised()) {
      wrong_rows_ = "recovered up to commit " + std::to_string(index) + ", promised were " +
                    std::to_string(known_.promised());
      return;
    }
    const auto expected = known_.digests().find(index);
    if (index != 0 && expected == known_.digests().end()) {
      wrong_rows_ = "recovered a commit that was never made: " + std::to_string(index);
    } else if (*digest != (index == 0 ? 0 : expected->second)) {
      wrong_rows_ = "the rows behind commit " + std::to_string(index) + " are not what it wrote";
    }
  }

  proto::SentEntry send(const Word& word, bool is_topic) {
    std::string bytes = batch_of(word);
    auto columns =
        proto::validate_batch(std::string_view(bytes).substr(proto::kStoredHeaderBytes),
                              is_topic ? proto::BatchUse::kTopic : proto::BatchUse::kQueue);
    sent_.reset();
    life_.shard().send(session_,
                       {.log = proto::LogId{word.log},
                        .topic = is_topic,
                        .send_number = ++last_send_,
                        .stored = std::move(bytes),
                        .columns = std::move(columns.value())},
                       0);
    run_until([this] { return sent_.has_value(); });
    if (sent_->code != 0) {
      broken("a send was refused: " +
             std::string(proto::name(static_cast<proto::Errc>(sent_->code))));
    }
    return *sent_;
  }

  // The producer comes back and repeats what it sent last, whether it was answered or not.
  void repeat_last_sends() {
    if (!known_.producer()) {
      return;
    }
    for (const auto& [log, word] : known_.last_sends()) {
      // An earlier batch without an answer may be missing, and then this one must not be taken.
      const bool has_ids = word.extras.has_deduplication_id;
      if (!has_ids && has_unanswered_before(word)) {
        continue;
      }
      // An id is forgotten some time, and then it is another message.
      const proto::TimeMs asked_at = known_.messages().at(word.number).asked_at;
      if (has_ids && asked_at + proto::kDefaultDeduplicationMs <= now_) {
        continue;
      }
      const proto::SentEntry entry = send(word, known_.logs().at(log).is_topic);
      const bool is_duplicate = (entry.flags & proto::SentEntry::kDuplicate) != 0;
      MessageNumber number = word.number;
      for (const test::SentPlace& at : test::places_of(entry, word.count)) {
        if (known_.messages().at(number).is_stored && !is_duplicate && !at.is_known) {
          broken_at("stored again instead of told apart", log, at.offset, number);
        }
        must_hold(known_.learn(log, at.offset, number));
        surely_stored_.insert(number++);
      }
    }
  }

  [[nodiscard]] bool has_unanswered_before(const Word& word) const {
    return std::ranges::any_of(known_.messages(), [&](const auto& entry) {
      return entry.first < word.number && entry.second.home == word.log && !entry.second.is_stored;
    });
  }

  void send_new_ones() {
    for (const auto& [id, log] : known_.logs()) {
      Word word;
      word.kind = Word::Kind::kSendAsked;
      word.log = id;
      word.count = 1;
      word.number = kFirstOwnNumber + id;
      word.value_bytes = 20;
      word.producer = kNoProducer;
      word.extras.groups = proto::is_fifo_name(log.name) ? kFifoGroups : 0;
      word.now = now_;
      const proto::Offset next = log.next_offset();
      Entry entry{.step = Step::kWord,
                  .bytes = std::string_view(reinterpret_cast<const char*>(&word), sizeof(word))};
      must_hold(known_.take(entry));
      const proto::SentEntry sent = send(word, log.is_topic);
      if (sent.base_offset < next) {
        broken_at("an offset is used again", id, sent.base_offset, word.number);
      }
      must_hold(known_.learn(id, sent.base_offset, word.number));
      surely_stored_.insert(word.number);
    }
  }

  [[nodiscard]] core::QueueInfo describe_queue(const std::string& name) {
    return std::get<core::QueueInfo>(ask(core::DescribeQueue{"default", name}));
  }

  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t dying = 0;
  };

  // How many messages the counters know of. One that moves to a dead-letter queue between two
  // questions is counted in neither, so it has moved when this counts.
  std::uint64_t describe() {
    constexpr int kQuestions = 10'000;
    bool is_settled = false;
    for (int i = 0; i < kQuestions; ++i) {
      const Counts counts = count();
      if (is_settled) {
        return counts.messages;
      }
      is_settled = counts.dying == 0;
      run_until([this] { return life_.outstanding_loads() == 0; });
    }
    broken("dying messages do not reach their dead-letter queue");
  }

  Counts count() {
    Counts counts;
    for (const auto& [id, log] : known_.logs()) {
      if (log.is_topic) {
        const auto info = std::get<core::TopicInfo>(ask(core::DescribeTopic{"default", log.name}));
        if (info.partitions.size() <= log.partition) {
          broken("topic " + log.name + " has lost a partition");
        }
        continue;
      }
      const core::QueueInfo info = describe_queue(log.name);
      if (info.id.value != id || info.settings.max_receive_count != log.max_receive_count) {
        broken("queue " + log.name + " is another one");
      }
      counts.messages += info.ready + info.in_flight + info.delayed + info.dying + info.parked;
      counts.dying += info.dying;
    }
    return counts;
  }

  // A lease that runs is the holder's, also after a restart.
  void use_handles() {
    std::size_t tried = 0;
    for (const auto& [number, message] : known_.messages()) {
      if (tried == kHandlesTried) {
        return;
      }
      if (!message.lease || message.may_be_gone || !is_held(message) ||
          known_.may_have_ended(number, now_)) {
        continue;
      }
      core::SettleByHandle command;
      command.handle = handle_of(message.lease->word);
      ask(std::move(command));
      found_.insert(number);
      ++tried;
    }
  }

  [[nodiscard]] bool is_held(const Expectations::Message& message) const {
    return message.lease->word.is_started && !message.lease->was_nacked &&
           message.lease->not_before > now_;
  }

  void drain(bool is_early) {
    bool is_empty = false;
    while (!is_empty) {
      is_empty = true;
      const std::uint64_t loads_before = life_.loads();
      for (const auto& [id, log] : known_.logs()) {
        if (log.is_topic) {
          continue;
        }
        const auto received = std::get<core::Received>(
            ask(core::Receive{.name_space = "default", .queue = log.name, .max_messages = 1000}));
        for (const core::Delivery& delivery : received.deliveries) {
          is_empty = false;
          take(delivery, is_early);
        }
      }
      // A receive without a wait gets nothing while what is known of its messages is being read.
      is_empty = is_empty && life_.loads() == loads_before;
      run_until([this] { return life_.outstanding_loads() == 0; });
    }
  }

  void take(const core::Delivery& delivery, bool is_early) {
    const auto read = proto::for_each_record(
        delivery.records.view(), static_cast<std::int32_t>(delivery.count),
        [&](const proto::RecordView& record) {
          const MessageNumber number = number_of(record.value.value_or("")).value_or(0);
          found(delivery, delivery.base_offset + record.offset_delta, number, is_early);
        });
    if (!read) {
      broken("a delivery cannot be read");
    }
    proto::Settle settle;
    settle.settle_number = ++last_settle_;
    settle.ranges.push_back({.kind = proto::SettleKind::kAck,
                             .grant = delivery.grant,
                             .nonce = delivery.nonce,
                             .base_offset = delivery.base_offset,
                             .first_index = delivery.first_index,
                             .count = delivery.span});
    life_.shard().settle(session_, delivery.queue, settle);
    run_until([&] { return settled_ == last_settle_; });
    if (is_settle_refused_) {
      broken("an ack was refused");
    }
  }

  void found(const core::Delivery& delivery, proto::Offset offset, MessageNumber number,
             bool is_early) {
    const std::uint64_t log = delivery.queue.value;
    must_hold(known_.learn(log, offset, number));
    must_hold(known_.check_times(log, offset, number, now_));
    const Expectations::Message& message = known_.messages().at(number);
    if (!found_.insert(number).second) {
      broken_at("a message came twice", log, offset, number);
    }
    if (proto::is_fifo_name(known_.logs().at(log).name)) {
      proto::Offset& last =
          last_of_groups_.try_emplace({log, number % kFifoGroups}, -1).first->second;
      if (offset < last) {
        broken_at(
            "a message came behind one of its group that is at offset " + std::to_string(last), log,
            offset, number);
      }
      last = offset;
    }
    if (known_.is_gone(message, log)) {
      broken_at("a message came after its ack was confirmed", log, offset, number);
    }
    if (log != message.at) {
      if (known_.logs().at(message.at).dead_letters != known_.logs().at(log).name) {
        broken_at("a message came from another queue", log, offset, number);
      }
      return;
    }
    if (delivery.attempts < message.attempts) {
      broken_at("attempts fell from " + std::to_string(message.attempts) + " to " +
                    std::to_string(delivery.attempts),
                log, offset, number);
    }
    if (is_early && message.lease && now_ < message.lease->not_before &&
        !known_.may_have_ended(number, now_)) {
      broken_at("a message came while it was leased or delayed", log, offset, number);
    }
  }

  void read_topics() {
    std::set<std::string> names;
    for (const auto& [id, log] : known_.logs()) {
      if (log.is_topic) {
        names.insert(log.name);
      }
    }
    for (const std::string& name : names) {
      read_topic(name);
    }
  }

  void read_topic(const std::string& name) {
    const auto attached = std::get<core::Attached>(ask(core::Attach{"default", name, true}));
    read_batches_.clear();
    core::SubscribeTopic command;
    command.name_space = "default";
    command.topic = name;
    command.alias = ++last_alias_;
    command.window_messages = 1'000'000;
    command.window_bytes = std::uint32_t{1} << 28;
    const auto subscribed = std::get<core::SubscribedTopic>(ask(std::move(command)));
    std::map<std::uint32_t, proto::Offset> next;
    std::map<std::uint32_t, proto::Offset> end;
    for (const core::PartitionPosition& position : subscribed.positions) {
      next[position.partition] = position.offset;
      end[position.partition] = position.high_watermark;
    }
    run_until([&] {
      for (const shard::TopicBatch& batch : std::exchange(read_batches_, {})) {
        take(batch, attached.logs.at(batch.partition).value, next[batch.partition]);
      }
      return next == end;
    });
  }

  void take(const shard::TopicBatch& batch, std::uint64_t log, proto::Offset& next) {
    const auto columns = proto::read_columns(batch.batch.view());
    if (!columns || columns->header.base_offset != next) {
      broken("a partition has a gap at offset " + std::to_string(next) + " of log " +
             std::to_string(log));
    }
    for (const proto::RecordSpan& span : columns->records) {
      const auto record = proto::decode_record(batch.batch.view().substr(span.position));
      const MessageNumber number = number_of(record.value().record.value.value_or("")).value_or(0);
      must_hold(known_.learn(log, next, number));
      if (!found_.insert(number).second) {
        broken_at("a record came twice", log, next, number);
      }
      ++next;
    }
  }

  void compare(std::uint64_t described) {
    std::uint64_t parked = 0;
    for (const auto& [id, log] : known_.logs()) {
      if (!log.is_topic) {
        const core::QueueInfo info = describe_queue(log.name);
        parked += info.parked;
        if (info.ready + info.in_flight + info.delayed + info.dying != 0) {
          broken("queue " + log.name + " counts messages that nobody gets: ready " +
                 std::to_string(info.ready) + ", in flight " + std::to_string(info.in_flight) +
                 ", delayed " + std::to_string(info.delayed) + ", dying " +
                 std::to_string(info.dying));
        }
      }
    }
    std::uint64_t missing = 0;
    std::uint64_t of_queues = 0;
    std::uint64_t expired = 0;  // at the most
    for (const auto& [number, message] : known_.messages()) {
      const bool is_topic = known_.logs().at(message.home).is_topic;
      const bool is_found = found_.contains(number);
      of_queues += is_found && !is_topic ? 1 : 0;
      const bool is_kept =
          (message.is_stored || surely_stored_.contains(number)) && !message.may_be_gone;
      const bool may_have_expired =
          !is_found && !is_topic && known_.may_have_expired(message, now_);
      expired += may_have_expired ? 1 : 0;
      if (is_found || !is_kept || may_have_expired) {
        continue;
      }
      const Expectations::Log& at = known_.logs().at(message.at);
      // Without a dead-letter queue it is parked at its last attempt, and counted there.
      const bool may_be_parked =
          message.may_be_poison || message.attempts + 1 >= at.max_receive_count;
      if (is_topic || !at.dead_letters.empty() || !may_be_parked) {
        broken("message " + std::to_string(number) + " of log " + std::to_string(message.at) +
               " was acknowledged and is lost");
      }
      ++missing;
    }
    if (missing > parked) {
      broken(std::to_string(missing) + " acknowledged messages are lost, " +
             std::to_string(parked) + " are parked");
    }
    const std::uint64_t seen = of_queues + parked;
    if (described < seen || described > seen + expired) {
      broken("the counters knew of " + std::to_string(described) + " messages, there were " +
             std::to_string(seen) + ", and at most " + std::to_string(expired) + " expired");
    }
  }

  Expectations known_;
  ManualTime now_;
  std::string failure_;
  std::string wrong_rows_;
  proto::SessionId session_;
  std::uint64_t last_request_ = 0;
  std::uint64_t last_send_ = 0;
  std::uint64_t last_settle_ = 0;
  std::uint32_t last_alias_ = 0;
  std::optional<proto::Result<core::Reply>> reply_;
  std::optional<proto::SentEntry> sent_;
  std::uint64_t settled_ = 0;
  bool is_settle_refused_ = false;
  std::vector<shard::TopicBatch> read_batches_;
  std::set<MessageNumber> found_;
  std::set<MessageNumber> surely_stored_;
  std::map<std::pair<std::uint64_t, MessageNumber>, proto::Offset> last_of_groups_;  // by log
  Life life_;  // last: its threads end first
};

}  // namespace

std::optional<std::string> judge(const std::string& data_dir, Expectations expectations,
                                 std::uint64_t seed) {
  return Trial(data_dir, std::move(expectations), seed).run();
}

}  // namespace weir::power
