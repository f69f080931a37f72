#include "tests/faults/sample_reader.hpp"

#include "proto/batch/record_batch.hpp"
#include "tests/integration/wire_client.hpp"
#include "weir/client.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <set>
#include <utility>

namespace weir::faults {
namespace {

using integration::WireClient;
using proto::Errc;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kWaitMs = 200;
constexpr std::uint32_t kReadBytes = std::uint32_t{8} << 20;
/// Leases of before end within 200 ms, and a restart adds as long as it took.
constexpr std::chrono::milliseconds kPatience{4'000};
constexpr int kEndMs = 2'000;
constexpr auto kCorrupt = static_cast<std::uint32_t>(Errc::kCorruptBatch);
constexpr std::size_t kShownBytes = 40;

std::string shown(const std::string& body) {
  return '\'' + body.substr(0, kShownBytes) + '\'';
}

class SampleReader {
 public:
  SampleReader(crash::BrokerProcess& broker, const StoredSample& sample)
      : broker_(broker), sample_(sample), client_(broker.port()) {
    client_.hello();
  }

  Reading read() {
    for (const auto& [queue, expected] : sample_.queues) {
      if (queue != "late") {
        read_queue(queue, expected);
      }
    }
    read_late();
    read_topic();
    return std::move(reading_);
  }

 private:
  void complain(const std::string& what) { reading_.complaints.push_back(what); }

  /// Takes messages until `is_enough`; true when a reader was told that they are damaged.
  bool take(const std::string& queue,
            const std::function<void(const std::string&, std::uint32_t)>& visit,
            const std::function<bool()>& is_enough) {
    const Clock::time_point deadline = Clock::now() + kPatience;
    bool once_more = true;  // what must not be there may come behind what must
    while (Clock::now() < deadline && (!is_enough() || std::exchange(once_more, false))) {
      weir::v1::Request request;
      request.mutable_receive()->set_queue(queue);
      request.mutable_receive()->set_max_messages(1'000);
      request.mutable_receive()->set_max_bytes(kReadBytes);
      request.mutable_receive()->set_wait_ms(is_enough() ? 0 : kWaitMs);
      request.mutable_receive()->set_lease_ms(60'000);
      const weir::v1::Response response = client_.ask(request);
      if (response.error().code() == kCorrupt) {
        reading_.reader_was_told = true;
        return true;
      }
      if (response.has_error()) {
        complain("queue " + queue + " is refused: " + response.error().message());
        return false;
      }
      for (const weir::v1::Grant& grant : response.received().grants()) {
        const auto show = [&](const proto::RecordView& record) {
          visit(std::string(record.value.value_or("")), grant.attempts());
        };
        if (!proto::for_each_record(grant.records(), static_cast<std::int32_t>(grant.count()),
                                    show)) {
          complain("queue " + queue + " delivers what cannot be read");
        }
      }
    }
    return false;
  }

  void read_queue(const std::string& queue, const ExpectedQueue& expected) {
    std::set<std::string> found;
    const auto visit = [&](const std::string& body, std::uint32_t attempts) {
      const auto known = expected.attempts.find(body);
      if (known == expected.attempts.end()) {
        complain(
            "queue " + queue + " delivers " + shown(body) +
            (expected.done.contains(body) ? ", whose ack was confirmed" : ", which nobody sent"));
        return;
      }
      if (found.insert(body).second && attempts < known->second) {
        complain("queue " + queue + " delivers " + shown(body) + " with " +
                 std::to_string(attempts) + " attempts instead of " +
                 std::to_string(known->second));
      }
    };
    const bool was_told =
        take(queue, visit, [&] { return found.size() == expected.attempts.size(); });
    if (!was_told && found.size() < expected.attempts.size()) {
      complain("queue " + queue + " has lost " +
               std::to_string(expected.attempts.size() - found.size()) + " of " +
               std::to_string(expected.attempts.size()) + " messages without a word");
    }
  }

  // What is missing must be the newest.
  void read_late() {
    const std::vector<std::string>& late = sample_.late;
    std::set<std::string> found;
    const auto visit = [&](const std::string& body, std::uint32_t /*attempts*/) {
      if (std::ranges::find(late, body) == late.end()) {
        complain("queue late delivers " + shown(body) + ", which nobody sent");
      }
      found.insert(body);
    };
    const bool was_told = take("late", visit, [&] { return found.size() == late.size(); });
    if (was_told) {
      return;
    }
    reading_.late_lost = late.size() - std::min(found.size(), late.size());
    const bool is_prefix = std::ranges::all_of(
        late.begin(), late.end() - static_cast<std::ptrdiff_t>(reading_.late_lost),
        [&](const std::string& body) { return found.contains(body); });
    if (!is_prefix || (reading_.late_lost > 0 && sample_.end != SampleEnd::kBusy)) {
      complain("queue late has lost " + std::to_string(reading_.late_lost) +
               " messages without a word" + (is_prefix ? "" : ", and not the newest ones"));
    }
  }

  void read_topic() {
    weir::v1::Request request;
    request.mutable_describe_topic()->set_name("events");
    const weir::v1::Response response = client_.ask(request);
    const weir::v1::TopicInfo& info = response.topic();
    if (info.partitions_size() != static_cast<int>(sample_.partitions.size())) {
      complain("the topic has lost its partitions: " + response.error().message());
      return;
    }
    Result<Client> client =
        Client::connect(ClientOptions("weir://127.0.0.1:" + std::to_string(broker_.port())));
    if (!client) {
      complain("no client: " + client.error().to_string());
      return;
    }
    for (std::uint32_t partition = 0; partition < sample_.partitions.size(); ++partition) {
      const std::vector<std::string>& expected = sample_.partitions[partition];
      const auto end = static_cast<std::int64_t>(expected.size());
      if (info.partitions(static_cast<int>(partition)).high_watermark() != end) {
        complain("partition " + std::to_string(partition) + " ends at " +
                 std::to_string(info.partitions(static_cast<int>(partition)).high_watermark()) +
                 " instead of " + std::to_string(end));
        continue;
      }
      read_partition(*client, partition, expected);
    }
  }

  void read_partition(Client& client, std::uint32_t partition,
                      const std::vector<std::string>& expected) {
    ReaderOptions options;
    options.add_partition(partition).set_to(static_cast<std::int64_t>(expected.size()));
    Result<TopicReader> reader = client.read_topic("events", options);
    for (std::size_t offset = 0; reader && offset < expected.size(); ++offset) {
      const Result<std::optional<Record>> record = reader->next(kPatience);
      if (!record && record.error().code == ErrorCode::kCorruptBatch) {
        reading_.reader_was_told = true;
        return;
      }
      if (!record || !*record) {
        complain("partition " + std::to_string(partition) + ", offset " + std::to_string(offset) +
                 ": " + (record ? "nothing comes" : record.error().to_string()));
        return;
      }
      const std::string body((*record)->value().value_or(""));
      if ((*record)->offset() != static_cast<std::int64_t>(offset) || body != expected[offset]) {
        complain("partition " + std::to_string(partition) + ", offset " + std::to_string(offset) +
                 " holds " + shown(body) + " instead of " + shown(expected[offset]));
        return;
      }
    }
  }

  crash::BrokerProcess& broker_;
  const StoredSample& sample_;
  WireClient client_;
  Reading reading_;
};

}  // namespace

Reading read_sample(crash::BrokerProcess& broker, const StoredSample& sample) {
  Reading reading;
  try {
    reading = SampleReader(broker, sample).read();
  } catch (const std::exception& failure) {
    reading.complaints.push_back(failure.what());
  }
  if (!reading.complaints.empty()) {
    // A connection that breaks off is no complaint when its broker has ended.
    reading.broker_ended = broker.has_ended(kEndMs);
  }
  return reading;
}

}  // namespace weir::faults
